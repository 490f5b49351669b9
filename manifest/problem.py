"""Problems of a package, or of the options it is built from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One reason not to write a package."""

    #: Selects the sentence `package-<code>` of the message catalog, and its `.fix`.
    code: str
    #: Values for the sentence.
    arguments: Mapping[str, str | int]


class PackageError(Exception):
    """The package is not written, because it has these problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(", ".join(problem.code for problem in problems))
        self.problems = tuple(problems)
