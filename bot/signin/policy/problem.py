"""What is wrong with a policy file, and where."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where."""

    line: int  #: from 1; 0 if it is about the file
    key: str  #: such as `rule[2].stages[1].need`; "" if it is about the file
    text: str  #: a sentence

    def __str__(self) -> str:
        where = f"line {self.line}, {self.key}: " if self.line and self.key else ""
        return f"{where or (f'line {self.line}: ' if self.line else '')}{self.text}"


class PolicyError(Exception):
    """The file is no policy. The message has a line for each problem."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def spelled(key: Key) -> str:
    parts = [f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in key]
    return "".join(parts).removeprefix(".")


def line_of(text: str, key: Key) -> int:
    """The line that a key stands on, or that its table begins on; as near as can be told without a parser
    that knows positions."""
    lines = text.splitlines()
    at = 0
    for position, part in enumerate(key):
        if isinstance(part, int):
            continue
        following = key[position + 1] if position + 1 < len(key) else None
        number = following + 1 if isinstance(following, int) else 1
        heading = re.compile(rf"\s*\[\[?\s*{re.escape(part)}\s*\]\]?\s*(#.*)?")
        headings = [n for n, line in enumerate(lines) if heading.fullmatch(line)]
        if len(headings) >= number:
            at = headings[number - 1]
            continue
        assigned = re.compile(rf"""(.*[{{,])?\s*["']?{re.escape(part)}["']?\s*=""")
        own = [n for n, line in enumerate(lines) if n >= at and assigned.match(line)]
        if not own:
            break
        at = own[0]
    return at + 1
