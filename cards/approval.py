"""The question to an approver, with everything that the answer needs; afterwards, who answered what."""

from __future__ import annotations

from microsoft_teams.cards.core import (
    Action,
    AdaptiveCard,
    CardElement,
    ShowCardAction,
    TextInput,
    ToggleInput,
)

from bot.signin.request import RequestState
from cards import standing, tables
from cards.elements import facts, heading, moment, strong, text
from cards.kinds import Panel, Verb
from cards.scene import Scene, Sheet, Verdict
from cards.validation import regions

_SAMPLE = 5
_DIGEST = 12  # hex digits: enough to compare by eye


def sheet(scene: Scene) -> Sheet:
    if scene.snapshot.state is RequestState.WAITING:
        return _waiting(scene)
    return _settled(scene)


def _waiting(scene: Scene) -> Sheet:
    snapshot = scene.snapshot
    roster = snapshot.roster
    body: list[CardElement] = [facts(_facts(scene)), *_rows(scene)]
    body.append(
        TextInput(
            id="comment",
            label=scene.words("label-comment"),
            placeholder=scene.words("placeholder-comment"),
            max_length=300,
            is_multiline=True,
        )
    )
    who = "approval-four-eyes" if snapshot.four_eyes else "approval-no-four-eyes"
    body.append(text(scene.say(who, person=scene.name(snapshot.requester)), subtle=True))
    return Sheet(
        verdict=Verdict("approval-verdict", {"phones": roster.ready}),
        tone="warning",
        lead=[strong(scene.say("approval-blast-radius", accounts=roster.accounts))],
        body=body,
        actions=[
            _approve(scene),
            scene.execute(
                Verb.REJECT, scene.words("button-reject"), style="destructive", with_inputs=True
            ),
            *_show(scene),
        ],
    )


def _facts(scene: Scene) -> list[tuple[str, str]]:
    snapshot = scene.snapshot
    pairs = [
        (scene.words("fact-requester"), scene.given(scene.name(snapshot.requester))),
        (
            scene.words("fact-reason"),
            scene.prose(snapshot.reason) if snapshot.reason else scene.words("no-reason"),
        ),
        (scene.words("fact-file"), scene.given(snapshot.roster.file_name)),
        *regions(scene),
    ]
    if snapshot.roster.not_ready:
        pairs.append(
            (scene.words("fact-left-out"), scene.say("rows", rows=snapshot.roster.not_ready))
        )
    if snapshot.asked_at:
        pairs.append((scene.words("fact-asked-at"), moment(snapshot.asked_at)))
    if snapshot.expires_at:
        pairs.append((scene.words("fact-expires-at"), moment(snapshot.expires_at)))
    pairs.append((scene.words("fact-digest"), snapshot.digest[:_DIGEST]))
    return pairs


def _rows(scene: Scene) -> list[CardElement]:
    page = scene.snapshot.phones
    if scene.view.panel is Panel.PHONES:
        whole = scene.say("approval-phones", total=page.total)
        return [
            heading(whole),
            tables.sample(scene, page.items),
            *tables.turning(scene, Panel.PHONES, page),
        ]
    shown = page.items[:_SAMPLE]
    if not shown:
        return []
    return [
        heading(scene.say("approval-sample", shown=len(shown), total=page.total)),
        tables.sample(scene, shown),
    ]


def _approve(scene: Scene) -> Action:
    """A step of its own: a required box beside *Reject* would stand in its way too."""
    accounts = scene.snapshot.roster.accounts
    return ShowCardAction(
        title=scene.words("button-approve"),
        style="positive",
        card=AdaptiveCard(
            version="1.5",
            body=[
                ToggleInput(
                    id="acknowledge",
                    label=scene.words("label-acknowledge"),
                    title=scene.say("toggle-acknowledge", accounts=accounts),
                    value="false",
                    wrap=True,
                    is_required=True,
                    error_message=scene.words("error-acknowledge"),
                )
            ],
            actions=[
                scene.execute(
                    Verb.APPROVE,
                    scene.say("button-approve-now", accounts=accounts),
                    style="positive",
                    with_inputs=True,
                )
            ],
        ),
    )


def _show(scene: Scene) -> list[Action]:
    if scene.view.panel is Panel.PHONES:
        return [tables.turn(scene, scene.words("button-hide"), Panel.NONE, 1)]
    if scene.snapshot.phones.total <= _SAMPLE:
        return []
    return [tables.turn(scene, scene.words("button-phones"), Panel.PHONES, 1)]


def _settled(scene: Scene) -> Sheet:
    """Read-only, for everybody: who decided what and when, and what it was about."""
    snapshot = scene.snapshot
    approved = snapshot.state in standing.APPROVED
    person = scene.name(snapshot.decided_by)
    if snapshot.state is RequestState.REJECTED:
        verdict = Verdict("approval-rejected", {"person": person})
    elif approved:
        verdict = Verdict("approval-approved", {"person": person, "phones": snapshot.roster.ready})
    else:
        verdict = standing.verdict(scene)
    body: list[CardElement] = [*standing.story(scene)]
    pairs = [
        (scene.words("fact-file"), scene.given(snapshot.roster.file_name)),
        *regions(scene),
    ]
    if snapshot.digest:
        pairs.append((scene.words("fact-digest"), snapshot.digest[:_DIGEST]))
    body.append(facts(pairs))
    return Sheet(verdict, "good" if approved else standing.tone(snapshot), (), body)
