"""The header: which columns are ours, in any order, case and spelling; who else's are ignored.

Microsoft's own form of the two columns is `Username, HardwareId`, with a space.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from bot.phones import hardware_id, reader, region
from bot.phones.errors import UnreadableFileError
from bot.phones.issue import Column, Notice
from bot.phones.value import shorten, trim

_MEANING: Mapping[str, Column] = MappingProxyType(
    {
        "username": Column.USERNAME,
        "user": Column.USERNAME,
        "userprincipalname": Column.USERNAME,
        "upn": Column.USERNAME,
        "account": Column.USERNAME,
        "hardwareid": Column.HARDWARE_ID,
        "mac": Column.HARDWARE_ID,
        "macaddress": Column.HARDWARE_ID,
        "region": Column.REGION,
    }
)
# Columns of our own export, which may come back as it is.
_OWN = frozenset({"status", "error", "cause", "fix", "batchid", "provisioningurl"})
_NOT_IN_A_NAME = re.compile(r"[\W_]+")
_NEEDED = frozenset({Column.USERNAME, Column.HARDWARE_ID})
_LISTED = 5  # ignored columns that are named
_SHOWN = 40  # characters of a column's name


def is_header(row: Sequence[str]) -> bool:
    """True if `row` names both columns that a roster needs."""
    return meanings(row).keys() >= _NEEDED


def is_data(row: Sequence[str]) -> bool:
    """True if `row` is a phone itself: its second cell is spelled like a hardware id."""
    return len(row) > 1 and hardware_id.resembles(row[1])


def meanings(row: Sequence[str]) -> dict[Column, int]:
    """Where the columns that `row` names stand first."""
    found: dict[Column, int] = {}
    for at, name in enumerate(row):
        column = _MEANING.get(_bare(name))
        if column is not None:
            found.setdefault(column, at)
    return found


def columns(header: Sequence[str]) -> dict[Column, int]:
    """Where our columns stand. Raises `Unreadable` if the header leaves that open."""
    if len(header) > reader.MAX_COLUMNS:
        raise UnreadableFileError("too-many-columns", columns=len(header), limit=reader.MAX_COLUMNS)
    found = meanings(header)
    for at, name in enumerate(header):
        column = _MEANING.get(_bare(name))
        if column is not None and found[column] != at:
            raise UnreadableFileError(
                "column-twice",
                column=column.value,
                first=shorten(trim(header[found[column]]), _SHOWN),
                second=shorten(trim(name), _SHOWN),
            )
    missing = sorted(_NEEDED - found.keys())
    if not missing:
        return found
    names = [name for name in map(trim, header) if name]
    shown = shorten(", ".join(names))
    if len(names) == 1:
        raise UnreadableFileError("one-column", found=shown)
    if len(missing) == 1:
        raise UnreadableFileError("column-missing", column=missing[0].value, found=shown)
    raise UnreadableFileError("no-header", found=shown)


def ignored(header: Sequence[str]) -> Iterator[Notice]:
    """The notice that names the columns which are nobody's, if there are any."""
    names = [name for name in map(trim, header) if name and _bare(name) not in {*_MEANING, *_OWN}]
    if names:
        listed = ", ".join(shorten(name, _SHOWN) for name in names[:_LISTED])
        yield Notice("columns-ignored", {"names": listed, "more": max(0, len(names) - _LISTED)})


def assumed(row: Sequence[str]) -> dict[Column, int]:
    """Where our columns stand in a table without a header that starts with `row`."""
    found = {Column.USERNAME: 0, Column.HARDWARE_ID: 1}
    if len(row) > 2 and region.parse(row[2]):
        found[Column.REGION] = 2
    return found


def _bare(name: str) -> str:
    return _NOT_IN_A_NAME.sub("", name.casefold())
