"""How a sign-in goes, as committed: counts first, then what is happening now, then what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from microsoft_teams.cards.core import (
    Action,
    AdaptiveCard,
    CardElement,
    Column,
    ColumnSet,
    ShowCardAction,
    TextBlock,
)

from bot.signin.batch import SLOT_HOLDING_STATES, BatchState
from bot.signin.outcome import PhoneStatus
from bot.signin.request import RequestState
from bot.signin.snapshot import RegionProgress, RequestSnapshot, Tally
from cards import lists, status
from cards.causes import causes
from cards.context import CardContext, Sheet, Verdict
from cards.elements import bar, heading, moment, note, strong, text
from cards.lists import status_word
from cards.types import Panel, Verb

_STUCK = 3  # as many stalled batches are told apart


def sheet(context: CardContext) -> Sheet:
    if context.snapshot.state is RequestState.RUNNING:
        return _running(context)
    return _still(context)


def _running(context: CardContext) -> Sheet:
    snapshot = context.snapshot
    tally = snapshot.phones_by_status
    stopping = status.cancelling(snapshot)
    body: list[CardElement] = [*counters(context, tally), *_notes(context)]
    if context.view.panel in (Panel.PHONES, Panel.FAILED):
        body += [heading(context.words("phones-heading")), *lists.phones_panel(context)]
    else:
        body += [*_now(context), *failures(context)]
    actions = lists.panels(context)
    if snapshot.delegation_wanted_since:
        sign_in = context.execute(Verb.SIGN_IN, context.words("button-sign-in"), style="positive")
        actions.insert(0, sign_in)
    if not stopping:
        actions.append(_cancel(context, tally))
    actions.append(context.execute(Verb.REFRESH, context.words("button-refresh")))
    return Sheet(
        verdict=Verdict(_verdict(snapshot), status.numbers(tally)),
        tone=status.tone(snapshot),
        lead=[text(context.words("progress-updates"), spacing="Small")],
        body=body,
        actions=actions,
    )


def _verdict(snapshot: RequestSnapshot) -> str:
    if status.cancelling(snapshot):
        return "progress-cancelling"
    return "progress-sign-in" if snapshot.delegation_wanted_since else "progress-verdict"


def counters(context: CardContext, tally: Tally) -> list[CardElement]:
    """The counts in figures and words, and a bar for a glance."""
    always = (PhoneStatus.SIGNED_IN, PhoneStatus.FAILED)
    counts: Mapping[PhoneStatus, int] = {
        PhoneStatus.SIGNED_IN: tally.signed_in,
        PhoneStatus.FAILED: tally.failed,
        PhoneStatus.IN_PROGRESS: tally.in_progress,
        PhoneStatus.PENDING: tally.pending,
        PhoneStatus.UNCONFIRMED: tally.unconfirmed,
        PhoneStatus.NOT_RUN: tally.not_run,
    }
    columns = [
        Column(
            width="stretch",
            items=[
                TextBlock(
                    text=context.say("count", count=count), size="ExtraLarge", weight="Bolder"
                ),
                TextBlock(text=status_word(context, phone_status), wrap=True, spacing="None"),
            ],
        )
        for phone_status, count in counts.items()
        if count or phone_status in always
    ]
    return [ColumnSet(columns=columns, spacing="Medium"), _bar(tally)]


def _bar(tally: Tally) -> CardElement:
    bad = tally.failed + tally.unconfirmed
    return bar(tally.signed_in, bad, tally.in_progress, tally.total)


def _notes(context: CardContext) -> list[CardElement]:
    """What keeps things from going on as usual."""
    snapshot = context.snapshot
    told: list[CardElement] = []
    if status.cancelling(snapshot):
        told.append(note(status.story(context)[-1:], "warning"))
    if snapshot.delegation_wanted_since:
        since = moment(snapshot.delegation_wanted_since)
        heading_line = strong(context.say("note-sign-in-heading", since=since))
        lines = [heading_line, text(context.words("note-sign-in"))]
        if snapshot.refused:
            why = context.say("note-sign-in-refused", message=context.prose(snapshot.refused))
            lines.insert(1, text(why))
        told.append(note(lines, "warning"))
    elif snapshot.refused:
        refused = text(context.say("note-refused", message=context.prose(snapshot.refused)))
        told.append(note([strong(context.words("note-refused-heading")), refused], "attention"))
    if snapshot.unreachable_since:
        since = moment(snapshot.unreachable_since)
        told.append(note([text(context.say("note-unreachable", since=since))], "warning"))
    if snapshot.questions:
        open_questions = len(snapshot.questions)
        told.append(note([text(context.say("note-questions", batches=open_questions))], "warning"))
    if snapshot.stalled:
        told.append(note(_stalled(context), "warning"))
    return told


def _stalled(context: CardContext) -> list[TextBlock]:
    batches = context.snapshot.stalled
    told = [strong(context.say("note-stuck", batches=len(batches)))]
    told += [
        text(
            context.say(
                "note-stuck-batch",
                batch=batch.remote_batch_id,
                region=batch.region.value,
                phones=batch.phones_open,
                since=moment(batch.since),
            ),
            spacing="Small",
        )
        for batch in batches[:_STUCK]
    ]
    return [*told, text(context.words("note-stuck-why"), spacing="Small")]


def _now(context: CardContext) -> list[CardElement]:
    """Region by region: how far it is, and what its batches are doing."""
    told: list[CardElement] = [heading(context.words("now-heading"))]
    regions = context.snapshot.regions
    for region in regions:
        tally = region.phones
        line = context.say("region-progress", region=region.region.value, **status.numbers(tally))
        told.append(strong(line))
        if len(regions) > 1:
            told.append(_bar(tally))
        told.append(text(_batches(context, region), subtle=True, spacing="Small"))
    return told


def _batches(context: CardContext, region: RegionProgress) -> str:
    def count(states: Sequence[BatchState]) -> int:
        return sum(region.batches.get(state, 0) for state in states)

    return context.say(
        "batches-now",
        batches=region.batch_count,
        running=count([state for state in SLOT_HOLDING_STATES if state is not BatchState.UNKNOWN]),
        unclear=count((BatchState.UNKNOWN, BatchState.NEEDS_PERSON)),
        waiting=count((BatchState.PLANNED,)),
        over=count((BatchState.DONE, BatchState.CANCELLED)),
    )


def failures(context: CardContext) -> list[CardElement]:
    grouped = causes(context)
    if not grouped:
        return []
    return [heading(context.words("failures-heading")), *grouped]


def _cancel(context: CardContext, tally: Tally) -> Action:
    """Asks once more, since what is with the service cannot be called back."""
    return ShowCardAction(
        title=context.words("button-cancel"),
        style="destructive",
        card=AdaptiveCard(
            version="1.5",
            body=[
                text(context.say("cancel-what", pending=tally.pending)),
                text(context.say("cancel-runs-on", phones=tally.in_progress)),
            ],
            actions=[
                context.execute(
                    Verb.CANCEL, context.words("button-cancel-now"), style="destructive"
                )
            ],
        ),
    )


def _still(context: CardContext) -> Sheet:
    """Nothing moves: not yet, or not any more."""
    snapshot = context.snapshot
    body: list[CardElement] = []
    if snapshot.state in status.OVER:
        body += counters(context, snapshot.phones_by_status)
        body += [text(context.words("results-final")), text(context.words("results-elsewhere"))]
    body += status.story(context)
    return Sheet(status.verdict(context), status.tone(snapshot), (), body)
