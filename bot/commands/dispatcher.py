"""The desk: takes what comes in from chat to the command that answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

import structlog

from bot.commands import (
    approval,
    checks,
    delegation,
    export,
    intake,
    running,
    status,
    text_commands,
)
from bot.commands.chat import (
    Answer,
    CardAction,
    CardAnswer,
    FileConsent,
    IncomingMessage,
    Place,
    Sender,
    TextAnswer,
)
from bot.commands.context import Context, Turn, denial, say, show, turn_of
from bot.commands.inputs import Inputs
from bot.identity.delegations import ApproverTokens, Proof
from bot.phones import roster
from bot.signin.policy import Denied, may_see
from bot.store import posts, requests
from bot.store.posts import Conversation, Post
from bot.store.requests import Request
from cards import static
from cards.types import CardKind, Panel, Verb, View

log = structlog.get_logger()

Order = Callable[[Context, Turn, str], Awaitable[None]]
Handler = Callable[[Context, Turn, Request, Inputs], Awaitable[Answer | str | None]]

ORDERS: Mapping[str, Order] = MappingProxyType(
    {
        "help": text_commands.show_help,
        "template": text_commands.template,
        "urls": text_commands.urls,
        "status": status.status,
        "history": status.history,
        "cancel": text_commands.cancel,
        "retry": text_commands.retry,
        "checks": checks.checks,
        "whoami": text_commands.whoami,
    }
)

# What answers a click, and the card on which the button is: that one is shown if the client did not
# say which message was clicked.
HANDLERS: Mapping[Verb, tuple[Handler, CardKind]] = MappingProxyType(
    {
        Verb.REQUEST_APPROVAL: (approval.request_approval, CardKind.VALIDATION),
        Verb.WITHDRAW: (approval.withdraw, CardKind.VALIDATION),
        Verb.APPROVE: (approval.approve, CardKind.APPROVAL),
        Verb.REJECT: (approval.reject, CardKind.APPROVAL),
        Verb.CANCEL: (running.cancel, CardKind.PROGRESS),
        Verb.SIGN_IN: (delegation.sign_in, CardKind.PROGRESS),
        Verb.RETRY_FAILED: (running.retry_failed, CardKind.RESULTS),
        Verb.RECONCILE: (running.reconcile, CardKind.RECONCILIATION),
        Verb.EXPORT: (export.export, CardKind.RESULTS),
    }
)


class Dispatcher:
    """Implements `bot.commands.chat.Chat`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def seen(self, place: Place) -> None:
        async with self._context.database.write() as tx:
            await posts.remember(
                tx,
                Conversation(
                    place.conversation_id, place.tenant_id, place.kind.value, place.reference
                ),
                self._context.clock(),
            )

    async def installed(self, place: Place, sender: Sender) -> None:
        rendered = static.welcome(self._context.words)
        await show(self._context, place, rendered.card, rendered.summary)

    async def message(self, message: IncomingMessage) -> None:
        turn = await turn_of(self._context, message.sender, message.place)
        for file in message.files:
            await intake.take_file(self._context, turn, file)
        if message.unreachable_files:
            told = "file-no-table" if turn.personal else "file-only-personal"
            await say(self._context, message.place, self._context.words(told))
        if message.files or message.unreachable_files:
            return
        if roster.looks_like_csv(message.text):
            await intake.take_text(self._context, turn, message.text)
            return
        await self._order(turn, message.text)

    async def _order(self, turn: Turn, text: str) -> None:
        word, argument = [*text.split(maxsplit=1), "", ""][:2]
        order = ORDERS.get(word.lower())
        if order is None:
            await text_commands.unknown(self._context, turn, text.strip())
            return
        log.info("order", word=word.lower(), conversation=turn.place.kind.value)
        await order(self._context, turn, argument.strip())

    async def action(self, action: CardAction) -> Answer:
        context = self._context
        turn = await turn_of(context, action.sender, action.place, action.proof)
        inputs = Inputs(action.data)
        async with context.database.read() as tx:
            request = await requests.load(tx, inputs.text("request", 16))
            post = await posts.find(tx, action.place.conversation_id, action.activity_id)
        if post is not None and (request is None or post.request_id != request.id or not post.kind):
            post = None  # the button is not one of the message that is named
        if request is None:
            return TextAnswer(context.words("denied-no-such-request"))
        if isinstance(decision := may_see(turn.actor, request.facts), Denied):
            return TextAnswer(denial(context, decision))
        if action.verb not in set(Verb):
            return TextAnswer(context.words("unknown-action"))
        verb = Verb(action.verb)
        log.info("action", verb=verb.value, request=request.id)
        kind = self._kind(post, request, turn, verb)
        shown = View(
            panel=Panel(post.panel) if post else Panel.NONE,
            page=post.page if post else 1,
            batch=post.batch_id if post else inputs.number("batch", 0),
        )
        if verb in HANDLERS:
            handler, _ = HANDLERS[verb]
            said = await handler(context, turn, request, inputs)
            if said is not None:
                return TextAnswer(said) if isinstance(said, str) else said
        elif verb is Verb.PAGE:
            shown = await status.turned(context, post, inputs)
        return await self._card(request.id, kind, shown)

    @staticmethod
    def _kind(post: Post | None, request: Request, turn: Turn, verb: Verb) -> CardKind:
        if post is not None:
            return CardKind(post.kind)
        if verb in HANDLERS:
            return HANDLERS[verb][1]
        return status.kind_for(turn, request)

    async def _card(self, request_id: str, kind: CardKind, shown: View) -> Answer:
        async with self._context.database.read() as tx:
            projected = await self._context.projection.card(tx, request_id, kind, shown)
        if projected is None or projected.message.card is None:
            return TextAnswer(self._context.words("denied-no-such-request"))
        return CardAnswer(projected.message.card)

    async def signed_in(self, sender: Sender, place: Place, proof: Proof) -> Answer | None:
        context = self._context
        outcome, first = await delegation.signed_in(
            context, await turn_of(context, sender, place, proof)
        )
        if outcome is None or isinstance(outcome, ApproverTokens):
            if outcome is not None and first:
                await say(context, place, context.words("sign-in-done"))
            return None
        answer = delegation.told(context, outcome)
        if first and isinstance(answer, TextAnswer):
            await say(context, place, answer.text)
        return answer

    async def consent(self, consent: FileConsent) -> None:
        turn = await turn_of(self._context, consent.sender, consent.place)
        await export.consented(self._context, turn, consent)

    async def fault(self, place: Place, reference: str) -> None:
        await say(self._context, place, self.fault_text(reference))

    def fault_text(self, reference: str) -> str:
        return self._context.words("fault", reference=reference)
