"""Reads Excel workbooks (XLSX) into rows of text, safely.

A workbook is a zip of XML, and both can be decompression bombs. So openpyxl reads every part through a
meter, which counts what actually comes out of the zip, not what the zip claims, and enforces limits on
total bytes, total tags (which determine parsing time and memory), and bytes without a tag (a giant
cell). The compression ratio is not limited: legitimate sheets compress 50 to 1, and the absolute limits
bound the damage. openpyxl parses with defusedxml, which rejects entities.
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
MAX_COST = 1_000_000  # in units of one cell tag; the same 20,000 rows take about 600,000
MAX_BYTES_WITHOUT_TAG = 1024 * 1024
MAX_COLUMNS = 256  # further cells in a row are not read
MAX_ROWS = 1_048_576  # per sheet, as in Excel
HEADER_ROWS = 50  # rows searched for the header when choosing a sheet

# openpyxl takes about 4 µs per cell or string tag and about 20 times that for any other tag (styles,
# relations, sheets); opening a part costs about as much as ten of the latter.
_CELL_TAG = re.compile(rb"<(?:\w+:)?(?:row|c|v|f|t|is|si)[\s/>]")
_OTHER_TAG_COST = 20
_OPENING_COST = 200
_MAX_EXACT_FLOAT = 2**53  # floats represent all integers below this exactly
_BLOCK_BYTES = 256 * 1024

NumberedRows = Iterator[tuple[int, Sequence[str]]]


def read(
    data: bytes, is_expected: Callable[[Sequence[str]], bool]
) -> tuple[NumberedRows, list[Notice]]:
    """The rows of the first sheet whose first non-blank row `is_expected`, else of the first with data.

    Rows are numbered as Excel shows them. Raises `UnreadableFileError`, also during iteration.
    """
    try:
        sheets = _sheets(data)
        headers = [_first_filled_row(sheet) for sheet in sheets]
    except UnreadableFileError:
        raise
    except Exception as error:
        raise UnreadableFileError("workbook-broken") from error
    chosen = next(
        (at for at, header in enumerate(headers) if is_expected(header)),
        next((at for at, header in enumerate(headers) if header), None),
    )
    if chosen is None:
        raise UnreadableFileError("empty")
    notices = [
        Notice("sheet-chosen", {"sheet": shorten(sheets[chosen].title), "others": len(sheets) - 1})
    ]
    return _rows(sheets[chosen], len(headers[chosen])), notices if len(sheets) > 1 else []


class _Meter:
    """Counts what has come out of a zip. Raises `UnreadableFileError` beyond the limits."""

    def __init__(self) -> None:
        self._bytes = self._cost = 0

    def count_part(self) -> None:
        self._spend(0, _OPENING_COST)

    def count_chunk(self, chunk: bytes) -> None:
        tags = chunk.count(b"<") - chunk.count(b"</")
        cells = len(_CELL_TAG.findall(chunk))
        self._spend(len(chunk), cells + _OTHER_TAG_COST * (tags - cells))

    def _spend(self, size: int, cost: int) -> None:
        self._bytes += size
        self._cost += cost
        if self._bytes > MAX_UNPACKED or self._cost > MAX_COST:
            raise UnreadableFileError("workbook-too-large")


class _MeteredPart:
    """One part of the zip, read through the meter."""

    def __init__(self, part: IO[bytes], meter: _Meter) -> None:
        self._part = part
        self._meter = meter
        self._bytes_since_tag = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._part.close()

    def read(self, size: int = -1) -> bytes:
        """Everything if `size` is negative, else the next block.

        Blocks are larger than the parser asks for, because expat before 2.6 rescans an unfinished token
        from its start with every block (CVE-2023-52425).
        """
        if size < 0:
            return b"".join(iter(self._block, b""))
        return self._block()

    def _block(self) -> bytes:
        block = self._part.read(_BLOCK_BYTES)
        self._meter.count_chunk(block)
        last_tag = block.rfind(b"<")
        self._bytes_since_tag = (
            self._bytes_since_tag + len(block) if last_tag < 0 else len(block) - last_tag
        )
        if self._bytes_since_tag > MAX_BYTES_WITHOUT_TAG:
            raise UnreadableFileError("workbook-too-large")
        return block


class _MeteredZip(zipfile.ZipFile):
    """A zip file whose parts are all read through one meter."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self._meter = _Meter()

    def open(
        self,
        name: str | zipfile.ZipInfo,
        mode: Literal["r", "w"] = "r",
        pwd: bytes | None = None,
        *,
        force_zip64: bool = False,
    ) -> Any:
        self._meter.count_part()
        part = self.getinfo(name) if isinstance(name, str) else name
        if part.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            # Other compression methods can demand any amount of memory.
            raise UnreadableFileError("workbook-broken")
        return _MeteredPart(super().open(part, mode, pwd, force_zip64=force_zip64), self._meter)


def _sheets(data: bytes) -> list[Any]:
    archive = _MeteredZip(data)
    names = archive.namelist()
    if not any(name.startswith("xl/") and name.endswith(".xml") for name in names):
        raise UnreadableFileError("not-a-table", kind="zip")
    if len(names) > MAX_PARTS:
        raise UnreadableFileError("workbook-too-large")
    reader = ExcelReader(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    reader.archive = archive
    with warnings.catch_warnings():
        # openpyxl warns about styles and extensions it drops; none of them matter here.
        warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")
        reader.read()
    return reader.wb.worksheets


def _first_filled_row(sheet: Any) -> Sequence[str]:
    """The first non-blank row, up to its last non-blank cell."""
    for row in sheet.iter_rows(values_only=True, max_row=HEADER_ROWS, max_col=MAX_COLUMNS):
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
    """A cell as text. Whole numbers have no decimals, such as a MAC address stored as a number."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _MAX_EXACT_FLOAT:
        return str(int(cell))
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    return str(cell)
