"""The command `checks`: whether Offhook is set up correctly, for approvers."""

from __future__ import annotations

from bot.commands import delegation
from bot.commands.chat import TextAnswer
from bot.commands.context import Context, Turn, denial, say, show
from bot.identity.delegations import ApproverTokens
from bot.signin.policy.evaluator import may_run_checks
from cards.checks import checks as card


async def checks(context: Context, turn: Turn, _argument: str) -> None:
    """Says at once that it has begun: remote services that do not answer take their time."""
    decision = may_run_checks(turn.policy, turn.actor)
    if not decision.allowed:
        await say(context, turn.conversation, denial(context, decision))
        return
    await say(context, turn.conversation, context.words("checks-begun"))
    tokens: ApproverTokens | None = None
    if context.delegations is not None:
        outcome = await context.delegations.acquire(
            delegation.principal(turn), turn.proof, step_up=False
        )
        if isinstance(outcome, ApproverTokens):
            tokens = outcome
        elif isinstance(failure := delegation.answer(context, outcome), TextAnswer):
            # Why their own access cannot be used, such as a missing role.
            await say(context, turn.conversation, failure.text)
    findings = await context.run_checks(tokens)
    rendered = card(context.words, findings)
    await show(context, turn.conversation, rendered.card, rendered.summary)
