"""The roster: what an admin handed in, row by row, with everything there is to say about it.

`read` takes a file, `read_text` a table pasted into a chat message. A row with an error is not ready
and never submitted; the others can go ahead without it. Nothing is put into words here: issues and
notices are ids and arguments.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from bot.phones import header, reader
from bot.phones.errors import UnreadableFileError as UnreadableFileError
from bot.phones.issue import Column, Issue, Notice, Severity
from bot.phones.validation import MAX_ROWS as MAX_ROWS
from bot.phones.validation import RosterRow as RosterRow
from bot.phones.validation import check
from bot.phones.value import trim

_FENCED = re.compile(r"```[ \t]*\w*[ \t]*\r?\n(.*?)(?:```|\Z)", re.DOTALL)
# Chat clients and phones turn typewriter quotes and spaces into their own.
_TYPED = str.maketrans(
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
    """`issues` come errors first, then warnings, then notes, each in row order."""

    name: str
    rows: Sequence[RosterRow]
    issues: Sequence[Issue]
    notices: Sequence[Notice]

    @property
    def ready(self) -> int:
        """How many rows can run."""
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


def read(data: bytes, name: str) -> Roster:
    """The roster in a CSV or XLSX file; `name` is for display. Raises `Unreadable`."""
    content = reader.read(data, header.is_header)
    _, first = _first_filled(content.rows)
    notices = [*content.notices, *header.ignored(first)]
    return _roster(name, content.rows, header.columns(first), notices)


def read_text(text: str) -> Roster:
    """The roster in a chat message: a table typed or pasted, fenced or not, even without a header.

    Raises `Unreadable`.
    """
    rows = reader.parse(_unwrapped(text), _starts_table)
    number, first = _first_filled(rows)
    if header.is_data(first):
        rows = itertools.chain([(number, first)], rows)
        return _roster("", rows, header.assumed(first), [Notice("header-missing")])
    return _roster("", rows, header.columns(first), list(header.ignored(first)))


def looks_like_csv(text: str) -> bool:
    """True if a chat message is a table of phones rather than a command or talk."""
    try:
        plain = _unwrapped(text)
    except UnreadableFileError:
        return True
    several = "\n" in plain
    rows = (reader.first_row(plain, delimiter) for delimiter in reader.DELIMITERS)
    return any(
        _starts_table(row) or (several and len(row) > 1 and bool(header.meanings(row)))
        for row in rows
    )


def template() -> str:
    """A CSV to fill in. Its example addresses are reserved for documentation and never ready."""
    return _TEMPLATE


def _starts_table(row: Sequence[str]) -> bool:
    return header.is_header(row) or header.is_data(row)


def _unwrapped(text: str) -> str:
    """A message without its code fence, with typewriter quotes and its cells kept apart by a delimiter.

    Raises `Unreadable` for what no table may hold.
    """
    if len(text) > reader.MAX_BYTES:
        raise UnreadableFileError("too-large", limit=reader.MAX_BYTES // 1024 // 1024)
    if "\0" in text:
        raise UnreadableFileError("nul-characters")
    fenced = _FENCED.search(text)
    plain = (fenced[1] if fenced else text).strip("\r\n\ufeff ").translate(_TYPED)
    plain = plain.encode(errors="replace").decode()  # half a surrogate pair can be stored nowhere
    if any(delimiter in plain.partition("\n")[0] for delimiter in reader.DELIMITERS):
        return plain
    # Some clients paste the tabs of a spreadsheet as spaces, and neither column can hold a space.
    spaced = re.sub(r" +", "\t", re.sub(r" +$", "", plain, flags=re.MULTILINE))
    first = reader.first_row(spaced, "\t")
    means_table = header.is_header(first) or (header.is_data(first) and "@" in first[0])
    return spaced if means_table else plain


def _first_filled(rows: Iterator[tuple[int, Sequence[str]]]) -> tuple[int, Sequence[str]]:
    """The first row with something in it. Raises `Unreadable` if there is none."""
    for number, cells in rows:
        if any(map(trim, cells)):
            return number, cells
    raise UnreadableFileError("empty")


def _roster(
    name: str,
    rows: Iterator[tuple[int, Sequence[str]]],
    columns: Mapping[Column, int],
    notices: Sequence[Notice],
) -> Roster:
    findings = check(rows, columns)
    if not findings.rows:
        raise UnreadableFileError("no-rows")
    return Roster(name, findings.rows, findings.issues, [*notices, *findings.notices])
