"""The card that says how the set-up is: what failed first, each with what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Protocol

from microsoft_teams.cards.core import AdaptiveCard, CardElement, Container, ContainerStyle

from bot.words import Words
from cards.elements import SIGNS, dump, heading, strong, text, title
from cards.escape import markdown
from cards.types import Rendered

_FINE = "ok"
# A state and the tone in which it is said; in the order in which people need them.
_TONES: Mapping[str, ContainerStyle] = MappingProxyType(
    {"failed": "attention", "unknown": "warning", _FINE: "good"}
)
_UNKNOWN_SIGN = "?"
_LONGEST = 200  # characters of a value from outside: a dozen findings have to fit on one card


class Finding(Protocol):
    """What the doctor says of one step."""

    @property
    def step(self) -> str: ...

    @property
    def state(self) -> str: ...

    @property
    def message(self) -> str: ...

    @property
    def arguments(self) -> Mapping[str, str | int]: ...


def checks(words: Words, findings: Sequence[Finding]) -> Rendered:
    """All findings, what is not well first."""
    counts = {state: sum(each.state == state for each in findings) for state in _TONES}
    verdict = words(
        "checks-verdict",
        failed=counts["failed"],
        unknown=counts["unknown"],
        total=len(findings),
    )
    escaping = words.escaping(partial(markdown, longest=_LONGEST))
    worst = next((state for state in _TONES if counts[state]), _FINE)
    body: list[CardElement] = []
    for state in _TONES:
        these = [each for each in findings if each.state == state]
        if these:
            body.append(heading(f"{_sign(state)} {words(f'checks-word-{state}')}"))
        for each in these:
            body += _lines(escaping, each)
    card = AdaptiveCard(
        version="1.5",
        lang=words.language,
        fallback_text=verdict,
        body=[
            Container(style=_TONES[worst], bleed=True, items=[title(verdict)]),
            *body,
            text(words("checks-only-looked"), subtle=True),
        ],
    )
    return Rendered(dump(card), verdict)


def _sign(state: str) -> str:
    return _UNKNOWN_SIGN if state == "unknown" else SIGNS[_TONES[state]]


def _lines(words: Words, finding: Finding) -> list[CardElement]:
    lines: list[CardElement] = [
        strong(f"{_sign(finding.state)} {words(f'check-{finding.step}')}"),
        text(words(finding.message, **finding.arguments), spacing="Small"),
    ]
    if finding.state != _FINE:
        fix = words.part(finding.message, "fix", **finding.arguments)
        lines.append(text(f"→ {fix}", spacing="Small"))
    return lines
