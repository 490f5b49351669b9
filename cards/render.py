"""A request as a card: any kind, in any state, below Teams' limit whatever its values are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from microsoft_teams.cards.core import AdaptiveCard, CardElement, Container

from bot.signin.snapshot import RequestSnapshot
from bot.words import Words
from cards import approval, progress, question, results, standing, validation
from cards.elements import badge, dump, size, text, title
from cards.escape import Markup
from cards.kinds import CardKind, Rendered, View
from cards.scene import BUDGETS, Scene, Sheet

# Teams' limit for cards is 28 KB; the message around one needs some of it.
MAX_BYTES = 27_000

_SHEETS: Mapping[CardKind, Callable[[Scene], Sheet]] = MappingProxyType(
    {
        CardKind.VALIDATION: validation.sheet,
        CardKind.APPROVAL: approval.sheet,
        CardKind.PROGRESS: progress.sheet,
        CardKind.RESULTS: results.sheet,
        CardKind.QUESTION: question.sheet,
    }
)


def render(
    kind: CardKind, snapshot: RequestSnapshot, view: View, words: Words, *, home_tenant: str
) -> Rendered:
    """The card of `kind` as `snapshot` has it, with as much detail as fits below `MAX_BYTES`.

    `home_tenant` goes into provisioning URLs.
    """
    scenes = [Scene(snapshot, view, words, home_tenant, budget) for budget in BUDGETS]
    rendered = _within(scenes[0], kind)
    for scene in scenes[1:]:
        if size(rendered.card) < MAX_BYTES:
            break
        rendered = _within(scene, kind)
    return rendered


def _within(scene: Scene, kind: CardKind) -> Rendered:
    made = _SHEETS[kind](scene)
    verdict = made.verdict
    told = Markup(scene.label(verdict.message, **verdict.arguments))
    summary = scene.label("summary", verdict=told, request=scene.snapshot.id)
    card = AdaptiveCard(
        version="1.5",
        lang=scene.words.language,
        fallback_text=summary,
        body=[_header(scene, made), *made.body, text(_origin(scene), subtle=True)],
        actions=list(made.actions) or None,
    )
    return Rendered(dump(card), summary)


def _header(scene: Scene, made: Sheet) -> CardElement:
    verdict = scene.say(made.verdict.message, **made.verdict.arguments)
    state = badge(standing.word(scene), standing.tone(scene.snapshot))
    return Container(style=made.tone, bleed=True, items=[state, title(verdict), *made.lead])


def _origin(scene: Scene) -> str:
    """Which request this is: what people read out to each other and type."""
    snapshot = scene.snapshot
    origin = scene.say("origin", request=snapshot.id, file=snapshot.roster.file_name)
    if not snapshot.retry_of:
        return origin
    return f"{origin} {scene.say('origin-retry', request=snapshot.retry_of)}"
