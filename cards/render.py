"""A request as a card: any kind, in any state, below Teams' limit whatever its values are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from microsoft_teams.cards.core import AdaptiveCard, CardElement, Container

from bot.signin.snapshot import RequestSnapshot
from bot.words import Words
from cards import approval, progress, reconciliation, results, status, validation
from cards.context import BUDGETS, CardContext, Sheet
from cards.elements import badge, dump, size, text, title
from cards.escape import Markup
from cards.types import CardKind, Rendered, View

# Teams' limit for cards is 28 KB; the message around one needs some of it.
MAX_BYTES = 27_000

_SHEETS: Mapping[CardKind, Callable[[CardContext], Sheet]] = MappingProxyType(
    {
        CardKind.VALIDATION: validation.sheet,
        CardKind.APPROVAL: approval.sheet,
        CardKind.PROGRESS: progress.sheet,
        CardKind.RESULTS: results.sheet,
        CardKind.RECONCILIATION: reconciliation.sheet,
    }
)


def render(
    kind: CardKind, snapshot: RequestSnapshot, view: View, words: Words, *, home_tenant: str
) -> Rendered:
    """The card of `kind` as `snapshot` has it, with as much detail as fits below `MAX_BYTES`.

    `home_tenant` goes into provisioning URLs.
    """
    scenes = [CardContext(snapshot, view, words, home_tenant, budget) for budget in BUDGETS]
    rendered = _within(scenes[0], kind)
    for context in scenes[1:]:
        if size(rendered.card) < MAX_BYTES:
            break
        rendered = _within(context, kind)
    return rendered


def _within(context: CardContext, kind: CardKind) -> Rendered:
    made = _SHEETS[kind](context)
    verdict = made.verdict
    told = Markup(context.label(verdict.message, **verdict.arguments))
    summary = context.label("summary", verdict=told, request=context.snapshot.id)
    card = AdaptiveCard(
        version="1.5",
        lang=context.words.language,
        fallback_text=summary,
        body=[_header(context, made), *made.body, text(_origin(context), subtle=True)],
        actions=list(made.actions) or None,
    )
    return Rendered(dump(card), summary)


def _header(context: CardContext, made: Sheet) -> CardElement:
    verdict = context.say(made.verdict.message, **made.verdict.arguments)
    state = badge(status.word(context), status.tone(context.snapshot))
    return Container(style=made.tone, bleed=True, items=[state, title(verdict), *made.lead])


def _origin(context: CardContext) -> str:
    """Which request this is: what people read out to each other and type."""
    snapshot = context.snapshot
    origin = context.say("origin", request=snapshot.id, file=snapshot.roster.file_name)
    if not snapshot.retry_of:
        return origin
    return f"{origin} {context.say('origin-retry', request=snapshot.retry_of)}"
