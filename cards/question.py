"""The one thing that only a person can find out: did a batch run, of which no answer came back?"""

from __future__ import annotations

from microsoft_teams.cards.core import (
    Action,
    ActionStyle,
    AdaptiveCard,
    CardElement,
    ExecuteAction,
    ShowCardAction,
    TextInput,
)

from bot.signin.request import RequestState
from bot.signin.snapshot import BatchQuestion
from cards import standing
from cards.elements import copyable, facts, heading, moment, text
from cards.kinds import Verb
from cards.scene import Scene, Sheet, Verdict


def sheet(scene: Scene) -> Sheet:
    snapshot = scene.snapshot
    question = next((q for q in snapshot.questions if q.batch == scene.view.batch), None)
    if question is None or snapshot.state is not RequestState.RUNNING:
        return _answered(scene)
    return _open(scene, question)


def _open(scene: Scene, question: BatchQuestion) -> Sheet:
    return Sheet(
        verdict=Verdict(
            "question-verdict", {"phones": question.phones, "region": question.region.value}
        ),
        tone="warning",
        lead=[text(scene.words("question-why"), spacing="Small")],
        body=[
            facts(
                [
                    (scene.words("fact-sent-at"), moment(question.sent_at)),
                    (scene.words("fact-region"), question.region.value),
                    (
                        scene.words("fact-rows"),
                        scene.say("rows-from-to", first=question.first_row, last=question.last_row),
                    ),
                    (scene.words("fact-file"), scene.given(scene.snapshot.roster.file_name)),
                ]
            ),
            heading(scene.words("question-how-heading")),
            text(scene.words("question-how")),
            copyable(scene.words("question-how-command")),
        ],
        actions=[
            _answer(scene, question, "check", scene.words("button-check")),
            _ran(scene, question),
            _not_run(scene, question),
        ],
    )


def _answer(
    scene: Scene,
    question: BatchQuestion,
    answer: str,
    title: str,
    *,
    style: ActionStyle | None = None,
    with_inputs: bool = False,
) -> ExecuteAction:
    return scene.execute(
        Verb.RECONCILE,
        title,
        style=style,
        with_inputs=with_inputs,
        batch=question.batch,
        attempt=question.attempt,
        answer=answer,
    )


def _ran(scene: Scene, question: BatchQuestion) -> Action:
    return ShowCardAction(
        title=scene.words("button-ran"),
        card=AdaptiveCard(
            version="1.5",
            body=[
                text(scene.words("question-ran")),
                TextInput(
                    id="batch_id",
                    label=scene.words("label-batch-id"),
                    placeholder=scene.words("placeholder-batch-id"),
                    max_length=200,
                    is_required=True,
                    error_message=scene.words("error-batch-id"),
                ),
            ],
            actions=[
                _answer(
                    scene,
                    question,
                    "ran",
                    scene.words("button-ran-now"),
                    style="positive",
                    with_inputs=True,
                )
            ],
        ),
    )


def _not_run(scene: Scene, question: BatchQuestion) -> Action:
    return ShowCardAction(
        title=scene.words("button-not-run"),
        style="destructive",
        card=AdaptiveCard(
            version="1.5",
            body=[text(scene.say("question-not-run", phones=question.phones))],
            actions=[
                _answer(
                    scene,
                    question,
                    "not_run",
                    scene.words("button-not-run-now"),
                    style="destructive",
                )
            ],
        ),
    )


def _answered(scene: Scene) -> Sheet:
    running = scene.snapshot.state is RequestState.RUNNING
    body: list[CardElement] = [] if running else [*standing.story(scene)]
    verdict = Verdict("question-answered") if running else standing.verdict(scene)
    lead: list[CardElement] = [text(scene.words("question-answered-how"))] if running else []
    return Sheet(verdict, standing.tone(scene.snapshot), lead, body)
