"""The status of a request: its state in words, and the timeline of who did what when."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from microsoft_teams.cards.core import ContainerStyle, TextBlock

from bot.signin.request import Hold, RequestState
from bot.signin.snapshot import HistoryLine, RequestSnapshot, Tally
from bot.words import Words
from cards import break_glass, schedule
from cards.context import CardContext, Headline
from cards.elements import SYMBOLS, text, timestamp

NEVER_RAN_STATES = frozenset({RequestState.REJECTED, RequestState.EXPIRED, RequestState.WITHDRAWN})
APPROVED_STATES = frozenset({RequestState.RUNNING, RequestState.FINISHED, RequestState.CANCELLED})
#: States with final results
RESULT_STATES = frozenset({RequestState.FINISHED, RequestState.CANCELLED})

_STYLES: Mapping[RequestState, ContainerStyle] = MappingProxyType(
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


def cancellation_requested(snapshot: RequestSnapshot) -> bool:
    """Returns True while a canceled request still runs the phones already sent."""
    return snapshot.state is RequestState.RUNNING and snapshot.cancel_asked_at is not None


def held(snapshot: RequestSnapshot) -> bool:
    """Returns True while new failures of accounts hold an approved request."""
    return snapshot.hold is not None and snapshot.hold.state is Hold.HELD


def style(snapshot: RequestSnapshot) -> ContainerStyle:
    """The style of a request's state, worse if it finished with phones not signed in."""
    tally = snapshot.phones_by_status
    if snapshot.state is RequestState.FINISHED and tally.signed_in < tally.total:
        return "warning" if tally.signed_in else "attention"
    if held(snapshot) or snapshot.missed:
        return "attention"
    waits = cancellation_requested(snapshot) or snapshot.pause
    return "warning" if waits else _STYLES[snapshot.state]


def state_label(context: CardContext) -> str:
    """The state in one or two words."""
    if held(context.snapshot):
        return context.words("state-held")
    return context.words(f"state-{_state_key(context.snapshot)}")


def state_label_with_symbol(words: Words, line: HistoryLine) -> str:
    """The state with its symbol, for lists."""
    if line.missed:
        return f"{SYMBOLS['attention']} {words('state-missed')}"
    if line.paused:
        return f"{SYMBOLS['warning']} {words('state-paused')}"
    key = "scheduled" if line.run_at else line.state.value
    return f"{SYMBOLS[_STYLES[line.state]]} {words(f'state-{key}')}"


def _state_key(snapshot: RequestSnapshot) -> str:
    if snapshot.missed:
        return "missed"
    if snapshot.scheduled:
        return "scheduled"
    if snapshot.pause:
        return "paused"
    return "cancelling" if cancellation_requested(snapshot) else snapshot.state.value


def tally_arguments(tally: Tally) -> dict[str, int]:
    """Message arguments from a tally. All are numbers of phones."""
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


def headline(context: CardContext) -> Headline:
    """The status as a headline, for any kind of card whose original purpose has passed."""
    snapshot = context.snapshot
    return Headline(
        f"status-{_state_key(snapshot)}",
        {**tally_arguments(snapshot.phones_by_status), "ready": snapshot.roster.ready},
    )


def timeline(context: CardContext) -> list[TextBlock]:
    """Who did what when, in order, with reasons and comments. The last entry is the newest."""
    snapshot = context.snapshot
    sentences: list[str] = []
    if snapshot.asked_at:
        sentences.append(
            context.message(
                "timeline-requested",
                person=context.person_name(snapshot.requester),
                when=timestamp(snapshot.asked_at),
            )
        )
    if snapshot.reason:
        sentences.append(
            context.message("timeline-reason", reason=context.free_text(snapshot.reason))
        )
    if snapshot.ticket:
        sentences.append(context.message("timeline-ticket", ticket=snapshot.ticket))
    sentences += [*schedule.timeline(context), *_decision(context)]
    if snapshot.cancel_asked_at:
        sentences.append(
            context.message(
                "timeline-cancelling" if cancellation_requested(snapshot) else "timeline-cancelled",
                person=context.person_name(snapshot.cancelled_by),
                when=timestamp(snapshot.cancel_asked_at),
            )
        )
    sentences += _end(context)
    return [text(sentence, spacing="Small") for sentence in sentences]


def _decision(context: CardContext) -> list[str]:
    snapshot = context.snapshot
    if snapshot.review is not None:
        return break_glass.sentences(context, snapshot.review)
    if not snapshot.decided_by or not snapshot.decided_at:
        return []
    rejected = snapshot.state is RequestState.REJECTED
    sentences = [
        context.message(
            "timeline-rejected" if rejected else "timeline-approved",
            person=context.person_name(snapshot.decided_by),
            when=timestamp(snapshot.decided_at),
        )
    ]
    if snapshot.comment:
        sentences.append(
            context.message("timeline-comment", comment=context.free_text(snapshot.comment))
        )
    return sentences


def _end(context: CardContext) -> list[str]:
    snapshot = context.snapshot
    if snapshot.state is RequestState.WAITING and snapshot.expires_at:
        return [context.message("timeline-expires", when=timestamp(snapshot.expires_at))]
    if not snapshot.finished_at:
        return []
    when = timestamp(snapshot.finished_at)
    if snapshot.state is RequestState.EXPIRED:
        return [context.message("timeline-expired", when=when)]
    if snapshot.state is RequestState.WITHDRAWN:
        person = context.person_name(snapshot.requester)
        return [context.message("timeline-withdrawn", person=person, when=when)]
    if snapshot.state in RESULT_STATES:
        return [context.message("timeline-finished", when=when)]
    return []
