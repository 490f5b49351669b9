"""The dispatcher: takes what comes in from chat to the command that answers it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from types import MappingProxyType

import structlog
from sqlalchemy.exc import DBAPIError

from bot.commands import (
    approval,
    break_glass,
    cancel,
    checks,
    delegation,
    export,
    history,
    hold,
    intake,
    mend,
    nudge,
    reconcile,
    retry,
    scheduling,
    stand_in,
    status,
    text_commands,
)
from bot.commands.chat import (
    Answer,
    CardAction,
    CardAnswer,
    FileConsent,
    IncomingMessage,
    Sender,
    TextAnswer,
)
from bot.commands.context import (
    ClickAnswer,
    Context,
    ShowCard,
    Turn,
    about_request,
    audit_decision,
    denial,
    facts_for_sight,
    say,
    show,
    turn_of,
)
from bot.commands.inputs import LARGEST_ID, Inputs
from bot.identity.delegations import Proof
from bot.phones import roster
from bot.signin.policy.decision import DenialReason, Ruling
from bot.signin.policy.evaluator import may_submit_file
from bot.signin.policy.sight import may_see, may_see_all
from bot.signin.request import RequestState
from bot.store import conversations, posts, received_activities, requests
from bot.store.conversations import ConversationReference
from bot.store.database import counted_commits
from bot.store.posts import Post
from bot.store.requests import Request
from cards import static
from cards.types import CardKind, Panel, Verb, View

log = structlog.get_logger()

Command = Callable[[Context, Turn, str], Awaitable[None]]
ClickHandler = Callable[[Context, Turn, Request, Inputs], Awaitable[ClickAnswer]]

COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "help": text_commands.show_help,
        "template": text_commands.template,
        "urls": text_commands.urls,
        "status": status.status,
        "history": history.history,
        "cancel": cancel.command,
        "retry": retry.command,
        "checks": checks.checks,
        "whoami": text_commands.whoami,
        "nudge": nudge.command,
        "delegate": stand_in.command,
    }
)

#: What answers a click, and the card that has the button: it is shown if the client did not say which
#: message was clicked.
CLICK_HANDLERS: Mapping[Verb, tuple[ClickHandler, CardKind]] = MappingProxyType(
    {
        Verb.REQUEST_APPROVAL: (approval.request_approval, CardKind.VALIDATION),
        Verb.WITHDRAW: (approval.withdraw, CardKind.VALIDATION),
        Verb.APPROVE: (approval.approve, CardKind.APPROVAL),
        Verb.REJECT: (approval.reject, CardKind.APPROVAL),
        Verb.CANCEL: (cancel.cancel, CardKind.PROGRESS),
        Verb.SIGN_IN: (delegation.delegate, CardKind.PROGRESS),
        Verb.CONTINUE_WITHOUT: (hold.continue_without, CardKind.PROGRESS),
        Verb.CHECK_ACCOUNTS: (hold.check_accounts, CardKind.PROGRESS),
        Verb.START_NOW: (scheduling.start_now, CardKind.PROGRESS),
        Verb.RETRY_FAILED: (retry.retry_failed, CardKind.RESULTS),
        Verb.RECONCILE: (reconcile.reconcile, CardKind.RECONCILIATION),
        Verb.EXPORT: (export.export, CardKind.RESULTS),
        Verb.MEND: (mend.draft, CardKind.VALIDATION),
        Verb.MEND_REQUEST: (mend.request_approval, CardKind.MEND),
        Verb.MEND_WITHDRAW: (mend.withdraw, CardKind.MEND),
        Verb.MEND_APPROVE: (mend.approve, CardKind.MEND_APPROVAL),
        Verb.MEND_REJECT: (mend.reject, CardKind.MEND_APPROVAL),
        Verb.MEND_SIGN_IN: (mend.give_access, CardKind.MEND_APPROVAL),
        Verb.MEND_UNDO: (mend.undo, CardKind.MEND_APPROVAL),
        Verb.NUDGE: (nudge.nudge, CardKind.VALIDATION),
        Verb.BREAK_GLASS: (break_glass.use, CardKind.VALIDATION),
        Verb.REVIEW: (break_glass.review, CardKind.REVIEW),
    }
)

#: Their card is about no request.
_WITHOUT_REQUEST = frozenset({Verb.STAND_IN, Verb.STAND_IN_STOP})

#: Their handlers deny a click of somebody who may not see the request with a reason of its own.
_EXPLAINING = frozenset(
    {
        Verb.APPROVE,
        Verb.REJECT,
        Verb.CANCEL,
        Verb.RECONCILE,
        Verb.SIGN_IN,
        Verb.MEND_APPROVE,
        Verb.MEND_REJECT,
        Verb.MEND_SIGN_IN,
        Verb.MEND_UNDO,
        Verb.CONTINUE_WITHOUT,
        Verb.CHECK_ACCOUNTS,
        Verb.START_NOW,
        Verb.REVIEW,
    }
)


def _refreshes_approval(verb: str, card: Post, request: Request) -> bool:
    waiting = request.state is RequestState.WAITING
    return verb == Verb.REFRESH and card.kind == CardKind.APPROVAL and waiting


def _has_role(turn: Turn) -> bool:
    """Whether they may request, or see others' requests, or could if they were no guest."""
    others = may_see_all(turn.policy, turn.actor)
    guest = others.reason is DenialReason.GUEST
    return others.allowed or guest or may_submit_file(turn.policy, turn.actor).allowed


