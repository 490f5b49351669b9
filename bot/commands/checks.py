"""The command `checks`: how the set-up is, for those who may approve."""

from __future__ import annotations

from bot.commands import delegation
from bot.commands.chat import TextAnswer
from bot.commands.context import Context, Turn, denial, say, show
from bot.identity.delegations import ApproverTokens
from bot.signin.policy import Denied, may_run_checks
from cards.checks import checks as card


async def checks(context: Context, turn: Turn, argument: str) -> None:
    """Says at once that it has begun: far sides that do not answer take their time."""
    decision = may_run_checks(turn.actor)
    if isinstance(decision, Denied):
        await say(context, turn.place, denial(context, decision))
        return
    await say(context, turn.place, context.words("checks-begun"))
    signed_in = await delegation.taken(context, turn)
    if isinstance(
        signed_in, TextAnswer
    ):  # why no sign-in of theirs can be used, such as a missing role
        await say(context, turn.place, signed_in.text)
    findings = await context.examine(signed_in if isinstance(signed_in, ApproverTokens) else None)
    rendered = card(context.words, findings)
    await show(context, turn.place, rendered.card, rendered.summary)
