"""How it ended: totals, what failed and why, and what to do next. The counts are final."""

from __future__ import annotations

from microsoft_teams.cards.core import Action, CardElement

from bot.signin.outcome import NO_RESULT, Retry
from bot.signin.request import RequestState
from cards import standing, tables
from cards.causes import provisioning
from cards.elements import heading, strong, text
from cards.kinds import Panel, Verb
from cards.progress import counters, failures
from cards.scene import Scene, Sheet, Verdict


def sheet(scene: Scene) -> Sheet:
    if scene.snapshot.state in standing.OVER:
        return _ended(scene)
    return _not_ended(scene)


def _ended(scene: Scene) -> Sheet:
    snapshot = scene.snapshot
    tally = snapshot.phones_by_status
    cancelled = snapshot.state is RequestState.CANCELLED
    left = tally.total - tally.signed_in
    lead: list[CardElement] = [text(scene.words("results-final"), spacing="Small")]
    if left:
        lead.insert(0, strong(scene.say("results-left", left=left)))
    body: list[CardElement] = [*counters(scene, tally)]
    if scene.view.panel in (Panel.PHONES, Panel.FAILED):
        body += [heading(scene.words("phones-heading")), *tables.phones_panel(scene)]
    else:
        body += [*failures(scene), *provisioning(scene), *_next(scene, left), *_story(scene)]
    return Sheet(
        verdict=Verdict(
            "results-cancelled" if cancelled else "results-verdict", standing.numbers(tally)
        ),
        tone=standing.tone(snapshot),
        lead=lead,
        body=body,
        actions=_actions(scene, left),
    )


def _next(scene: Scene, left: int) -> list[CardElement]:
    """What a retry would do, and whether something has to be mended first."""
    if not left:
        return []
    groups = scene.snapshot.causes
    after_fix = sum(
        group.count
        for group in groups
        if group.cause.retry is Retry.AFTER_FIX and group.cause != NO_RESULT
    )
    smaller = any(group.cause.retry is Retry.SMALLER for group in groups)
    told: list[CardElement] = [heading(scene.words("next-heading"))]
    if after_fix:
        told.append(text(scene.say("next-fix", phones=after_fix)))
    if smaller:
        told.append(text(scene.words("next-smaller")))
    return [*told, text(scene.say("next-retry", phones=left))]


def _story(scene: Scene) -> list[CardElement]:
    return [heading(scene.words("story-heading")), *standing.story(scene)]


def _actions(scene: Scene, left: int) -> list[Action]:
    actions: list[Action] = []
    if left:
        title = scene.say("button-retry", phones=left)
        actions.append(scene.execute(Verb.RETRY_FAILED, title, style="positive"))
    export = scene.execute(Verb.EXPORT, scene.words("button-export"), what="results")
    return [*actions, export, *tables.panels(scene)]


def _not_ended(scene: Scene) -> Sheet:
    snapshot = scene.snapshot
    body: list[CardElement] = []
    if snapshot.state is RequestState.RUNNING:
        body += counters(scene, snapshot.phones_by_status)
        body.append(text(scene.words("results-not-yet")))
    body += standing.story(scene)
    return Sheet(standing.verdict(scene), standing.tone(snapshot), (), body)
