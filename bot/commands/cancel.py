"""Cancel a running request: by a click, or by the command `cancel <id>`."""

from __future__ import annotations

from bot.commands.context import (
    SHOW_CARD,
    ClickAnswer,
    Context,
    Turn,
    about_request,
    audit_decision,
    denial,
    denied_click,
    facts_of,
    say,
    visible_or_say,
)
from bot.commands.inputs import Inputs
from bot.lifecycle import requests as lifecycle
from bot.signin.policy.evaluator import may_cancel
from bot.store.requests import Request
from cards.types import Verb


async def cancel(context: Context, turn: Turn, request: Request, _: Inputs) -> ClickAnswer:
    """Stop what has not been sent yet."""
    decision = may_cancel(turn.policy, turn.actor, await facts_of(context, turn, request))
    if not decision.allowed:
        return await denied_click(context, turn, Verb.CANCEL, request, decision)
    await _cancel(context, turn, request)
    return SHOW_CARD


async def command(context: Context, turn: Turn, argument: str) -> None:
    request = await visible_or_say(context, turn, argument, change="cancel")
    if request is None:
        return
    turn = await about_request(context, turn, request)
    decision = may_cancel(turn.policy, turn.actor, await facts_of(context, turn, request))
    if not decision.allowed:
        await audit_decision(context, turn, "cancel", decision, request)
        await say(context, turn.conversation, denial(context, decision))
        return
    await _cancel(context, turn, request)
    await say(context, turn.conversation, context.words("cancel-asked", request=request.id))


async def _cancel(context: Context, turn: Turn, request: Request) -> None:
    async with context.database.write() as tx:
        await lifecycle.cancel(
            tx, context.notifications, request, actor=turn.actor.person, now=context.clock()
        )
    context.changed()
