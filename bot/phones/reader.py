"""Reads a file into rows of text, detecting its type, encoding and delimiter.

Rows are numbered as a spreadsheet shows them: a record is one row even if it spans several lines, and
blank lines count. Excel hides a first line such as `sep=;`, so that one does not count.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bot.phones import encoding
from bot.phones.errors import UnreadableFileError
from bot.phones.issue import Notice

MAX_BYTES = 5 * 1024 * 1024
MAX_COLUMNS = 1_000
MAX_CELL = 131_072  # characters per line and per value: the default limit of Python's csv module

DELIMITERS = (",", ";", "\t")

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # .xls files and password-protected workbooks
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
# Signature and kind, by which the catalog names the file type.
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
# Appended as the last line. Decoded text contains no NUL, so if this is not a record of its own, an
# unclosed quote has swallowed it.
_SENTINEL = "\0"

_HEAD_CHARACTERS = 2 * MAX_CELL  # searched for the first row

RowPredicate = Callable[[Sequence[str]], bool]


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose rows can be read once."""

    #: Number and cells of each row. May raise `UnreadableFileError` during iteration.
    rows: Iterator[tuple[int, Sequence[str]]]
    notices: Sequence[Notice]


def read(data: bytes, is_expected: RowPredicate) -> Table:
    """The table in a file, whose type is detected by content, not by name.

    `is_expected` tells whether a first row looks right; it decides between sheets and delimiters.
    Raises `UnreadableFileError`.
    """
    if len(data) > MAX_BYTES:
        raise UnreadableFileError("too-large", limit=MAX_BYTES // 1024 // 1024)
    if data.startswith(_ZIP):
        # Imported here: openpyxl takes memory that most services never need.
        from bot.phones import workbook

        rows, notices = workbook.read(data, is_expected)
        return Table(rows, notices)
    if data.startswith(_OLE):
        raise UnreadableFileError("not-a-table", kind="encrypted" if _ENCRYPTED in data else "xls")
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            raise UnreadableFileError("not-a-table", kind=kind)
    text, notices = encoding.decode(data)
    if _MARKUP.match(text):
        raise UnreadableFileError("not-a-table", kind="markup")
    return Table(parse(text, is_expected), notices)


def parse(text: str, is_expected: RowPredicate) -> Iterator[tuple[int, Sequence[str]]]:
    """The numbered rows of delimited text. Raises `UnreadableFileError`, also during iteration."""
    separator_line = _SEPARATOR_LINE.match(text)
    if separator_line:
        text = text[separator_line.end() :]
    _check_lines(text)
    return _records(text, separator_line[1] if separator_line else _delimiter(text, is_expected))


def first_row(text: str, delimiter: str) -> Sequence[str]:
    """The first non-blank row; empty if there is none."""
    try:
        records = csv.reader(io.StringIO(text[:_HEAD_CHARACTERS], newline=""), delimiter=delimiter)
        return next((cells for cells in records if any(map(str.strip, cells))), ())
    except csv.Error:
        return ()


def _delimiter(text: str, is_expected: RowPredicate) -> str:
    """The delimiter that yields an expected first row; failing that, the one that occurs most in it.

    A delimiter that leaves no non-blank row ranks first: text of delimiters alone is empty.
    """
    rows = {delimiter: first_row(text, delimiter) for delimiter in DELIMITERS}
    ranked = sorted(DELIMITERS, key=lambda each: (not rows[each], len(rows[each])), reverse=True)
    return next((delimiter for delimiter in ranked if is_expected(rows[delimiter])), ranked[0])


def _check_lines(text: str) -> None:
    """Reject overlong lines before the csv reader splits one into millions of cells.

    Raises `UnreadableFileError`.
    """
    start = 0  # of the current line
    while len(text) - start > MAX_CELL:
        window = (start, start + MAX_CELL)
        end = max(text.rfind("\n", *window), text.rfind("\r", *window))
        if end < 0:
            raise _line_too_long(text, start)
        start = end + 1


def _line_too_long(text: str, start: int) -> UnreadableFileError:
    number = 1 + sum(1 for _ in io.StringIO(text[:start], newline=""))
    line = io.StringIO(text[start:], newline="").readline()
    columns = 1 + max(map(line.count, DELIMITERS))
    if columns > MAX_COLUMNS:
        return UnreadableFileError("too-many-columns", columns=columns, limit=MAX_COLUMNS)
    return UnreadableFileError("value-too-long", row=number, limit=MAX_CELL)


def _records(text: str, delimiter: str) -> Iterator[tuple[int, Sequence[str]]]:
    lines = itertools.chain(io.StringIO(text, newline=""), (_SENTINEL,))
    number, end = 0, [_SENTINEL]
    try:
        for number, cells in enumerate(csv.reader(lines, delimiter=delimiter), start=1):
            if cells == end:
                return
            yield number, cells
    except csv.Error as error:
        raise UnreadableFileError("value-too-long", row=number + 1, limit=MAX_CELL) from error
    raise UnreadableFileError("open-quote", row=number)
