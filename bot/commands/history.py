"""The command `history`, and the lists of requests in chat."""

from __future__ import annotations

from bot.commands.context import Context, Turn, say, show
from bot.lifecycle import looks
from bot.signin.history import NO_FILTER, HistoryFilter, Unreadable, parse
from bot.signin.policy.decision import Ruling
from bot.signin.policy.sight import sight
from bot.signin.request import TERMINAL_REQUEST_STATES, RequestState
from bot.store.history import find
from cards import static

OPEN_STATES = (RequestState.DRAFT, RequestState.WAITING, RequestState.RUNNING)


async def history(context: Context, turn: Turn, argument: str) -> None:
    """The newest requests that meet the filters in `argument`: one's own, or for approvers and auditors all
    of the tenant's."""
    asked = parse(argument, context.clock(), me=turn.actor.person.object_id)
    if isinstance(asked, Unreadable):
        problem = context.words(f"history-problem-{asked.problem.value}", text=asked.text[:40])
        how = context.words("history-how")
        await say(context, turn.conversation, f"{problem} {how}")
        return
    states = (*OPEN_STATES, *TERMINAL_REQUEST_STATES)
    await list_requests(context, turn, states=states, asked=asked)


async def list_requests(
    context: Context,
    turn: Turn,
    *,
    states: tuple[RequestState, ...],
    asked: HistoryFilter = NO_FILTER,
) -> None:
    """Show the newest requests in these states that meet the filter."""
    seen = sight(turn.policy, turn.actor)
    if seen.decision.answer is Ruling.CANNOT_TELL:
        await say(context, turn.conversation, context.words("history-own-only"))
    requester_id = None if seen.everything else turn.actor.person.object_id
    async with context.database.read() as tx:
        found = await find(
            tx,
            turn.conversation.tenant_id,
            asked,
            requester_id=requester_id,
            others=seen.ways if seen.decision.allowed else (),
            states=states,
        )
    if states == OPEN_STATES:
        rendered = static.status_list(context.words, found.lines)
    else:
        rendered = static.history(context.words, found, asked)
    async with context.database.write() as tx:
        await looks.record_list(
            tx,
            actor=turn.actor.person,
            now=context.clock(),
            own_only=not seen.decision.allowed,
            what="status" if states == OPEN_STATES else "history",
            tenant=turn.conversation.tenant_id,
            requests=[line.id for line in found.lines],
            **({"asked": str(asked)} if asked else {}),
        )
    await show(context, turn.conversation, rendered.card, rendered.summary)
