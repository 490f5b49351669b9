"""An issue: one thing to say about one row, kept as an id and arguments until somebody reads it.

The catalogue holds the words: `issue-<code>` is the sentence, `issue-<code>.fix` the suggestion,
`notice-<code>` a remark on the file as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    ERROR = "error"  # the row is never submitted
    WARNING = "warning"  # the row is ready; somebody should look
    NOTE = "note"  # the row is ready; something was normalised


class Column(StrEnum):
    USERNAME = "Username"
    HARDWARE_ID = "HardwareId"
    REGION = "Region"


@dataclass(frozen=True, slots=True)
class Issue:
    """`row` is the line number that the file's reader sees: the header is 1, the first row 2."""

    row: int
    column: Column
    value: str  # as given
    code: str
    severity: Severity
    arguments: Mapping[str, str | int] = field(default_factory=dict[str, str | int])


@dataclass(frozen=True, slots=True)
class Notice:
    """A remark on the whole file: columns that were ignored, an encoding that was guessed."""

    code: str
    arguments: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