class Dispatcher:
    """Implements `bot.commands.chat.Chat`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @asynccontextmanager
    async def receiving(
        self, conversation: ConversationReference, activity_id: str
    ) -> AsyncGenerator[bool]:
        database = self._context.database
        key = received_activities.key(conversation, activity_id) if activity_id else ""
        async with database.write() as tx:
            now = self._context.clock()
            first = not key or await received_activities.claim(tx, key, now)
            if first:
                await conversations.remember(tx, conversation, now)
                if conversation.channel_id and not conversation.opens_thread:
                    await conversations.remember(tx, conversation.channel, now)
        with counted_commits() as commits:
            try:
                yield first
            except BaseException:
                if key and first and not commits.count:
                    with suppress(DBAPIError):
                        async with database.write() as tx:
                            await received_activities.release(tx, key)
                raise

    async def removed(self, conversation: ConversationReference, activity_id: str) -> None:
        context = self._context
        async with context.database.write() as tx:
            now = context.clock()
            key = received_activities.key(conversation, activity_id)
            if activity_id and not await received_activities.claim(tx, key, now):
                return
            gone = await conversations.removed(tx, conversation, now)
            undeliverable = await posts.live_in(tx, conversation.tenant_id, gone)
            for post in undeliverable:
                await context.notifications.dead_letter(tx, post, now)
        log.info(
            "conversation.removed",
            conversation=conversation.kind.value,
            dead_letters=len(undeliverable),
        )
        context.changed()

    async def installed(self, conversation: ConversationReference, sender: Sender) -> None:
        rendered = static.welcome(self._context.words)
        await show(self._context, conversation, rendered.card, rendered.summary)

    async def message(self, message: IncomingMessage) -> None:
        context = self._context
        turn = await turn_of(
            context, message.sender, message.conversation, mentions=message.mentions
        )
        for file in message.files:
            await intake.take_file(context, turn, file, message.timezone)
        if message.unreachable_files:
            sentence = "file-no-table" if turn.personal else "file-only-personal"
            if not context.rules.chat_files:
                sentence = "file-no-files"
            await say(context, message.conversation, context.words(sentence))
        if message.files or message.unreachable_files:
            return
        if roster.looks_like_csv(message.text):
            await intake.take_text(context, turn, message.text, message.timezone)
            return
        await self._command(turn, message.text)

    async def _command(self, turn: Turn, text: str) -> None:
        word, argument = [*text.split(maxsplit=1), "", ""][:2]
        command = COMMANDS.get(word.lower())
        if command is None:
            await text_commands.unknown(self._context, turn, text.strip())
            return
        log.info("command.received", word=word.lower(), conversation=turn.conversation.kind.value)
        await command(self._context, turn, argument.strip())

    async def action(self, action: CardAction, *, repeated: bool = False) -> Answer:
        context = self._context
        inputs = Inputs(action.data)
        turn = await turn_of(
            context, action.sender, action.conversation, action.proof, action.timezone
        )
        if action.verb in _WITHOUT_REQUEST:
            verb = Verb(action.verb)
            return await stand_in.click(context, turn, verb, inputs, repeated=repeated)
        async with context.database.read() as tx:
            request = await requests.load(tx, inputs.text("request", 16))
            card = await posts.find(tx, action.conversation.conversation_id, action.activity_id)
        if request is None:
            sees = may_see_all(turn.policy, turn.actor)
            if sees.answer is Ruling.CANNOT_TELL:  # as for a request that there is
                return TextAnswer(denial(context, sees))
            return TextAnswer(context.words("denied-no-such-request"))
        if card is not None and (card.request_id != request.id or not card.kind):
            card = None  # the button is not on the message that the client named
        turn = await about_request(context, turn, request)
        facts = await facts_for_sight(context, turn, request)
        if not (decision := may_see(turn.policy, turn.actor, facts)).allowed:
            # Where the card is posted, a button says why it is not for this person.
            explains = card is not None and _has_role(turn) and action.verb in _EXPLAINING
            # Teams asks for the version of whoever looks at a posted card: one that tells nothing more.
            explains |= card is not None and _refreshes_approval(action.verb, card, request)
            if not explains or request.tenant_id != turn.actor.tenant_id:
                if action.verb in CLICK_HANDLERS and not repeated:
                    await audit_decision(context, turn, action.verb, decision, request)
                return TextAnswer(denial(context, decision))
        if action.verb not in set(Verb):
            return TextAnswer(context.words("unknown-action", request=request.id))
        log.info("action.received", verb=action.verb, request=request.id, repeated=repeated)
        return await self._click(turn, request, Verb(action.verb), card, inputs, repeated=repeated)

    async def _click(
        self,
        turn: Turn,
        request: Request,
        verb: Verb,
        card: Post | None,
        inputs: Inputs,
        *,
        repeated: bool,
    ) -> Answer:
        view = View(
            panel=Panel(card.panel) if card else Panel.NONE,
            page=card.page if card else 1,
            batch_id=card.batch_id if card else inputs.number("batch", 0, largest=LARGEST_ID),
            mend_id=card.mend_id if card else inputs.number("mend", 0, largest=LARGEST_ID),
            for_approvers=turn.sees_others,
            limited=turn.limited,
        )
        viewer = await status.viewer_of(self._context, turn, request)
        kind = CardKind(card.kind) if card else status.kind_for(turn, request)
        if verb in CLICK_HANDLERS:
            handler, kind_of_button = CLICK_HANDLERS[verb]
            if not repeated:
                answer = await handler(self._context, turn, request, inputs)
                if not isinstance(answer, ShowCard):
                    return answer
                view = replace(view, changed=answer.changed)
            if card is None:
                kind = kind_of_button
        elif verb is Verb.PAGE and not repeated:
            view = await status.turn_page(self._context, turn, request, card, inputs)
        return await self._card(request.id, kind, replace(view, viewer=viewer))

    async def _card(self, request_id: str, kind: CardKind, view: View) -> Answer:
        async with self._context.database.read() as tx:
            projected = await self._context.projection.card(tx, request_id, kind, view)
        if projected is None or projected.message.card is None:
            return TextAnswer(self._context.words("denied-no-such-request"))
        return CardAnswer(projected.message.card)

    async def signed_in(
        self, sender: Sender, conversation: ConversationReference, proof: Proof
    ) -> Answer:
        turn = await turn_of(self._context, sender, conversation, proof)
        return await delegation.signed_in(self._context, turn)

    async def consent(self, consent: FileConsent) -> None:
        turn = await turn_of(self._context, consent.sender, consent.conversation)
        await export.consented(self._context, turn, consent)

    async def fault(self, conversation: ConversationReference, reference: str) -> None:
        await say(self._context, conversation, self.fault_text(reference))

    def fault_text(self, reference: str) -> str:
        return self._context.words("fault", reference=reference)
