"""Starts at a set time: the form, what cards say of one, and what can be done about one that was missed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from microsoft_teams.cards.core import (
    Action,
    CardElement,
    Choice,
    ChoiceSetInput,
    Container,
    DateInput,
    TextBlock,
    TextInput,
    TimeInput,
    ToggleVisibilityAction,
)

from bot.phones.provisioned import zone_named
from bot.signin.schedule import Due, instants, local_text, offset_text, start_text
from bot.signin.snapshot import RequestSnapshot
from cards import votes
from cards.context import CardContext, Headline
from cards.elements import bold, callout, text, timestamp
from cards.escape import Markup, markdown
from cards.types import Verb

LONGEST = 150  #: characters of a time that is written out, twice what any takes
_FORM_ID = "start"
_HOUR = 3600
_MINUTES_UP_TO = 2 * _HOUR  # longer times are in hours


def toggle(context: CardContext) -> Action:
    """The button that opens `form`."""
    return ToggleVisibilityAction(
        title=context.words("button-start-later"), target_elements=[_FORM_ID]
    )


def form(context: CardContext) -> Container:
    """The inputs of a start: hidden until asked for, and open if the card asks about what was typed."""
    snapshot = context.snapshot
    date, _, time = snapshot.run_typed.partition("T")
    how = [text(context.words("start-later-how"), subtle=True, spacing="Small")]
    if context.runs_as_approver:
        how.append(text(context.words("start-later-approver"), spacing="Small"))
    return Container(
        id=_FORM_ID,
        is_visible=bool(snapshot.run_typed),
        items=[
            *how,
            DateInput(id="run_at", label=context.words("label-run-at"), value=date or None),
            TimeInput(
                id="run_at_time", label=context.words("label-run-at-time"), value=time or None
            ),
            TextInput(
                id="run_at_zone",
                label=context.words("label-run-at-zone"),
                placeholder=context.words("placeholder-run-at-zone"),
                value=snapshot.run_zone or None,
                max_length=64,
            ),
            *_which(context),
            *_proposed(context),
        ],
    )


def asks(context: CardContext) -> list[TextBlock]:
    """At the top of a draft's card, that it asks about the start. Empty if it does not."""
    if context.snapshot.run_at is None and not _which(context):
        return []
    return [bold(context.words("start-asks"))]


def _which(context: CardContext) -> list[CardElement]:
    """Asks which of two times is meant, if the clock shows what was typed twice."""
    snapshot = context.snapshot
    zone = zone_named(snapshot.run_zone)
    if zone is None or not snapshot.run_typed:
        return []
    wall = datetime.fromisoformat(snapshot.run_typed)
    both = instants(wall, zone)
    if len(both) < 2:
        return []
    choices = [
        Choice(
            title=context.words(f"choice-which-{value}", offset=offset_text(at, zone.key)),
            value=value,
        )
        for value, at in zip(("earlier", "later"), both, strict=True)
    ]
    return [
        ChoiceSetInput(
            id="run_at_which",
            label=context.words("label-run-at-which", time=f"{wall:%H:%M}"),
            choices=choices,
            style="expanded",
            is_required=True,
            error_message=context.words("error-run-at-which"),
        )
    ]


def _proposed(context: CardContext) -> list[CardElement]:
    """What was typed, written out, and what is unfavorable about it: it misses windows of phones, or will not
    be over when a change window closes."""
    if context.snapshot.run_at is None:
        return []
    sentences = [bold(context.message("start-proposed", start=_start(context)))]
    counted = context.snapshot.roster.windows
    if counted and (counted.too_early or counted.nearly_too_late or counted.too_late):
        sentences.append(text(context.words("start-misses-windows")))
    sentences += cut_short(context)
    return [callout([*sentences, text(context.words("start-confirm"))], "warning")]


def cut_short(context: CardContext) -> list[TextBlock]:
    """That a change window will close before it is over. Empty if it will not, or that is not known."""
    if context.cut_short is None:
        return []
    when, seconds = timestamp(context.cut_short.closes_at), context.cut_short.seconds
    length = Markup(expected_text(context, seconds))
    return [bold(context.message("start-cut-short", when=when, length=length))]


def expected_text(context: CardContext, seconds: int) -> str:
    """How long a request probably takes; 0: it is not known."""
    if seconds > _MINUTES_UP_TO:
        return context.message("expected-hours", hours=round(seconds / _HOUR))
    minutes = max(1, round(seconds / 60)) if seconds else 0
    return context.message("expected-minutes", minutes=minutes)


