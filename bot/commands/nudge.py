"""Remind the approvers of one's waiting request: by a click, or by the command `nudge <id>`."""

from __future__ import annotations

from bot.commands.context import (
    SHOW_CARD,
    ClickAnswer,
    Context,
    Turn,
    audit_decision,
    denial,
    denied_click,
    say,
    visible_or_say,
)
from bot.commands.inputs import Inputs
from bot.lifecycle import urgency
from bot.signin.policy.evaluator import may_nudge
from bot.store.requests import Request
from cards.types import Verb


async def nudge(context: Context, turn: Turn, request: Request, _: Inputs) -> ClickAnswer:
    decision = may_nudge(turn.policy, turn.actor, request.facts, now=context.clock())
    if not decision.allowed:
        return await denied_click(context, turn, Verb.NUDGE, request, decision)
    await _nudge(context, turn, request)
    return SHOW_CARD


async def command(context: Context, turn: Turn, argument: str) -> None:
    request = await visible_or_say(context, turn, argument, change="nudge")
    if request is None:
        return
    decision = may_nudge(turn.policy, turn.actor, request.facts, now=context.clock())
    if not decision.allowed:
        await audit_decision(context, turn, "nudge", decision, request)
        await say(context, turn.conversation, denial(context, decision))
        return
    sentence = "nudge-sent" if await _nudge(context, turn, request) else "denied-nudged"
    await say(context, turn.conversation, context.words(sentence, request=request.id))


async def _nudge(context: Context, turn: Turn, request: Request) -> bool:
    async with context.database.write() as tx:
        nudged = await urgency.nudge(
            tx, context.notifications, request, actor=turn.actor.person, now=context.clock()
        )
    context.changed()
    return nudged
