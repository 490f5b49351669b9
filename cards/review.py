"""The review card: break-glass was used, and another approver confirms having seen it."""

from __future__ import annotations

from microsoft_teams.cards.core import CardElement, TextInput

from cards import status
from cards.context import CardContext, CardParts, Headline
from cards.elements import badge, facts, text
from cards.types import Verb
from cards.validation import region_facts


def build(context: CardContext) -> CardParts:
    snapshot = context.snapshot
    review = snapshot.review
    if review is None:
        style = status.style(snapshot)
        return CardParts(status.headline(context), style, (), status.timeline(context))
    person = context.person_name(review.used_by)
    pairs = [
        (context.words("fact-requester"), context.markdown_value(person)),
        (context.words("fact-file"), context.markdown_value(snapshot.roster.file_name)),
        *region_facts(context),
    ]
    body: list[CardElement] = [*status.timeline(context), facts(pairs)]
    if review.reviewed_at is not None:
        reviewer = context.person_name(review.reviewed_by)
        return CardParts(
            Headline("review-closed", {"person": reviewer}),
            "good",
            (),
            body,
            badge=badge(context.words("review-state-closed"), "good"),
        )
    body += [
        text(context.message("review-how", request=snapshot.id, person=person)),
        TextInput(
            id="comment",
            label=context.words("label-review"),
            placeholder=context.words("placeholder-review"),
            max_length=300,
            is_multiline=True,
            is_required=True,
            error_message=context.words("review-comment"),
        ),
    ]
    return CardParts(
        Headline("review-headline", {"person": person, "accounts": snapshot.roster.accounts}),
        "attention",
        (),
        body,
        [
            context.execute_action(
                Verb.REVIEW, context.words("button-review"), style="positive", with_inputs=True
            )
        ],
        badge(context.words("review-state-open"), "attention"),
    )
