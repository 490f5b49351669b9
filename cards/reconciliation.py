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
from bot.signin.snapshot import ReconciliationQuestion
from cards import status
from cards.context import CardContext, Sheet, Verdict
from cards.elements import copyable, facts, heading, moment, text
from cards.types import Verb


def sheet(context: CardContext) -> Sheet:
    snapshot = context.snapshot
    question = next((q for q in snapshot.questions if q.batch_id == context.view.batch), None)
    if question is None or snapshot.state is not RequestState.RUNNING:
        return _answered(context)
    return _open(context, question)


def _open(context: CardContext, question: ReconciliationQuestion) -> Sheet:
    return Sheet(
        verdict=Verdict(
            "question-verdict", {"phones": question.phones, "region": question.region.value}
        ),
        tone="warning",
        lead=[text(context.words("question-why"), spacing="Small")],
        body=[
            facts(
                [
                    (context.words("fact-sent-at"), moment(question.sent_at)),
                    (context.words("fact-region"), question.region.value),
                    (
                        context.words("fact-rows"),
                        context.say(
                            "rows-from-to", first=question.first_row, last=question.last_row
                        ),
                    ),
                    (context.words("fact-file"), context.given(context.snapshot.roster.file_name)),
                ]
            ),
            heading(context.words("question-how-heading")),
            text(context.words("question-how")),
            copyable(context.words("question-how-command")),
        ],
        actions=[
            _answer(context, question, "check", context.words("button-check")),
            _ran(context, question),
            _not_run(context, question),
        ],
    )


def _answer(
    context: CardContext,
    question: ReconciliationQuestion,
    answer: str,
    title: str,
    *,
    style: ActionStyle | None = None,
    with_inputs: bool = False,
) -> ExecuteAction:
    return context.execute(
        Verb.RECONCILE,
        title,
        style=style,
        with_inputs=with_inputs,
        batch=question.batch_id,
        attempt=question.attempt,
        answer=answer,
    )


def _ran(context: CardContext, question: ReconciliationQuestion) -> Action:
    return ShowCardAction(
        title=context.words("button-ran"),
        card=AdaptiveCard(
            version="1.5",
            body=[
                text(context.words("question-ran")),
                TextInput(
                    id="batch_id",
                    label=context.words("label-batch-id"),
                    placeholder=context.words("placeholder-batch-id"),
                    max_length=200,
                    is_required=True,
                    error_message=context.words("error-batch-id"),
                ),
            ],
            actions=[
                _answer(
                    context,
                    question,
                    "ran",
                    context.words("button-ran-now"),
                    style="positive",
                    with_inputs=True,
                )
            ],
        ),
    )


def _not_run(context: CardContext, question: ReconciliationQuestion) -> Action:
    return ShowCardAction(
        title=context.words("button-not-run"),
        style="destructive",
        card=AdaptiveCard(
            version="1.5",
            body=[text(context.say("question-not-run", phones=question.phones))],
            actions=[
                _answer(
                    context,
                    question,
                    "not_run",
                    context.words("button-not-run-now"),
                    style="destructive",
                )
            ],
        ),
    )


def _answered(context: CardContext) -> Sheet:
    running = context.snapshot.state is RequestState.RUNNING
    body: list[CardElement] = [] if running else [*status.story(context)]
    verdict = Verdict("question-answered") if running else status.verdict(context)
    lead: list[CardElement] = [text(context.words("question-answered-how"))] if running else []
    return Sheet(verdict, status.tone(context.snapshot), lead, body)
