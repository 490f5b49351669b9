"""The bytes of a file to rows of text: what kind of file it is, its encoding, its delimiter.

A row is numbered as a spreadsheet shows it: a record counts as one row however many lines it takes,
and blank lines count. Excel hides a first line `sep=;`, so that one does not count.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bot.phones import encoding, workbook
from bot.phones.errors import UnreadableFileError
from bot.phones.issue import Notice

MAX_BYTES = 5 * 1024 * 1024
MAX_COLUMNS = 1_000
MAX_CELL = 131_072  # characters of one line, and of one value: the standing limit of Python's csv

DELIMITERS = (",", ";", "\t")

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # .xls, and workbooks with a password
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
# The catalogue says what each kind is.
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"),
    (b"%PDF-", "pdf"),
    (b"{\\rtf", "rtf"),
    (b"\x1f\x8b", "archive"),
    (b"7z\xbc\xaf\x27\x1c", "archive"),
    (b"Rar!\x1a\x07", "archive"),
    (b"MZ\x90\x00", "program"),
    (b"\x7fELF", "program"),
)
_MARKUP = re.compile(r"\s*<(?:!doctype|html|\?xml|table)\b", re.IGNORECASE)
_SEPARATOR_LINE = re.compile(r"sep=([,;\t|])\r?\n?", re.IGNORECASE)
# Cannot stand in a text: if it is not the last record by itself, an open quote has swallowed it.
_END = "\0"

_HEAD = 2 * MAX_CELL  # characters in which the first row is looked for

Fits = Callable[[Sequence[str]], bool]


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` gives each row's number and cells once, and may raise `Unreadable` while it does."""

    rows: Iterator[tuple[int, Sequence[str]]]
    notices: Sequence[Notice]


def read(data: bytes, fits: Fits) -> Table:
    """The table in a file, known by its content and not by its name.

    `fits` says if a first row looks as it should: it settles which sheet and which delimiter is meant.
    Raises `Unreadable`.
    """
    if len(data) > MAX_BYTES:
        raise UnreadableFileError("too-large", limit=MAX_BYTES // 1024 // 1024)
    if data.startswith(_ZIP):
        rows, notices = workbook.read(data, fits)
        return Table(rows, notices)
    if data.startswith(_OLE):
        raise UnreadableFileError("not-a-table", kind="encrypted" if _ENCRYPTED in data else "xls")
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            raise UnreadableFileError("not-a-table", kind=kind)
    text, notices = encoding.decode(data)
    if _MARKUP.match(text):
        raise UnreadableFileError("not-a-table", kind="markup")
    return Table(parse(text, fits), notices)


def parse(text: str, fits: Fits) -> Iterator[tuple[int, Sequence[str]]]:
    """The numbered rows of delimited text. Raises `Unreadable`, also while the rows are read."""
    named = _SEPARATOR_LINE.match(text)
    if named:
        text = text[named.end() :]
    _check_lines(text)
    return _records(text, named[1] if named else _delimiter(text, fits))


def first_row(text: str, delimiter: str) -> Sequence[str]:
    """The first row with something in it; empty if there is none."""
    try:
        records = csv.reader(io.StringIO(text[:_HEAD], newline=""), delimiter=delimiter)
        return next((cells for cells in records if any(map(str.strip, cells))), ())
    except csv.Error:
        return ()


def _delimiter(text: str, fits: Fits) -> str:
    """The delimiter with which the first row fits; failing that, the one that it holds most of.

    One that leaves nothing goes before: a text of delimiters alone is empty.
    """
    rows = {delimiter: first_row(text, delimiter) for delimiter in DELIMITERS}
    ranked = sorted(DELIMITERS, key=lambda each: (not rows[each], len(rows[each])), reverse=True)
    return next((delimiter for delimiter in ranked if fits(rows[delimiter])), ranked[0])


def _check_lines(text: str) -> None:
    """Refuse giant lines before the reader makes millions of cells of one."""
    start = 0  # of a line
    while len(text) - start > MAX_CELL:
        window = (start, start + MAX_CELL)
        end = max(text.rfind("\n", *window), text.rfind("\r", *window))
        if end < 0:
            raise _giant_line(text, start)
        start = end + 1


def _giant_line(text: str, start: int) -> UnreadableFileError:
    number = 1 + sum(1 for _ in io.StringIO(text[:start], newline=""))
    line = io.StringIO(text[start:], newline="").readline()
    columns = 1 + max(map(line.count, DELIMITERS))
    if columns > MAX_COLUMNS:
        return UnreadableFileError("too-many-columns", columns=columns, limit=MAX_COLUMNS)
    return UnreadableFileError("value-too-long", row=number, limit=MAX_CELL)


def _records(text: str, delimiter: str) -> Iterator[tuple[int, Sequence[str]]]:
    lines = itertools.chain(io.StringIO(text, newline=""), (_END,))
    number, end = 0, [_END]
    try:
        for number, cells in enumerate(csv.reader(lines, delimiter=delimiter), start=1):
            if cells == end:
                return
            yield number, cells
    except csv.Error as error:
        raise UnreadableFileError("value-too-long", row=number + 1, limit=MAX_CELL) from error
    raise UnreadableFileError("open-quote", row=number)
