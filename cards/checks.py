"""The card of the command `checks`: the doctor's findings, failures first, each with its fix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Protocol

from microsoft_teams.cards.core import AdaptiveCard, CardElement, Container, ContainerStyle

from bot.words import Words
from cards.elements import SYMBOLS, bold, heading, text, title, to_json
from cards.escape import markdown
from cards.types import RenderedCard

_OK = "ok"
# Finding states in the order they are listed, most urgent first
_STYLES: Mapping[str, ContainerStyle] = MappingProxyType(
    {"failed": "attention", "warning": "warning", "unknown": "warning", _OK: "good"}
)
_UNKNOWN_SYMBOL = "?"
_MAX_VALUE_CHARS = 200  # a dozen findings have to fit on one card


class Finding(Protocol):
    """The result of one check, as the doctor returns it."""

    @property
    def check(self) -> str:
        """Key of the check; `check-<key>` is its name in the message catalogue."""
        ...

    @property
    def state(self) -> str:
        """`failed`, `warning`, `unknown` or `ok`."""
        ...

    @property
    def message(self) -> str:
        """Message id. Unless `ok`, the message has the attribute `fix`."""
        ...

    @property
    def arguments(self) -> Mapping[str, str | int]:
        """Arguments of the message, unescaped."""
        ...


def checks(words: Words, findings: Sequence[Finding]) -> RenderedCard:
    """Renders all findings, grouped by state."""
    counts = {state: sum(each.state == state for each in findings) for state in _STYLES}
    headline = words(
        "checks-headline",
        failed=counts["failed"],
        unknown=counts["unknown"],
        warnings=counts["warning"],
        total=len(findings),
    )
    escaping = words.escaping(partial(markdown, max_length=_MAX_VALUE_CHARS))
    worst = next((state for state in _STYLES if counts[state]), _OK)
    body: list[CardElement] = []
    for state in _STYLES:
        group = [each for each in findings if each.state == state]
        if group:
            body.append(heading(f"{_symbol(state)} {words(f'checks-state-{state}')}"))
        for finding in group:
            body += _finding(escaping, finding)
    card = AdaptiveCard(
        version="1.5",
        lang=words.language,
        fallback_text=headline,
        body=[
            Container(style=_STYLES[worst], bleed=True, items=[title(headline)]),
            *body,
            text(words("checks-read-only"), subtle=True),
        ],
    )
    return RenderedCard(to_json(card), headline)


def _symbol(state: str) -> str:
    return _UNKNOWN_SYMBOL if state == "unknown" else SYMBOLS[_STYLES[state]]


def _finding(words: Words, finding: Finding) -> list[CardElement]:
    elements: list[CardElement] = [
        bold(f"{_symbol(finding.state)} {words(f'check-{finding.check}')}"),
        text(words(finding.message, **finding.arguments), spacing="Small"),
    ]
    if finding.state != _OK:
        fix = words.part(finding.message, "fix", **finding.arguments)
        elements.append(text(f"→ {fix}", spacing="Small"))
    return elements
