"""A request that has started, and waits for a change window to go on."""

from __future__ import annotations

from microsoft_teams.cards.core import CardElement

from cards.context import CardContext, Headline
from cards.elements import bold, callout, text, timestamp
from cards.status import tally_arguments


def headline(context: CardContext) -> Headline | None:
    """None unless the request is paused."""
    snapshot = context.snapshot
    if snapshot.pause is None:
        return None
    return Headline("progress-paused", tally_arguments(snapshot.phones_by_status))


def callouts(context: CardContext) -> list[CardElement]:
    """Why nothing more is sent, until when, and what people can do. Empty unless it is paused."""
    snapshot = context.snapshot
    if snapshot.pause is None:
        return []
    tally, opens_at = snapshot.phones_by_status, snapshot.pause.opens_at
    goes_on = (
        context.message("paused-until", when=timestamp(opens_at))
        if opens_at
        else context.words("paused-never")
    )
    sentences = [bold(context.message("paused-why", pending=tally.pending)), text(goes_on)]
    asked = snapshot.delegation_wanted_since is not None  # the next callout says so
    if context.runs_as_approver and opens_at and not asked:
        sentences.append(text(context.words("paused-sign-in")))
    if tally.in_progress:
        sentences.append(text(context.message("paused-under-way", phones=tally.in_progress)))
    return [callout([*sentences, text(context.words("paused-cancel"))], "warning")]
