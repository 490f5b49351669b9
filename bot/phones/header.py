"""Header rows: locates the known columns in any order, case and spelling; ignores all others.

Microsoft's own header is `Username,HardwareId`; the Teams admin center's template for SIP devices heads
its columns `MAC id` and `Location`. Source: Microsoft, "Configure SIP Gateway". What the admin center
exports is not documented, so reasonable names are read, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from bot.phones import hardware_id, reader, region
from bot.phones.errors import UnreadableFileError
from bot.phones.issue import Column, Notice
from bot.phones.value import shorten, trim

_COLUMN_NAMES: Mapping[str, Column] = MappingProxyType(
    {
        "username": Column.USERNAME,
        "userprincipalname": Column.USERNAME,
        "upn": Column.USERNAME,
        "hardwareid": Column.HARDWARE_ID,
        "mac": Column.HARDWARE_ID,
        "macid": Column.HARDWARE_ID,
        "macaddress": Column.HARDWARE_ID,
        "region": Column.REGION,
    }
)
# Names that can mean something else, such as a display name or a serial number: they name a column only
# if no other name does.
_LOOSE_NAMES: Mapping[str, Column] = MappingProxyType(
    {
        "user": Column.USERNAME,
        "account": Column.USERNAME,
        "signinname": Column.USERNAME,
        "signedinuser": Column.USERNAME,
        "email": Column.USERNAME,
        "emailaddress": Column.USERNAME,
        "deviceid": Column.HARDWARE_ID,
    }
)
# Further columns of Offhook's export, which can be uploaded again unchanged.
_EXPORT_COLUMNS = frozenset(
    {"status", "error", "cause", "fix", "batchid", "provisioningurl", "seensignedin"}
)
_NON_WORD = re.compile(r"[\W_]+")
_REQUIRED = frozenset({Column.USERNAME, Column.HARDWARE_ID})
_MAX_LISTED = 5  # ignored columns listed by name
_MAX_NAME = 40  # characters shown of a column's name


def is_header(row: Sequence[str]) -> bool:
    """True if `row` names both required columns."""
    return column_positions(row).keys() >= _REQUIRED


def is_phone(row: Sequence[str]) -> bool:
    """True if `row` is a phone rather than a header: its second cell is spelled like a hardware ID."""
    return len(row) > 1 and hardware_id.resembles(row[1])


def column_positions(row: Sequence[str]) -> dict[Column, int]:
    """The index of the first occurrence of each known column."""
    positions: dict[Column, int] = {}
    for index, column in _named_columns(row):
        positions.setdefault(column, index)
    return positions


def _named_columns(row: Sequence[str]) -> list[tuple[int, Column]]:
    """Each cell that names a known column; loose names only of columns without another name."""
    names = [_normalize(name) for name in row]
    exact = [
        (index, _COLUMN_NAMES[name]) for index, name in enumerate(names) if name in _COLUMN_NAMES
    ]
    named = {column for _, column in exact}
    return exact + [
        (index, _LOOSE_NAMES[name])
        for index, name in enumerate(names)
        if name in _LOOSE_NAMES and _LOOSE_NAMES[name] not in named
    ]


def locate_columns(header: Sequence[str]) -> dict[Column, int]:
    """The index of each known column.

    Raises `UnreadableFileError` when a required column is missing or a column occurs twice.
    """
    if len(header) > reader.MAX_COLUMNS:
        raise UnreadableFileError("too-many-columns", columns=len(header), limit=reader.MAX_COLUMNS)
    positions = column_positions(header)
    for index, column in _named_columns(header):
        if positions[column] != index:
            raise UnreadableFileError(
                "column-twice",
                column=column.value,
                first=shorten(trim(header[positions[column]]), _MAX_NAME),
                second=shorten(trim(header[index]), _MAX_NAME),
            )
    missing = sorted(_REQUIRED - positions.keys())
    if not missing:
        return positions
    names = [name for name in map(trim, header) if name]
    shown = shorten(", ".join(names))
    if len(names) == 1:
        raise UnreadableFileError("one-column", found=shown)
    if len(missing) == 1:
        raise UnreadableFileError("column-missing", column=missing[0].value, found=shown)
    raise UnreadableFileError("no-header", found=shown)


def ignored_columns(header: Sequence[str]) -> Iterator[Notice]:
    """A notice that lists unused columns, if there are any."""
    used = {index for index, _ in _named_columns(header)}
    names = [
        trim(name)
        for index, name in enumerate(header)
        if index not in used and trim(name) and _normalize(name) not in _EXPORT_COLUMNS
    ]
    if names:
        listed = ", ".join(shorten(name, _MAX_NAME) for name in names[:_MAX_LISTED])
        yield Notice("columns-ignored", {"names": listed, "more": max(0, len(names) - _MAX_LISTED)})


def assumed_columns(row: Sequence[str]) -> dict[Column, int]:
    """The assumed column indexes of a table without a header whose first row is `row`."""
    positions = {Column.USERNAME: 0, Column.HARDWARE_ID: 1}
    if len(row) > 2 and region.parse(row[2]):
        positions[Column.REGION] = 2
    return positions


def _normalize(name: str) -> str:
    return _NON_WORD.sub("", name.casefold())
