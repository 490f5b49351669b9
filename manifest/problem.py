"""What is wrong with a package or with what it was asked to be made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """`package-<code>` in the catalogue is the sentence, `package-<code>.fix` what to do."""

    code: str
    arguments: Mapping[str, str | int]


class PackageError(Exception):
    """No package is made, because of these."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(", ".join(problem.code for problem in problems))
        self.problems = tuple(problems)
