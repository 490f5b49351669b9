"""What a file holds, and asking for approval. Nothing has been sent yet, and the card says so."""

from __future__ import annotations

from microsoft_teams.cards.core import (
    Action,
    CardElement,
    Choice,
    ChoiceSetInput,
    ContainerStyle,
    TextInput,
    ToggleInput,
)

from bot.phones.region import Region
from bot.signin.request import RequestState
from bot.signin.snapshot import RosterSummary
from cards import standing, tables
from cards.elements import facts, heading, note, strong, text
from cards.kinds import Panel, Verb
from cards.scene import Scene, Sheet, Verdict

_NOTICES = 6  # as many remarks on a file as anybody reads


def sheet(scene: Scene) -> Sheet:
    if scene.snapshot.state is RequestState.DRAFT:
        return _draft(scene)
    return _asked(scene)


def _draft(scene: Scene) -> Sheet:
    roster = scene.snapshot.roster
    lead: list[CardElement] = []
    if roster.ready and roster.not_ready:
        lead.append(strong(scene.say("validation-left-out", rows=roster.not_ready)))
    return Sheet(
        verdict=Verdict(
            "validation-verdict",
            {"ready": roster.ready, "not_ready": roster.not_ready, "total": roster.total},
        ),
        tone=_tone(roster),
        lead=lead,
        body=[*_counts(scene), *_remarks(scene), *_issues(scene), *_form(scene)],
        actions=_actions(scene),
    )


def _tone(roster: RosterSummary) -> ContainerStyle:
    if not roster.ready:
        return "attention"
    return "warning" if roster.not_ready or roster.warnings else "good"


def _remarks(scene: Scene) -> list[CardElement]:
    notices = scene.snapshot.roster.notices
    told = [
        text(f"• {scene.say(f'notice-{notice.code}', **notice.arguments)}", spacing="Small")
        for notice in notices[:_NOTICES]
    ]
    return list[CardElement](told)


def _counts(scene: Scene) -> list[CardElement]:
    roster = scene.snapshot.roster
    pairs = [
        (
            scene.words("fact-ready"),
            scene.say("rows-ready", rows=roster.ready, accounts=roster.accounts),
        )
    ]
    pairs += [
        (scene.words(label), scene.say("rows", rows=rows))
        for label, rows in (
            ("fact-not-ready", roster.not_ready),
            ("fact-warnings", roster.warnings),
            ("fact-notes", roster.notes),
        )
        if rows
    ]
    pairs += regions(scene)
    if roster.without_region:
        pairs.append((scene.words("fact-no-region"), scene.say("rows", rows=roster.without_region)))
    return [facts(pairs)]


def regions(scene: Scene) -> list[tuple[str, str]]:
    """Facts: how many phones and batches there are in each region."""
    return [
        (
            region.region.value,
            scene.say("phones-in-batches", phones=region.phones.total, batches=region.batch_count),
        )
        for region in scene.snapshot.regions
    ]


def _issues(scene: Scene) -> list[CardElement]:
    found = tables.issues(scene)
    if not found:
        return []
    return [heading(scene.words("issues-heading")), *found]


def _form(scene: Scene) -> list[CardElement]:
    roster = scene.snapshot.roster
    if not roster.ready:
        return [
            heading(scene.words("validation-go-on")),
            text(scene.words("validation-go-on-how")),
        ]
    form: list[CardElement] = [
        heading(scene.words("ask-heading")),
        text(scene.say("ask-what-happens", accounts=roster.accounts)),
    ]
    if roster.without_region:
        form.append(
            ChoiceSetInput(
                id="region",
                label=scene.say("label-region", rows=roster.without_region),
                choices=[
                    Choice(title=scene.words(f"region-{region.value}"), value=region.value)
                    for region in Region
                ],
                style="compact",
                placeholder=scene.words("placeholder-region"),
                is_required=True,
                error_message=scene.words("error-region"),
            )
        )
    form.append(
        TextInput(
            id="reason",
            label=scene.words("label-reason"),
            placeholder=scene.words("placeholder-reason"),
            max_length=300,
            is_multiline=True,
            is_required=True,
            error_message=scene.words("error-reason"),
        )
    )
    if roster.not_ready:
        form.append(
            ToggleInput(
                id="acknowledge",
                label=scene.words("label-leave-out"),
                title=scene.say("toggle-leave-out", rows=roster.not_ready),
                value="false",
                wrap=True,
                is_required=True,
                error_message=scene.words("error-leave-out"),
            )
        )
    return form


def _actions(scene: Scene) -> list[Action]:
    actions: list[Action] = []
    if scene.snapshot.roster.ready:
        actions.append(
            scene.execute(
                Verb.REQUEST_APPROVAL,
                scene.words("button-ask"),
                style="positive",
                with_inputs=True,
            )
        )
    return [*actions, *_export(scene), scene.execute(Verb.WITHDRAW, scene.words("button-discard"))]


def _export(scene: Scene) -> list[Action]:
    if not scene.snapshot.roster.issues.total:
        return []
    return [scene.execute(Verb.EXPORT, scene.words("button-export-issues"), what="issues")]


def _show_issues(scene: Scene) -> list[Action]:
    """After the asking the issues make room, unless somebody wants them."""
    if not scene.snapshot.roster.issues.total:
        return []
    if scene.view.panel is Panel.ISSUES:
        return [tables.turn(scene, scene.words("button-hide"), Panel.NONE, 1)]
    return [tables.turn(scene, scene.words("button-issues"), Panel.ISSUES, 1)]


def _asked(scene: Scene) -> Sheet:
    """After the asking: what became of it, and the issues for whoever still mends the file."""
    snapshot = scene.snapshot
    body: list[CardElement] = [*standing.story(scene), *_counts(scene)]
    actions: list[Action] = []
    if snapshot.state in standing.NOTHING_RAN:
        body.append(text(scene.words("validation-again")))
    else:
        if scene.view.panel is Panel.ISSUES:
            body += _issues(scene)
        if snapshot.state is RequestState.WAITING:
            withdraw = scene.words("button-withdraw")
            actions.append(scene.execute(Verb.WITHDRAW, withdraw, style="destructive"))
        actions += [*_show_issues(scene), *_export(scene)]
    if snapshot.state in standing.APPROVED:
        over = snapshot.state in standing.OVER
        elsewhere = scene.words("results-elsewhere" if over else "progress-elsewhere")
        body.insert(0, note([text(elsewhere)], "emphasis"))
    return Sheet(standing.verdict(scene), standing.tone(snapshot), (), body, actions)
