"""What Entra ID's sign-in log shows of the phones, beside what the SIP Gateway said."""

from __future__ import annotations

from microsoft_teams.cards.core import CardElement

from bot.signin.sighting import Sighting, SightingState
from cards.context import CardContext
from cards.elements import text, timestamp


def summary(context: CardContext) -> list[CardElement]:
    """How many phones were seen, or why none can be. Empty if none is looked for."""
    sightings = context.snapshot.sightings
    if sightings is None:
        return []
    if sightings.gap and not sightings.pending and not sightings.seen:
        return [text(context.words(f"sightings-gap-{sightings.gap}"), spacing="Small")]
    counted = context.message(
        "sightings-counted",
        phones=sightings.phones,
        seen=sightings.seen,
        left=sightings.phones - sightings.seen,
        pending=int(sightings.pending),
    )
    elements: list[CardElement] = [text(counted, spacing="Small")]
    if sightings.gap and not sightings.pending:
        elements.append(text(context.words(f"sightings-gap-{sightings.gap}"), spacing="Small"))
    if sightings.newest_failure is not None:
        failing = context.message("sightings-failing", phones=sightings.failing)
        elements.append(
            text(f"{failing} {_failure(context, sightings.newest_failure)}", spacing="Small")
        )
    return elements


def of_phone(context: CardContext, sighting: Sighting | None) -> list[CardElement]:
    """One line for a phone in a list. Empty if it is not looked for."""
    if sighting is None:
        return []
    if sighting.state is SightingState.SEEN and sighting.at is not None:
        line = context.message("sighting-seen", at=timestamp(sighting.at))
    elif sighting.state is SightingState.FAILING:
        line = _failure(context, sighting)
    else:
        line = context.words(f"sighting-{sighting.state.value}")
    return [text(line, subtle=True, spacing="Small")]


def _failure(context: CardContext, sighting: Sighting) -> str:
    at = timestamp(sighting.at) if sighting.at else ""
    failed = context.message("sighting-failing", at=at, code=f"AADSTS{sighting.error}")
    return f"{failed} {context.words(f'sighting-refusal-{sighting.refusal}')}"
