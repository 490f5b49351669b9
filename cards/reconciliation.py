"""The reconciliation card: asks an approver whether a batch of unknown outcome ran, or whether to go on
with one whose status cannot be read."""

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
from cards.context import CardContext, CardParts, Headline
from cards.elements import EMPTY, code_block, facts, heading, text, timestamp
from cards.escape import Markup
from cards.types import Verb


def build(context: CardContext) -> CardParts:
    snapshot = context.snapshot
    question = next((q for q in snapshot.questions if q.batch_id == context.view.batch_id), None)
    if question is None or snapshot.state is not RequestState.RUNNING:
        return _answered(context)
    return (_unreadable if question.remote_batch_id else _open)(context, question)


def _facts(context: CardContext, question: ReconciliationQuestion) -> CardElement:
    rows = context.message("rows-from-to", first=question.first_row, last=question.last_row)
    sent_at = timestamp(question.sent_at) if question.sent_at else EMPTY
    pairs = [
        (context.words("fact-sent-at"), sent_at),
        (context.words("fact-region"), question.region.value),
        (context.words("fact-rows"), rows),
        (context.words("fact-file"), context.markdown_value(context.snapshot.roster.file_name)),
    ]
    if question.remote_batch_id:
        batch_id = context.markdown_value(question.remote_batch_id)
        pairs.append((context.words("label-batch-id"), batch_id))
    return facts(pairs)


def _unreadable(context: CardContext, question: ReconciliationQuestion) -> CardParts:
    """The SIP Gateway has the batch, and does not say how it stands: go on, or end it?"""
    error = context.message(
        "reconciliation-unreadable-error", error=context.free_text(question.error)
    )
    command = context.single_line_message(
        "reconciliation-unreadable-command", batch=question.remote_batch_id
    )
    return CardParts(
        headline=Headline(
            "reconciliation-unreadable-headline",
            {"phones": question.phones, "region": question.region.value},
        ),
        style="warning",
        header=[
            text(context.words("reconciliation-unreadable-reason"), spacing="Small"),
            text(error, spacing="Small"),
        ],
        body=[
            _facts(context, question),
            heading(context.words("reconciliation-how-heading")),
            text(context.words("reconciliation-unreadable-how")),
            code_block(command),
        ],
        actions=[
            _answer_button(context, question, "check", context.words("button-keep-checking")),
            ShowCardAction(
                title=context.words("button-give-up"),
                style="destructive",
                card=AdaptiveCard(
                    version="1.5",
                    body=[text(context.message("reconciliation-give-up", phones=question.phones))],
                    actions=[
                        _answer_button(
                            context,
                            question,
                            "give_up",
                            context.words("button-give-up-now"),
                            style="destructive",
                        )
                    ],
                ),
            ),
        ],
    )


def _open(context: CardContext, question: ReconciliationQuestion) -> CardParts:
    return CardParts(
        headline=Headline(
            "reconciliation-headline", {"phones": question.phones, "region": question.region.value}
        ),
        style="warning",
        header=_reason(context, question),
        body=[
            _facts(context, question),
            heading(context.words("reconciliation-how-heading")),
            *_phones_to_check(context, question),
            text(context.words("reconciliation-how")),
            code_block(context.words("reconciliation-how-command")),
        ],
        actions=[
            _answer_button(context, question, "check", context.words("button-check")),
            _ran_button(context, question),
            _not_run_button(context, question),
        ],
    )


def _reason(context: CardContext, question: ReconciliationQuestion) -> list[CardElement]:
    cancelling = status.cancellation_requested(context.snapshot)
    reason = "reconciliation-reason-cancelling" if cancelling else "reconciliation-reason"
    lines = [text(context.words(reason), spacing="Small")]
    if question.error:
        error = context.free_text(question.error)
        lines.append(
            text(context.message("reconciliation-unreadable", error=error), spacing="Small")
        )
    return [*lines]


def _phones_to_check(context: CardContext, question: ReconciliationQuestion) -> list[CardElement]:
    """Names the first phones of the batch. Empty if they are not known."""
    if not question.examples:
        return []
    names = Markup(", ".join(map(context.markdown_value, question.examples)))
    return [text(context.message("reconciliation-how-phones", names=names))]


def _answer_button(
    context: CardContext,
    question: ReconciliationQuestion,
    answer: str,
    title: str,
    *,
    style: ActionStyle | None = None,
    with_inputs: bool = False,
) -> ExecuteAction:
    """A button that answers `check`, `ran` or `not_run`, fenced by the submit attempt it is about."""
    return context.execute_action(
        Verb.RECONCILE,
        title,
        style=style,
        with_inputs=with_inputs,
        batch=question.batch_id,
        attempt=question.attempt,
        answer=answer,
    )


def _ran_button(context: CardContext, question: ReconciliationQuestion) -> Action:
    """Opens an input for the Gateway's batch id (`batch_id` in the card's data)."""
    return ShowCardAction(
        title=context.words("button-ran"),
        card=AdaptiveCard(
            version="1.5",
            body=[
                text(context.words("reconciliation-ran")),
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
                _answer_button(
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


def _not_run_button(context: CardContext, question: ReconciliationQuestion) -> Action:
    """Opens a confirmation, because this answer resubmits the batch, unless the request is being canceled."""
    cancelling = status.cancellation_requested(context.snapshot)
    effect = "reconciliation-not-run-cancelling" if cancelling else "reconciliation-not-run"
    answer = "button-not-run-now-cancelling" if cancelling else "button-not-run-now"
    return ShowCardAction(
        title=context.words("button-not-run"),
        style="destructive",
        card=AdaptiveCard(
            version="1.5",
            body=[text(context.message(effect, phones=question.phones))],
            actions=[
                _answer_button(
                    context,
                    question,
                    "not_run",
                    context.words(answer),
                    style="destructive",
                )
            ],
        ),
    )


def _answered(context: CardContext) -> CardParts:
    """Read-only: the batch is settled or checked again, or the request has ended."""
    snapshot = context.snapshot
    style = status.style(snapshot)
    if snapshot.state is not RequestState.RUNNING:
        return CardParts(status.headline(context), style, (), status.timeline(context))
    if context.view.batch_id in snapshot.unsettled:
        checking = text(context.words("reconciliation-checking-how"))
        return CardParts(Headline("reconciliation-checking"), style, [checking])
    cancelling = int(status.cancellation_requested(snapshot))
    headline = Headline("reconciliation-answered", {"cancelling": cancelling})
    return CardParts(headline, style, [text(context.message("current-state", request=snapshot.id))])
