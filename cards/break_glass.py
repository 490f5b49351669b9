"""What cards show of break-glass: the form with which a requester uses it, and that it was used."""

from __future__ import annotations

from microsoft_teams.cards.core import (
    Action,
    AdaptiveCard,
    CardElement,
    NumberInput,
    ShowCardAction,
    TextInput,
)

from bot.signin.policy.decision import Ruling
from bot.signin.snapshot import Review
from cards import accounts
from cards.context import CardContext
from cards.elements import bold, text, timestamp
from cards.escape import Markup
from cards.types import Verb


def button(context: CardContext) -> list[Action]:
    """Opens the form on the requester's own card. Empty for those who may not use it, and while an overlap
    has to be explained, which break-glass does not pass over."""
    snapshot = context.snapshot
    if context.break_glass is not Ruling.YES or snapshot.reason_wanted_since:
        return []
    passwords = snapshot.roster.accounts
    body: list[CardElement] = [
        bold(context.message("break-glass-warning", accounts=passwords)),
        text(context.words("break-glass-how")),
        TextInput(
            id="reason",
            label=context.words("label-break-glass-reason"),
            max_length=300,
            is_multiline=True,
            is_required=True,
            error_message=context.words("break-glass-reason"),
        ),
        TextInput(
            id="ticket",
            label=context.words("label-break-glass-ticket"),
            placeholder=context.words("placeholder-ticket"),
            max_length=60,
            is_required=True,
            error_message=context.words("break-glass-ticket"),
        ),
        NumberInput(
            id="passwords",
            label=context.words("label-passwords"),
            min=1,
            is_required=True,
            error_message=context.message("break-glass-passwords", accounts=passwords),
        ),
        *accounts.confirm_inputs(context),
    ]
    action = context.execute_action(
        Verb.BREAK_GLASS,
        context.message("button-break-glass-now", accounts=passwords),
        style="destructive",
        with_inputs=True,
        digest=snapshot.digest,
        **({"shown": snapshot.shown} if snapshot.shown else {}),
    )
    card = AdaptiveCard(version="1.5", body=body, actions=[action])
    title = context.words("button-break-glass")
    return [ShowCardAction(title=title, style="destructive", card=card)]


def sentences(context: CardContext, review: Review) -> list[str]:
    """For the timeline: who used it and why, and what came of the review."""
    return [
        context.message(
            "timeline-break-glass",
            person=context.person_name(review.used_by),
            when=timestamp(review.used_at),
            reason=context.free_text(review.reason),
            ticket=Markup(context.markdown_value(review.ticket)),
        ),
        context.message("timeline-passed-over", votes=review.votes),
        *_outcome(context, review),
    ]


def _outcome(context: CardContext, review: Review) -> list[str]:
    if review.reviewed_at is None:
        return [context.words("timeline-review-open")]
    return [
        context.message(
            "timeline-reviewed",
            person=context.person_name(review.reviewed_by),
            when=timestamp(review.reviewed_at),
            comment=context.free_text(review.comment),
        )
    ]
