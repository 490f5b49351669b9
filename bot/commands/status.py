"""The command `status`, and turning a card to another panel or page."""

from __future__ import annotations

from bot.commands.context import Context, Turn, visible_or_say
from bot.commands.history import OPEN_STATES, list_requests
from bot.commands.inputs import Inputs
from bot.signin.request import RequestState
from bot.store import batches, posts
from bot.store.posts import NewPost, Post
from bot.store.requests import Request
from cards.types import CardKind, Panel, View


async def turn_page(context: Context, turn: Turn, card: Post | None, inputs: Inputs) -> View:
    """Turn a posted card to the panel and page that a click asks for; the publisher updates it for
    everyone. `card` is None if the client did not say which message was clicked."""
    name = inputs.text("panel", 16)
    panel = Panel(name) if name in set(Panel) else Panel.NONE
    page = inputs.number("page", 1)
    if card is not None:
        async with context.database.write() as tx:
            await posts.turn(tx, card.id, panel=panel.value, page=page)
        context.changed()
    return View(
        panel=panel,
        page=page,
        batch_id=card.batch_id if card else 0,
        mend_id=card.mend_id if card else 0,
        for_approvers=turn.actor.may_approve,
    )


def kind_for(turn: Turn, request: Request) -> CardKind:
    """The card that tells this person most about a request as it stands."""
    if request.state is RequestState.RUNNING:
        return CardKind.PROGRESS
    if request.state in (RequestState.FINISHED, RequestState.CANCELLED):
        return CardKind.RESULTS
    own = turn.actor.person.object_id == request.requester.object_id
    if request.state is RequestState.WAITING and not own and turn.actor.may_approve:
        return CardKind.APPROVAL
    return CardKind.VALIDATION


async def status(context: Context, turn: Turn, argument: str) -> None:
    """One request as a live card, for approvers with what has to be reconciled; or all open ones."""
    if not argument:
        await list_requests(context, turn, states=OPEN_STATES)
        return
    request = await visible_or_say(context, turn, argument)
    if request is None:
        return
    conversation, now = turn.conversation, context.clock()
    async with context.database.write() as tx:
        unsettled = await batches.needing_person(tx, request.id) if turn.actor.may_approve else ()
        cards = [
            (kind_for(turn, request), 0),
            *((CardKind.RECONCILIATION, batch_id) for batch_id in unsettled),
        ]
        for kind, batch_id in cards:
            new = NewPost(
                conversation.tenant_id,
                conversation.conversation_id,
                kind.value,
                request.id,
                batch_id,
            )
            await posts.add(tx, new, now)
    context.changed()
