"""An approver decides about a request that new failures of accounts hold: continue without these accounts,
or check again."""

from __future__ import annotations

import structlog

from bot.commands import delegation, scheduling
from bot.commands.context import SHOW_CARD, ClickAnswer, Context, Turn, denied_click, facts_of
from bot.commands.inputs import Inputs
from bot.lifecycle import holds
from bot.signin.policy.evaluator import may_release
from bot.signin.request import Hold
from bot.store.requests import Request
from cards.types import Verb

log = structlog.get_logger()


async def continue_without(
    context: Context, turn: Turn, request: Request, inputs: Inputs
) -> ClickAnswer:
    """Start the request without the phones of the accounts that the clicked card names."""
    if answer := await _refused(context, turn, Verb.CONTINUE_WITHOUT, request, inputs):
        return answer
    async with context.database.write() as tx:
        started = await holds.continue_without(
            tx,
            context.notifications,
            request,
            context.words,
            actor=turn.actor.person,
            now=context.clock(),
            digests=context.digests,
        )
    if started:
        log.info("request.released", request=request.id, approver=turn.actor.person.object_id)
    context.changed()
    return SHOW_CARD


async def check_accounts(
    context: Context, turn: Turn, request: Request, inputs: Inputs
) -> ClickAnswer:
    """Check the accounts once more, for instance since somebody has mended them."""
    if answer := await _refused(context, turn, Verb.CHECK_ACCOUNTS, request, inputs):
        return answer
    async with context.database.write() as tx:
        await holds.check_again(tx, request, actor=turn.actor.person, now=context.clock())
    context.changed()
    return SHOW_CARD


async def _refused(
    context: Context, turn: Turn, verb: Verb, request: Request, inputs: Inputs
) -> ClickAnswer | None:
    """The answer if the click has no effect: it is denied, it came too late, the policy in force wants more
    approvals, change windows or a freeze let nothing start now, or a sign-in comes first."""
    facts = await facts_of(context, turn, request)
    decision = may_release(turn.policy, turn.actor, facts)
    if not decision.allowed:
        return await denied_click(context, turn, verb, request, decision)
    # A card from before the latest check may name other accounts.
    outdated = inputs.number("version", 0) < request.hold_version
    if request.hold is not Hold.HELD or outdated:
        return SHOW_CARD
    if answer := await scheduling.lacks_votes(context, turn, verb, request, facts):
        return answer
    if answer := await scheduling.outside_window(context, turn, verb, request, context.clock()):
        return answer
    return await delegation.renew(context, turn, verb, request)