def _start(context: CardContext) -> Markup:
    return _time(start_text(context.snapshot.run_at, context.snapshot.run_zone))


def _time(written_out: str) -> Markup:
    """Never cut to the card's budget: half a time is none."""
    return Markup(markdown(written_out, LONGEST))


def approval_lead(context: CardContext) -> list[TextBlock]:
    """When it starts, and until when it has to be approved; no promise of that while windows refuse it.
    Empty if it starts at once."""
    snapshot = context.snapshot
    if snapshot.run_at is None or snapshot.expires_at is None:
        return []
    if votes.closed(context):
        return [bold(context.message("timeline-start", start=_start(context)))]
    if snapshot.expires_at >= snapshot.run_at:
        return [bold(context.message("start-approve-before", start=_start(context)))]
    by = _time(local_text(snapshot.expires_at, snapshot.run_zone))
    return [bold(context.message("start-approve-by", start=_start(context), by=by))]


def approval_terms(context: CardContext) -> list[TextBlock]:
    """What approving a start entails. Empty if it starts at once."""
    if context.snapshot.run_at is None:
        return []
    later = "approval-permissions-later" if context.runs_as_approver else "approval-starts-later"
    sentences = [text(context.words(later), subtle=True)]
    if context.runs_as_approver:
        signs_in = context.message("start-approver-signs-in", start=_start(context))
        sentences.insert(0, bold(signs_in))
    return [*sentences, text(context.words("start-run-within"), subtle=True)]


def timeline(context: CardContext) -> list[str]:
    """The start as a line of the history. Empty if it was at once."""
    if context.snapshot.run_at is None:
        return []
    return [context.message("timeline-start", start=_start(context))]


def waits(snapshot: RequestSnapshot) -> bool:
    """Whether an approved request waits for its time, or missed it."""
    return snapshot.scheduled or snapshot.missed is not None


def headline(context: CardContext) -> Headline | None:
    """Of a progress card. None unless its request waits for its time, or missed it."""
    if context.snapshot.missed:
        return Headline("progress-missed")
    if context.snapshot.scheduled:
        start = start_text(context.snapshot.run_at, context.snapshot.run_zone)
        return Headline("progress-scheduled", {"start": start})
    return None


def callouts(context: CardContext) -> list[CardElement]:
    """What happens at its time, or why it did not."""
    snapshot = context.snapshot
    if snapshot.missed:
        return [callout(_missed(context), "attention")]
    if not snapshot.scheduled:
        return []
    elements: list[CardElement] = []
    if snapshot.delegation_wanted_since:
        elements.append(callout([bold(context.words("scheduled-sign-in"))], "warning"))
    elif context.runs_as_approver:
        signs_in = context.message("start-approver-signs-in", start=_start(context))
        elements.append(text(signs_in))
    return [
        *elements,
        text(context.words("scheduled-until")),
        text(context.words("start-run-within"), subtle=True),
    ]


def _missed(context: CardContext) -> Sequence[TextBlock]:
    snapshot = context.snapshot
    missed = snapshot.missed
    if missed is None:
        return []
    match missed.reason:
        case Due.CLOSED:
            opens = _time(start_text(missed.opens_at, snapshot.run_zone))
            why = context.message(
                "missed-closed",
                start=_start(context),
                why=context.free_text(missed.why),
                opens=opens,
                known=int(bool(opens)),
            )
        case Due.DENIED:
            why = context.words("missed-denied")
        case _:
            by = _time(local_text(snapshot.run_by, snapshot.run_zone) if snapshot.run_by else "")
            why = context.message("missed-late", by=by)
    return [bold(why), text(context.words("missed-how"))]


def sign_in_late(context: CardContext) -> list[TextBlock]:
    """When a request was to start that has nothing sent yet, since no approver has signed in."""
    snapshot = context.snapshot
    tally = snapshot.phones_by_status
    if snapshot.run_at is None or snapshot.pause or tally.pending < tally.total:
        return []
    return [text(context.message("scheduled-sign-in-late", start=_start(context)))]


def buttons(context: CardContext) -> list[Action]:
    """What can be done about a request before it starts, besides canceling it."""
    snapshot = context.snapshot
    actions: list[Action] = []
    if snapshot.missed and context.releases:
        title = context.words("button-start-now")
        actions.append(context.execute_action(Verb.START_NOW, title, style="destructive"))
    viewer = context.view.viewer
    withdraws = viewer.withdraws if viewer else not context.view.for_approvers
    if waits(snapshot) and withdraws:
        actions.append(context.execute_action(Verb.WITHDRAW, context.words("button-withdraw")))
    return actions
