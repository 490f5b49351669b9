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

from bot.signin.batch import HOLDS_A_PLACE, BatchState
from bot.signin.outcome import PhoneStatus
from bot.signin.request import RequestState
from bot.signin.snapshot import RegionProgress, RequestSnapshot, Tally
from cards import standing, tables
from cards.causes import causes
from cards.elements import bar, heading, moment, note, strong, text
from cards.kinds import Panel, Verb
from cards.scene import Scene, Sheet, Verdict
from cards.tables import status_word

_STUCK = 3  # as many stuck batches are told apart


def sheet(scene: Scene) -> Sheet:
    if scene.snapshot.state is RequestState.RUNNING:
        return _running(scene)
    return _still(scene)


def _running(scene: Scene) -> Sheet:
    snapshot = scene.snapshot
    tally = snapshot.phones_by_status
    stopping = standing.cancelling(snapshot)
    body: list[CardElement] = [*counters(scene, tally), *_notes(scene)]
    if scene.view.panel in (Panel.PHONES, Panel.FAILED):
        body += [heading(scene.words("phones-heading")), *tables.phones_panel(scene)]
    else:
        body += [*_now(scene), *failures(scene)]
    actions = tables.panels(scene)
    if snapshot.sign_in_since:
        sign_in = scene.execute(Verb.SIGN_IN, scene.words("button-sign-in"), style="positive")
        actions.insert(0, sign_in)
    if not stopping:
        actions.append(_cancel(scene, tally))
    actions.append(scene.execute(Verb.REFRESH, scene.words("button-refresh")))
    return Sheet(
        verdict=Verdict(_verdict(snapshot), standing.numbers(tally)),
        tone=standing.tone(snapshot),
        lead=[text(scene.words("progress-updates"), spacing="Small")],
        body=body,
        actions=actions,
    )


def _verdict(snapshot: RequestSnapshot) -> str:
    if standing.cancelling(snapshot):
        return "progress-cancelling"
    return "progress-sign-in" if snapshot.sign_in_since else "progress-verdict"


def counters(scene: Scene, tally: Tally) -> list[CardElement]:
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
                TextBlock(text=scene.say("count", count=count), size="ExtraLarge", weight="Bolder"),
                TextBlock(text=status_word(scene, status), wrap=True, spacing="None"),
            ],
        )
        for status, count in counts.items()
        if count or status in always
    ]
    return [ColumnSet(columns=columns, spacing="Medium"), _bar(tally)]


def _bar(tally: Tally) -> CardElement:
    bad = tally.failed + tally.unconfirmed
    return bar(tally.signed_in, bad, tally.in_progress, tally.total)


def _notes(scene: Scene) -> list[CardElement]:
    """What keeps things from going on as usual."""
    snapshot = scene.snapshot
    told: list[CardElement] = []
    if standing.cancelling(snapshot):
        told.append(note(standing.story(scene)[-1:], "warning"))
    if snapshot.sign_in_since:
        since = moment(snapshot.sign_in_since)
        heading_line = strong(scene.say("note-sign-in-heading", since=since))
        lines = [heading_line, text(scene.words("note-sign-in"))]
        if snapshot.refused:
            why = scene.say("note-sign-in-refused", message=scene.prose(snapshot.refused))
            lines.insert(1, text(why))
        told.append(note(lines, "warning"))
    elif snapshot.refused:
        refused = text(scene.say("note-refused", message=scene.prose(snapshot.refused)))
        told.append(note([strong(scene.words("note-refused-heading")), refused], "attention"))
    if snapshot.unreachable_since:
        since = moment(snapshot.unreachable_since)
        told.append(note([text(scene.say("note-unreachable", since=since))], "warning"))
    if snapshot.questions:
        open_questions = len(snapshot.questions)
        told.append(note([text(scene.say("note-questions", batches=open_questions))], "warning"))
    if snapshot.stuck:
        told.append(note(_stuck(scene), "warning"))
    return told


def _stuck(scene: Scene) -> list[TextBlock]:
    batches = scene.snapshot.stuck
    told = [strong(scene.say("note-stuck", batches=len(batches)))]
    told += [
        text(
            scene.say(
                "note-stuck-batch",
                batch=batch.remote_id,
                region=batch.region.value,
                phones=batch.phones_open,
                since=moment(batch.since),
            ),
            spacing="Small",
        )
        for batch in batches[:_STUCK]
    ]
    return [*told, text(scene.words("note-stuck-why"), spacing="Small")]


def _now(scene: Scene) -> list[CardElement]:
    """Region by region: how far it is, and what its batches are doing."""
    told: list[CardElement] = [heading(scene.words("now-heading"))]
    regions = scene.snapshot.regions
    for region in regions:
        tally = region.phones
        line = scene.say("region-progress", region=region.region.value, **standing.numbers(tally))
        told.append(strong(line))
        if len(regions) > 1:
            told.append(_bar(tally))
        told.append(text(_batches(scene, region), subtle=True, spacing="Small"))
    return told


def _batches(scene: Scene, region: RegionProgress) -> str:
    def count(states: Sequence[BatchState]) -> int:
        return sum(region.batches.get(state, 0) for state in states)

    return scene.say(
        "batches-now",
        batches=region.batch_count,
        running=count([state for state in HOLDS_A_PLACE if state is not BatchState.UNKNOWN]),
        unclear=count((BatchState.UNKNOWN, BatchState.NEEDS_PERSON)),
        waiting=count((BatchState.PLANNED,)),
        over=count((BatchState.DONE, BatchState.CANCELLED)),
    )


def failures(scene: Scene) -> list[CardElement]:
    grouped = causes(scene)
    if not grouped:
        return []
    return [heading(scene.words("failures-heading")), *grouped]


def _cancel(scene: Scene, tally: Tally) -> Action:
    """Asks once more, since what is with the service cannot be called back."""
    return ShowCardAction(
        title=scene.words("button-cancel"),
        style="destructive",
        card=AdaptiveCard(
            version="1.5",
            body=[
                text(scene.say("cancel-what", pending=tally.pending)),
                text(scene.say("cancel-runs-on", phones=tally.in_progress)),
            ],
            actions=[
                scene.execute(Verb.CANCEL, scene.words("button-cancel-now"), style="destructive")
            ],
        ),
    )


def _still(scene: Scene) -> Sheet:
    """Nothing moves: not yet, or not any more."""
    snapshot = scene.snapshot
    body: list[CardElement] = []
    if snapshot.state in standing.OVER:
        body += counters(scene, snapshot.phones_by_status)
        body += [text(scene.words("results-final")), text(scene.words("results-elsewhere"))]
    body += standing.story(scene)
    return Sheet(standing.verdict(scene), standing.tone(snapshot), (), body)
