"""The command `history`, and the lists of requests in chat."""

from __future__ import annotations

from bot.commands.context import Context, Turn, say, show
from bot.signin.policy.decision import Ruling
from bot.signin.policy.evaluator import may_see_all
from bot.signin.request import TERMINAL_REQUEST_STATES, RequestState
from bot.store import audit, snapshots
from cards import static

OPEN_STATES = (RequestState.DRAFT, RequestState.WAITING, RequestState.RUNNING)


async def history(context: Context, turn: Turn, _argument: str) -> None:
    """The newest requests: one's own, or for approvers and auditors all of the tenant's."""
    await list_requests(context, turn, states=(*OPEN_STATES, *TERMINAL_REQUEST_STATES))


async def list_requests(context: Context, turn: Turn, *, states: tuple[RequestState, ...]) -> None:
    """Show the newest requests in these states."""
    sees_all = may_see_all(turn.policy, turn.actor)
    if sees_all.answer is Ruling.CANNOT_TELL:
        await say(context, turn.conversation, context.words("history-own-only"))
    requester_id = None if sees_all.allowed else turn.actor.person.object_id
    async with context.database.read() as tx:
        lines = await snapshots.history(
            tx, turn.conversation.tenant_id, requester_id=requester_id, states=states
        )
    if states == OPEN_STATES:
        rendered = static.status_list(context.words, lines)
    else:
        rendered = static.history(context.words, lines)
    async with context.database.write() as tx:
        await audit.record(
            tx,
            None,
            "list read",
            context.clock(),
            turn.actor.person,
            what="status" if states == OPEN_STATES else "history",
            tenant=turn.conversation.tenant_id,
            requests=[line.id for line in lines],
        )
    await show(context, turn.conversation, rendered.card, rendered.summary)
