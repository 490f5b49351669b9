"""Showing requests: a card's panels and pages, `status`, `history`."""

from __future__ import annotations

from bot.commands.context import Context, Turn, say, show, visible
from bot.commands.inputs import Inputs
from bot.signin.request import TERMINAL_REQUEST_STATES, RequestState
from bot.store import batches, posts, snapshots
from bot.store.posts import NewPost, Post
from bot.store.requests import Request
from cards import static
from cards.types import CardKind, Panel, View

_OPEN = (RequestState.DRAFT, RequestState.WAITING, RequestState.RUNNING)


async def turned(context: Context, post: Post | None, inputs: Inputs) -> View:
    """Turn a card to the panel and page that were asked for; the publisher brings it to everybody."""
    asked = inputs.text("panel", 16)
    panel = Panel(asked) if asked in set(Panel) else Panel.NONE
    page = inputs.number("page", 1)
    if post is not None:
        async with context.database.write() as tx:
            await posts.turn(tx, post.id, panel=panel.value, page=page)
        context.changed()
    return View(panel=panel, page=page, batch=post.batch_id if post else 0)


def kind_for(turn: Turn, request: Request) -> CardKind:
    """The card that tells this person most about a request as it stands."""
    if request.state is RequestState.RUNNING:
        return CardKind.PROGRESS
    if request.state in (RequestState.FINISHED, RequestState.CANCELLED):
        return CardKind.RESULTS
    mine = turn.actor.person.object_id == request.requester.object_id
    if request.state is RequestState.WAITING and not mine and turn.actor.may_approve:
        return CardKind.APPROVAL
    return CardKind.VALIDATION


async def status(context: Context, turn: Turn, argument: str) -> None:
    """One request as a live card, to an approver with what has to be answered; or what is open."""
    if not argument:
        await _list(context, turn, states=_OPEN)
        return
    request = await visible(context, turn, argument)
    if request is None:
        await say(context, turn.place, context.words("no-such-request", request=argument[:40]))
        return
    place, now = turn.place, context.clock()
    async with context.database.write() as tx:
        asked = await batches.needing_person(tx, request.id) if turn.actor.may_approve else ()
        cards = [
            (kind_for(turn, request), 0),
            *((CardKind.RECONCILIATION, batch) for batch in asked),
        ]
        for kind, batch in cards:
            new = NewPost(place.tenant_id, place.conversation_id, kind.value, request.id, batch)
            await posts.add(tx, new, now)
    context.changed()


async def history(context: Context, turn: Turn, argument: str) -> None:
    """The newest requests: one's own, or all of the tenant's for an approver."""
    await _list(context, turn, states=(*_OPEN, *TERMINAL_REQUEST_STATES))


async def _list(context: Context, turn: Turn, *, states: tuple[RequestState, ...]) -> None:
    own = None if turn.actor.may_approve else turn.actor.person.object_id
    async with context.database.read() as tx:
        lines = await snapshots.history(tx, turn.place.tenant_id, requester_id=own, states=states)
    if states == _OPEN:
        rendered = static.status_list(context.words, lines)
    else:
        rendered = static.history(context.words, lines)
    await show(context, turn.place, rendered.card, rendered.summary)
