"""Excel workbooks (XLSX) to rows of text, with the far side of the zip held at arm's length.

A workbook is a zip of XML, and both can be made to explode. So openpyxl reads every part through a
gauge, which counts what really comes out of the zip, not what the zip claims, and stops at a limit:
bytes in all, tags in all (they are what parsing costs, in time and memory), and the longest stretch
without a tag (a giant cell). There is no limit on the ratio: honest sheets pack 50 to 1, and the
absolute limits bound the harm. openpyxl parses with defusedxml, which refuses entities.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time
from typing import IO, Any, Literal, Self

from openpyxl.reader.excel import ExcelReader

from bot.phones.errors import UnreadableFileError
from bot.phones.issue import Notice
from bot.phones.value import shorten

MAX_PARTS = 1_000
MAX_UNPACKED = 24 * 1024 * 1024  # bytes; 20,000 rows of 12 columns take about 15 MB
MAX_COST = 1_000_000  # in tags of a cell; the same 20,000 rows take about 600,000
MAX_STRETCH = 1024 * 1024  # bytes without a tag
MAX_COLUMNS = 256  # further cells of a row are not read
MAX_ROWS = 1_048_576  # the height of a sheet in Excel
HEADER_WITHIN = 50  # rows, to be recognised in one sheet of several

# openpyxl takes some 4 µs for a tag of a cell or a string, and some 20 times that for any other
# (styles, relations, sheets); opening a part costs about as much as ten of those.
_CELL_TAG = re.compile(rb"<(?:\w+:)?(?:row|c|v|f|t|is|si)[\s/>]")
_OTHER_TAG_COST = 20
_OPENING_COST = 200
_EXACT = 2**53  # below this, a float that is whole is the number that was meant
_BLOCK = 256 * 1024

NumberedRows = Iterator[tuple[int, Sequence[str]]]


def read(data: bytes, fits: Callable[[Sequence[str]], bool]) -> tuple[NumberedRows, list[Notice]]:
    """The rows of the first sheet whose first filled row `fits`, else of the first filled sheet.

    Rows are numbered as Excel shows them. Raises `Unreadable`, also while the rows are read.
    """
    try:
        sheets = _sheets(data)
        headers = [_first_filled(sheet) for sheet in sheets]
    except UnreadableFileError:
        raise
    except Exception as error:
        raise UnreadableFileError("workbook-broken") from error
    at = next(
        (at for at, header in enumerate(headers) if fits(header)),
        next((at for at, header in enumerate(headers) if header), None),
    )
    if at is None:
        raise UnreadableFileError("empty")
    notices = [
        Notice("sheet-chosen", {"sheet": shorten(sheets[at].title), "others": len(sheets) - 1})
    ]
    return _rows(sheets[at], len(headers[at])), notices if len(sheets) > 1 else []


class _Gauge:
    """What has come out of a zip so far. Raises `Unreadable` at the limits."""

    def __init__(self) -> None:
        self._bytes = self._cost = 0

    def opened(self) -> None:
        self._spend(0, _OPENING_COST)

    def passed(self, chunk: bytes) -> None:
        tags = chunk.count(b"<") - chunk.count(b"</")
        cells = len(_CELL_TAG.findall(chunk))
        self._spend(len(chunk), cells + _OTHER_TAG_COST * (tags - cells))

    def _spend(self, size: int, cost: int) -> None:
        self._bytes += size
        self._cost += cost
        if self._bytes > MAX_UNPACKED or self._cost > MAX_COST:
            raise UnreadableFileError("workbook-too-large")


class _GaugedPart:
    """One part of the zip, read through the gauge."""

    def __init__(self, part: IO[bytes], gauge: _Gauge) -> None:
        self._part = part
        self._gauge = gauge
        self._stretch = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._part.close()

    def read(self, size: int = -1) -> bytes:
        """Everything, or the next block. A block is larger than the parser asks for: expat before 2.6
        looks at an unfinished token from its start again with every block (CVE-2023-52425)."""
        if size < 0:
            return b"".join(iter(self._block, b""))
        return self._block()

    def _block(self) -> bytes:
        block = self._part.read(_BLOCK)
        self._gauge.passed(block)
        last = block.rfind(b"<")
        self._stretch = self._stretch + len(block) if last < 0 else len(block) - last
        if self._stretch > MAX_STRETCH:
            raise UnreadableFileError("workbook-too-large")
        return block


class _GaugedZip(zipfile.ZipFile):
    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self._gauge = _Gauge()

    def open(
        self,
        name: str | zipfile.ZipInfo,
        mode: Literal["r", "w"] = "r",
        pwd: bytes | None = None,
        *,
        force_zip64: bool = False,
    ) -> Any:
        self._gauge.opened()
        part = self.getinfo(name) if isinstance(name, str) else name
        if part.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise UnreadableFileError(
                "workbook-broken"
            )  # the others may ask for any amount of memory
        return _GaugedPart(super().open(part, mode, pwd, force_zip64=force_zip64), self._gauge)


def _sheets(data: bytes) -> list[Any]:
    archive = _GaugedZip(data)
    names = archive.namelist()
    if not any(name.startswith("xl/") and name.endswith(".xml") for name in names):
        raise UnreadableFileError("not-a-table", kind="zip")
    if len(names) > MAX_PARTS:
        raise UnreadableFileError("workbook-too-large")
    reader = ExcelReader(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    reader.archive = archive
    with warnings.catch_warnings():
        # openpyxl warns of styles and extensions that it drops; none of them is read here.
        warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")
        reader.read()
    return reader.wb.worksheets


def _first_filled(sheet: Any) -> Sequence[str]:
    """The first row with something in it, up to its last filled cell."""
    for row in sheet.iter_rows(values_only=True, max_row=HEADER_WITHIN, max_col=MAX_COLUMNS):
        filled = [at for at, cell in enumerate(row) if _text(cell)]
        if filled:
            return [_text(cell) for cell in row[: filled[-1] + 1]]
    return ()


def _rows(sheet: Any, width: int) -> NumberedRows:
    rows = sheet.iter_rows(values_only=True, max_row=MAX_ROWS, max_col=width)
    try:
        for number, cells in enumerate(rows, start=1):
            if cells.count(None) < len(cells):
                yield number, [_text(cell) for cell in cells]
    except UnreadableFileError:
        raise
    except Exception as error:
        raise UnreadableFileError("workbook-broken") from error


def _text(cell: object) -> str:
    """A cell as text; an address that was kept as a number gets no decimals."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _EXACT:
        return str(int(cell))
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    return str(cell)
