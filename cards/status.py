"""Where a request stands: its state in words, and who did what when."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from microsoft_teams.cards.core import ContainerStyle, TextBlock

from bot.signin.request import RequestState
from bot.signin.snapshot import RequestSnapshot, Tally
from bot.words import Words
from cards.context import CardContext, Verdict
from cards.elements import SIGNS, moment, text

NOTHING_RAN = frozenset({RequestState.REJECTED, RequestState.EXPIRED, RequestState.WITHDRAWN})
APPROVED = frozenset({RequestState.RUNNING, RequestState.FINISHED, RequestState.CANCELLED})
OVER = frozenset({RequestState.FINISHED, RequestState.CANCELLED})

_TONES: Mapping[RequestState, ContainerStyle] = MappingProxyType(
    {
        RequestState.DRAFT: "default",
        RequestState.WAITING: "accent",
        RequestState.RUNNING: "accent",
        RequestState.FINISHED: "good",
        RequestState.REJECTED: "attention",
        RequestState.EXPIRED: "emphasis",
        RequestState.CANCELLED: "warning",
        RequestState.WITHDRAWN: "emphasis",
    }
)


def cancelling(snapshot: RequestSnapshot) -> bool:
    return snapshot.state is RequestState.RUNNING and snapshot.cancel_asked_at is not None


def tone(snapshot: RequestSnapshot) -> ContainerStyle:
    tally = snapshot.phones_by_status
    if snapshot.state is RequestState.FINISHED and tally.signed_in < tally.total:
        return "warning" if tally.signed_in else "attention"
    return "warning" if cancelling(snapshot) else _TONES[snapshot.state]


def word(context: CardContext) -> str:
    """The state in one or two words."""
    state = "cancelling" if cancelling(context.snapshot) else context.snapshot.state.value
    return context.words(f"state-{state}")


def signed(words: Words, state: RequestState) -> str:
    """The same with its sign, for lists."""
    return f"{SIGNS[_TONES[state]]} {words(f'state-{state.value}')}"


def numbers(tally: Tally) -> dict[str, int]:
    """A tally as arguments of sentences."""
    return {
        "total": tally.total,
        "ended": tally.ended,
        "signed_in": tally.signed_in,
        "failed": tally.failed,
        "not_run": tally.not_run,
        "unconfirmed": tally.unconfirmed,
        "left": tally.total - tally.signed_in,
        "open": tally.total - tally.ended,
    }


def verdict(context: CardContext) -> Verdict:
    """What is true of a request whatever its card was once for."""
    snapshot = context.snapshot
    state = "cancelling" if cancelling(snapshot) else snapshot.state.value
    return Verdict(
        f"standing-{state}",
        {**numbers(snapshot.phones_by_status), "ready": snapshot.roster.ready},
    )


def story(context: CardContext) -> list[TextBlock]:
    """Who did what and when, in order, with what they wrote."""
    snapshot = context.snapshot
    told: list[str] = []
    if snapshot.asked_at:
        told.append(
            context.say(
                "story-asked",
                person=context.name(snapshot.requester),
                when=moment(snapshot.asked_at),
            )
        )
    if snapshot.reason:
        told.append(context.say("story-reason", reason=context.prose(snapshot.reason)))
    told += _decision(context)
    if snapshot.cancel_asked_at:
        told.append(
            context.say(
                "story-cancelled",
                person=context.name(snapshot.cancelled_by),
                when=moment(snapshot.cancel_asked_at),
            )
        )
    told += _end(context)
    return [text(sentence, spacing="Small") for sentence in told]


def _decision(context: CardContext) -> list[str]:
    snapshot = context.snapshot
    if not snapshot.decided_by or not snapshot.decided_at:
        return []
    rejected = snapshot.state is RequestState.REJECTED
    told = [
        context.say(
            "story-rejected" if rejected else "story-approved",
            person=context.name(snapshot.decided_by),
            when=moment(snapshot.decided_at),
        )
    ]
    if snapshot.comment:
        told.append(context.say("story-comment", comment=context.prose(snapshot.comment)))
    return told


def _end(context: CardContext) -> list[str]:
    snapshot = context.snapshot
    if snapshot.state is RequestState.WAITING and snapshot.expires_at:
        return [context.say("story-expires", when=moment(snapshot.expires_at))]
    if not snapshot.finished_at:
        return []
    when = moment(snapshot.finished_at)
    if snapshot.state is RequestState.EXPIRED:
        return [context.say("story-expired", when=when)]
    if snapshot.state is RequestState.WITHDRAWN:
        return [context.say("story-withdrawn", person=context.name(snapshot.requester), when=when)]
    if snapshot.state in OVER:
        return [context.say("story-finished", when=when)]
    return []
