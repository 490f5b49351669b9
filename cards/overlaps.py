"""What a request has in common with others: the box on the validation card and on the approval card."""

from __future__ import annotations

from microsoft_teams.cards.core import CardElement, TextBlock

from bot.signin.overlap import Overlap, may_name
from cards.context import CardContext
from cards.elements import bold, callout, text, timestamp
from cards.escape import Markup

_MAX_OTHERS = 3  # other requests shown; the exported issues have all


def box(context: CardContext, what_next: str, *, sees_all: bool) -> list[CardElement]:
    """How much is in common with which requests, and the message `what_next`. Empty if nothing is.

    `sees_all`: all who see the card may see every request.
    """
    overlaps = context.snapshot.overlaps
    if not overlaps:
        return []
    sentences = [bold(context.words("overlap-heading"))]
    for overlap in overlaps[:_MAX_OTHERS]:
        sentences += _lines(context, overlap, sees_all=sees_all)
    if (more := len(overlaps) - _MAX_OTHERS) > 0:
        sentences.append(text(context.message("overlap-more", requests=more), spacing="Small"))
    sentences.append(text(context.words(what_next)))
    return [callout(sentences, "warning")]


def _lines(context: CardContext, overlap: Overlap, *, sees_all: bool) -> list[TextBlock]:
    named = may_name(overlap, context.snapshot.requester.object_id, sees_all=sees_all)
    line = context.message(
        "overlap-line",
        known=int(named),
        request=overlap.request_id if named else "",
        state=overlap.state.value,
        when=timestamp(overlap.since),
        accounts=overlap.accounts,
        phones=overlap.phones,
    )
    lines = [text(f"• {line}", spacing="Small")]
    if overlap.examples:
        names = Markup(", ".join(map(context.markdown_value, overlap.examples)))
        examples = context.message("overlap-examples", names=names)
        lines.append(text(examples, subtle=True, spacing="None"))
    return lines
