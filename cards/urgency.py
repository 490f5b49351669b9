"""What cards show of reminders by the requester, and of an escalation."""

from __future__ import annotations

from microsoft_teams.cards.core import Action, CardElement

from cards.context import CardContext
from cards.elements import text, timestamp
from cards.types import Verb


def lines(context: CardContext) -> list[CardElement]:
    """On cards of a waiting request: whether it is escalated, and when its requester reminded last."""
    snapshot = context.snapshot
    found: list[CardElement] = []
    if snapshot.escalated_at:
        when = timestamp(snapshot.escalated_at)
        found.append(text(context.message("escalated", when=when)))
    if snapshot.nudged_at:
        when = timestamp(snapshot.nudged_at)
        found.append(text(context.message("nudged", when=when), subtle=True))
    return found


def nudge_button(context: CardContext) -> Action:
    return context.execute_action(Verb.NUDGE, context.words("button-nudge"))
