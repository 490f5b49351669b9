"""The command `status`, and turning a card to another panel or page."""

from __future__ import annotations

from bot.commands.context import Context, Turn, about_request, facts_of, visible_or_say
from bot.commands.history import OPEN_STATES, list_requests
from bot.commands.inputs import Inputs
from bot.lifecycle import looks
from bot.mending.mend import MendState
from bot.signin.listing import ALL, MAX_PREFIX, PhoneFilter, parse
from bot.signin.policy.decision import Ruling
from bot.signin.policy.evaluator import may_break_glass, may_decide, may_release, may_withdraw
from bot.signin.policy.sight import may_see
from bot.signin.request import RequestState
from bot.store import batches, mends, posts, reviews
from bot.store.mends import Mend
from bot.store.posts import NewPost, Post
from bot.store.requests import Request
from cards.types import CardKind, Panel, View, Viewer


async def turn_page(
    context: Context, turn: Turn, request: Request, card: Post | None, inputs: Inputs
) -> View:
    """Turn a posted card to the panel and page that a click asks for; the publisher updates it for
    everyone. An approval card is turned for the one who clicked only: others decide on the same card.
    `card` is None if the client did not say which message was clicked."""
    name = inputs.text("panel", 16)
    panel = Panel(name) if name in set(Panel) else Panel.NONE
    page = inputs.number("page", 1)
    kind = CardKind(card.kind) if card else kind_for(turn, request)
    phones = ALL
    if kind is CardKind.APPROVAL:
        if panel is Panel.PHONES:
            prefix = inputs.text("prefix", MAX_PREFIX)
            phones = parse(inputs.text("filter", 16), prefix)
            await _record_look(context, turn, request, phones)
    elif card is not None:
        async with context.database.write() as tx:
            await posts.turn(tx, card.id, panel=panel.value, page=page)
        context.changed()
    return View(
        panel=panel,
        page=page,
        batch_id=card.batch_id if card else 0,
        mend_id=card.mend_id if card else 0,
        for_approvers=turn.sees_others,
        limited=turn.limited,
        phone_filter=phones,
    )


async def _record_look(context: Context, turn: Turn, request: Request, phones: PhoneFilter) -> None:
    """Reads first: most pages are of a list that this approver has looked at before."""
    actor = turn.actor.person
    if not turn.sees_others or request.state is not RequestState.WAITING:
        return
    async with context.database.read() as tx:
        new = await looks.is_new(tx, request, phones, actor=actor)
    if new:
        async with context.database.write() as tx:
            await looks.record(tx, request, phones, actor=actor, now=context.clock())


async def viewer_of(context: Context, turn: Turn, request: Request) -> Viewer:
    """What the one who is shown a card may do."""
    policy, actor = turn.policy, turn.actor
    facts, now = await facts_of(context, turn, request), context.clock()
    return Viewer(
        sees=may_see(policy, actor, facts).allowed,
        decides=may_decide(policy, actor, facts, now=now).allowed,
        withdraws=may_withdraw(policy, actor, facts).allowed,
        # Whoever it cannot be told of is told so at the click.
        releases=may_release(policy, actor, facts).answer is not Ruling.NO,
        breaks_glass=may_break_glass(policy, turn.own, facts, now=now).allowed,
    )


def kind_for(turn: Turn, request: Request) -> CardKind:
    """The card that tells this person most about a request as it stands."""
    if request.state is RequestState.RUNNING:
        return CardKind.PROGRESS
    if request.state in (RequestState.FINISHED, RequestState.CANCELLED):
        return CardKind.RESULTS
    own = turn.actor.person.object_id == request.requester.object_id
    if request.state is RequestState.WAITING and not own and turn.approves:
        return CardKind.APPROVAL
    return CardKind.VALIDATION


def mend_kind_for(turn: Turn, mend: Mend) -> CardKind | None:
    """The card of a mend for this person; None for somebody else's draft."""
    own = turn.actor.person.object_id == mend.requester.object_id
    if mend.state is MendState.DRAFT:
        return CardKind.MEND if own else None
    decides = turn.approves and not (own and turn.policy.four_eyes)
    return CardKind.MEND_APPROVAL if decides else CardKind.MEND


async def status(context: Context, turn: Turn, argument: str) -> None:
    """One request as a live card, with its latest mend, and for approvers with what has to be reconciled or
    reviewed; or all open ones.
    """
    if not argument:
        await list_requests(context, turn, states=OPEN_STATES)
        return
    request = await visible_or_say(context, turn, argument)
    if request is None:
        return
    turn = await about_request(context, turn, request)
    conversation, now = turn.conversation, context.clock()
    async with context.database.write() as tx:
        unsettled = await batches.needing_person(tx, request.id) if turn.approves else ()
        mend = await mends.latest_of_request(tx, request.id)
        review = await reviews.load(tx, request.id) if turn.approves else None
        mend_kind = mend_kind_for(turn, mend) if mend else None
        cards = [
            (kind_for(turn, request), 0, 0),
            *((CardKind.RECONCILIATION, batch_id, 0) for batch_id in unsettled),
            *([(mend_kind, 0, mend.id)] if mend and mend_kind else []),
            *([(CardKind.REVIEW, 0, 0)] if review and review.reviewed_at is None else []),
        ]
        for kind, batch_id, mend_id in cards:
            new = NewPost(
                conversation.tenant_id,
                conversation.conversation_id,
                kind.value,
                request.id,
                batch_id,
                mend_id=mend_id,
            )
            await posts.add(tx, new, now)
    context.changed()
