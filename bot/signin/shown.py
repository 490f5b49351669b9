"""What a card showed when it was clicked: an approval counts only for that.

The button of an approval carries a token with a short digest of each aspect of the request that may
change while it waits. Compared with the token of the request as it is now, it tells what has changed. It
proves nothing about who clicks, and is no secret.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from enum import StrEnum

#: Characters of the longest token that is read.
MAX_CHARS = 300
_HEX_CHARS = 8


class Aspect(StrEnum):
    """`approval-changed-<value>` says that it has changed."""

    CHECKS = "checks"  # verdicts on accounts, and which are included in spite of them
    OVERLAP = "overlap"  # with other requests
    REASON = "reason"  # and the ticket
    WINDOWS = "windows"  # phones that are too late by now


def token(aspects: Mapping[Aspect, object]) -> str:
    """`aspects`: JSON-safe content of each."""
    return ".".join(f"{aspect.value}-{_digest(content)}" for aspect, content in aspects.items())


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:_HEX_CHARS]


def changed(then: str, now: str) -> Sequence[Aspect]:
    """What differs between two tokens. An aspect that one of them lacks is not compared: the card was
    posted by another version of Offhook."""
    before, after = _parsed(then), _parsed(now)
    return [
        aspect
        for aspect in Aspect
        if aspect in before and aspect in after and before[aspect] != after[aspect]
    ]


def kept(token: str) -> str:
    """What is kept of a token that was compared: what else it has, this version of Offhook did not show."""
    return ".".join(f"{aspect.value}-{digest}" for aspect, digest in _parsed(token).items())


def _parsed(text: str) -> Mapping[Aspect, str]:
    pairs = (part.partition("-") for part in text.split("."))
    known = set(Aspect)
    return {Aspect(name): digest for name, _, digest in pairs if name in known}
