"""The roster: the validated rows of a file, with their issues and notices.

`read` takes a file, `read_text` a table pasted into a chat message. A row with an error is not ready and
is never submitted; the other rows can proceed without it. Issues and notices are message IDs and
arguments, not text.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from zoneinfo import ZoneInfo

from bot.phones import header, reader
from bot.phones.errors import UnreadableFileError as UnreadableFileError
from bot.phones.issue import Column, Issue, Notice, Severity
from bot.phones.validation import MAX_ROWS as MAX_ROWS
from bot.phones.validation import RosterRow as RosterRow
from bot.phones.validation import validate
from bot.phones.value import trim

_FENCED = re.compile(r"```[ \t]*\w*[ \t]*\r?\n(.*?)(?:```|\Z)", re.DOTALL)
# Chat clients and mobile keyboards replace straight quotes and plain spaces.
_STRAIGHT_QUOTES = str.maketrans(
    dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb", '"')
    | dict.fromkeys("\u2018\u2019\u201a\u201b", "'")
    | {"\u00a0": " "}
)
_TEMPLATE = (
    "Username,HardwareId,Region\r\n"
    "reception.example@example.com,00-00-5E-00-53-01,EMEA\r\n"
    "fax.example@example.com,00-00-5E-00-53-02:001,NOAM\r\n"
)


@dataclass(frozen=True, slots=True)
class Roster:
    """The validated rows of a file."""

    #: File name for display; "" for a pasted table.
    name: str
    rows: Sequence[RosterRow]
    #: Errors first, then warnings, then notes, each in row order.
    issues: Sequence[Issue]
    notices: Sequence[Notice]

    @property
    def ready(self) -> int:
        """Number of rows that can be submitted."""
        return sum(map(attrgetter("ready"), self.rows))

    @property
    def not_ready(self) -> int:
        return len(self.rows) - self.ready

    @property
    def warnings(self) -> int:
        return sum(issue.severity is Severity.WARNING for issue in self.issues)

    @property
    def notes(self) -> int:
        return sum(issue.severity is Severity.NOTE for issue in self.issues)


def read(data: bytes, name: str, zone: ZoneInfo | None = None) -> Roster:
    """The roster in a CSV or XLSX file. `name` is for display.

    `zone`: of times that name none; UTC if it is not known. Raises `UnreadableFileError`.
    """
    table = reader.read(data, header.is_header)
    _, first = _first_filled_row(table.rows)
    notices = [*table.notices, *header.ignored_columns(first)]
    return _roster(name, table.rows, header.locate_columns(first), notices, zone)


def read_text(text: str, zone: ZoneInfo | None = None) -> Roster:
    """The roster in a chat message: a typed or pasted table, with or without code fence and header.

    `zone`: of times that name none; UTC if it is not known. Raises `UnreadableFileError`.
    """
    rows = reader.parse(_unwrap(text), _starts_table)
    number, first = _first_filled_row(rows)
    if header.is_phone(first):
        rows = itertools.chain([(number, first)], rows)
        return _roster("", rows, header.assumed_columns(first), [Notice("header-missing")], zone)
    ignored = list(header.ignored_columns(first))
    return _roster("", rows, header.locate_columns(first), ignored, zone)


def looks_like_csv(text: str) -> bool:
    """True if a chat message is a table of phones rather than a command or conversation."""
    try:
        content = _unwrap(text)
    except UnreadableFileError:
        return True
    multiline = "\n" in content
    rows = (reader.first_row(content, delimiter) for delimiter in reader.DELIMITERS)
    return any(
        _starts_table(row) or (multiline and len(row) > 1 and bool(header.column_positions(row)))
        for row in rows
    )


def template() -> str:
    """A CSV template. Its MAC addresses are reserved for documentation, so its rows are never ready."""
    return _TEMPLATE


def _starts_table(row: Sequence[str]) -> bool:
    return header.is_header(row) or header.is_phone(row)


def _unwrap(text: str) -> str:
    """The table in a message, without its code fence, with straight quotes and a cell delimiter.

    Raises `UnreadableFileError` when the text is too long or contains NUL characters.
    """
    if len(text) > reader.MAX_BYTES:
        raise UnreadableFileError("too-large", limit=reader.MAX_BYTES // 1024 // 1024)
    if "\0" in text:
        raise UnreadableFileError("nul-characters")
    fenced = _FENCED.search(text)
    content = (fenced[1] if fenced else text).strip("\r\n\ufeff ").translate(_STRAIGHT_QUOTES)
    content = content.encode(errors="replace").decode()  # lone surrogates cannot be stored
    if any(delimiter in content.partition("\n")[0] for delimiter in reader.DELIMITERS):
        return content
    # Some clients paste a spreadsheet's tabs as spaces; neither column can contain a space.
    tabbed = re.sub(r" +", "\t", re.sub(r" +$", "", content, flags=re.MULTILINE))
    first = reader.first_row(tabbed, "\t")
    is_table = header.is_header(first) or (header.is_phone(first) and "@" in first[0])
    return tabbed if is_table else content


def _first_filled_row(rows: Iterator[tuple[int, Sequence[str]]]) -> tuple[int, Sequence[str]]:
    """The first non-blank row. Raises `UnreadableFileError` when there is none."""
    for number, cells in rows:
        if any(map(trim, cells)):
            return number, cells
    raise UnreadableFileError("empty")


def _roster(
    name: str,
    rows: Iterator[tuple[int, Sequence[str]]],
    columns: Mapping[Column, int],
    notices: Sequence[Notice],
    zone: ZoneInfo | None,
) -> Roster:
    result = validate(rows, columns, zone)
    if not result.rows:
        raise UnreadableFileError("no-rows")
    return Roster(name, result.rows, result.issues, [*notices, *result.notices])
