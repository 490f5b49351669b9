"""Checks each row by itself, then the rows against each other.

Most rows of most files are spelled as the service wants them, and 20,000 are checked while somebody
waits: such a row costs two matches and no issue. Only the others are looked at more closely.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple

from bot.phones import hardware_id as hardware_ids
from bot.phones import region as regions
from bot.phones import username as usernames
from bot.phones.errors import UnreadableFileError
from bot.phones.issue import Column, Issue, Notice, Severity
from bot.phones.region import Region
from bot.phones.value import Flaw, shorten, trim

MAX_ROWS = 20_000

_RANK = MappingProxyType({Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2})


class RosterRow(NamedTuple):
    """One phone of the file. A value that cannot be used stands here as given, shortened.

    `number` is the row that a spreadsheet shows: the header is 1 unless blank lines come before it.
    """

    number: int
    username: str
    hardware_id: str
    region: Region | None  # None: the file gives none, or one that is not known
    ready: bool


class Findings(NamedTuple):
    """`issues` come errors first, then warnings, then notes, each in row order."""

    rows: Sequence[RosterRow]
    issues: Sequence[Issue]
    notices: Sequence[Notice]


def check(numbered: Iterator[tuple[int, Sequence[str]]], columns: Mapping[Column, int]) -> Findings:
    """Everything there is to say about the rows. Blank rows are left out.

    Raises `Unreadable` if there are too many, or if reading them does.
    """
    checker = _Checker()
    rows = checker.each(numbered, columns)
    checker.hardware_ids_across(rows)
    checker.accounts_across(rows)
    issues = sorted(checker.issues, key=lambda issue: (_RANK[issue.severity], issue.row))
    return Findings(rows, issues, list(checker.notices()))


class _Checker:
    def __init__(self) -> None:
        self.issues: list[Issue] = []
        self._respelled = 0
        self._example: Mapping[str, str | int] = {}  # the first hardware id that was respelled
        self._trimmed = 0
        self._misplaced: set[int] = set()  # rows with nothing wrong but the region
        self._regions: dict[str, Region | None] = {
            "": None,
            **{each.value: each for each in Region},
        }

    def each(
        self, numbered: Iterator[tuple[int, Sequence[str]]], columns: Mapping[Column, int]
    ) -> list[RosterRow]:
        rows: list[RosterRow] = []
        pick = itemgetter(columns[Column.USERNAME], columns[Column.HARDWARE_ID])
        at_region = columns.get(Column.REGION)
        width = 1 + max(columns.values())
        is_username = usernames.CANONICAL.fullmatch
        is_hardware_id = hardware_ids.CANONICAL.fullmatch
        known = self._regions
        for number, given in numbered:
            cells = given if len(given) >= width else [*given, *[""] * (width - len(given))]
            username, hardware_id = pick(cells)
            place = "" if at_region is None else cells[at_region]
            named = is_username(username) is not None
            if named and is_hardware_id(hardware_id) and place in known:
                rows.append(RosterRow(number, username, hardware_id, known[place], True))
            elif named or any(map(trim, cells)):
                rows.append(self._look_closer(number, username, hardware_id, place, named=named))
            if len(rows) > MAX_ROWS:
                others = sum(any(map(trim, cells)) for _, cells in numbered)
                raise UnreadableFileError("too-many-rows", rows=len(rows) + others, limit=MAX_ROWS)
        return rows

    def _look_closer(
        self, number: int, username: str, hardware_id: str, place: str, *, named: bool
    ) -> RosterRow:
        name = username if named else self._username(number, username)
        device = self._hardware_id(number, hardware_id)
        region = self._regions[place] if place in self._regions else regions.parse(trim(place))
        misplaced = region is None and trim(place) != ""
        if misplaced:
            self._say(number, Column.REGION, place, Flaw("region-unknown"))
        usable = name is not None and device is not None
        if usable and misplaced:
            self._misplaced.add(number)
        return RosterRow(
            number,
            shorten(username) if name is None else name,
            shorten(hardware_id) if device is None else device,
            region,
            usable and not misplaced,
        )

    def _username(self, number: int, given: str) -> str | None:
        parsed = usernames.parse(given)
        if isinstance(parsed, Flaw):
            self._say(number, Column.USERNAME, given, parsed)
            return None
        self._trimmed += parsed != given
        return parsed

    def _hardware_id(self, number: int, given: str) -> str | None:
        plain = trim(given)
        parsed = hardware_ids.parse(plain)
        if isinstance(parsed, Flaw):
            self._say(number, Column.HARDWARE_ID, given, parsed)
            return None
        self._trimmed += plain != given
        if parsed != plain:
            self._tell_spelling(number, plain, parsed)
        return parsed

    def _tell_spelling(self, number: int, given: str, read: str) -> None:
        if hardware_ids.port_was_padded(given, read):
            padded = Flaw("hardware-id-port-padded", {"read": read})
            self._say(number, Column.HARDWARE_ID, given, padded, Severity.NOTE)
            return
        self._respelled += 1
        if self._respelled == 1:
            self._example = {"row": number, "given": shorten(given), "read": read}

    def hardware_ids_across(self, rows: list[RosterRow]) -> None:
        """One hardware id on several rows: repeated for one account, or claimed by two."""
        first: dict[str, int] = {}
        again: dict[str, list[int]] = {}
        for at, row in enumerate(rows):
            if row.ready or row.number in self._misplaced:
                before = first.setdefault(row.hardware_id, at)
                if before != at:
                    again.setdefault(row.hardware_id, [before]).append(at)
        for places in again.values():
            self._repeated(rows, places)

    def _repeated(self, rows: list[RosterRow], places: Sequence[int]) -> None:
        first = rows[places[0]]
        account = first.username.lower()
        rival = next((rows[at] for at in places if rows[at].username.lower() != account), None)
        for at in places:
            row = rows[at]
            if rival is not None:
                other = rival if row.username.lower() == account else first
                flaw = Flaw(
                    "hardware-id-shared",
                    {"other": other.number, "account": shorten(other.username)},
                )
            elif row is first:
                continue
            else:
                flaw = Flaw("duplicate", {"first": first.number})
            self._say(row.number, Column.HARDWARE_ID, row.hardware_id, flaw)
            rows[at] = row._replace(ready=False)

    def accounts_across(self, rows: Sequence[RosterRow]) -> None:
        """One account on several phones is allowed, and worth a look."""
        first: dict[str, int] = {}
        for row in rows:
            if row.ready:
                before = first.setdefault(row.username.lower(), row.number)
                if before != row.number:
                    flaw = Flaw("account-on-several", {"first": before})
                    self._say(row.number, Column.USERNAME, row.username, flaw, Severity.WARNING)

    def notices(self) -> Iterator[Notice]:
        if self._respelled:
            yield Notice("hardware-ids-respelled", {"count": self._respelled, **self._example})
        if self._trimmed:
            yield Notice("values-trimmed", {"count": self._trimmed})

    def _say(
        self,
        row: int,
        column: Column,
        value: str,
        flaw: Flaw,
        severity: Severity = Severity.ERROR,
    ) -> None:
        self.issues.append(Issue(row, column, shorten(value), flaw.code, severity, flaw.arguments))
