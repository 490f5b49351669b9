"""Validates each row, then the rows against each other.

A user waits while up to 20,000 rows are validated. Most are already in canonical form and take a fast
path of two pattern matches; only the others are parsed in detail.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bot.phones import hardware_id as hardware_ids
from bot.phones import provisioned as times
from bot.phones import region as regions
from bot.phones import username as usernames
from bot.phones.errors import UnreadableFileError
from bot.phones.formula import unescape_formula
from bot.phones.issue import Column, Issue, Notice, Severity, accounts_on_several
from bot.phones.provisioned import Provisioned
from bot.phones.region import Region
from bot.phones.value import Flaw, shorten, trim
from bot.phones.vendor import carries_handsets, usual_ports

MAX_ROWS = 20_000

_RANK = MappingProxyType({Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2})


class RosterRow(NamedTuple):
    """One row of the file. Values that cannot be used are kept as given, shortened for display."""

    #: Row number as a spreadsheet shows it: the header is 1 unless blank lines precede it.
    number: int
    username: str
    hardware_id: str
    #: None if the file gives none, or an unknown one.
    region: Region | None
    #: Whether the row can be submitted.
    ready: bool
    #: UTC time at which the phone was provisioned; None if the file gives none, or an unusable one.
    provisioned: datetime | None = None


class ValidatedRows(NamedTuple):
    """The result of validating a file's rows."""

    rows: Sequence[RosterRow]
    #: Errors first, then warnings, then notes, each in row order.
    issues: Sequence[Issue]
    notices: Sequence[Notice]


def validate(
    numbered_rows: Iterator[tuple[int, Sequence[str]]],
    columns: Mapping[Column, int],
    zone: ZoneInfo | None = None,
) -> ValidatedRows:
    """Validate the rows, skipping blank ones. `zone`: of times that name none; UTC if it is not known.

    Raises `UnreadableFileError` when there are more than `MAX_ROWS`, or when reading them does.
    """
    validator = _Validator(zone)
    rows = validator.validate_rows(numbered_rows, columns)
    validator.find_duplicate_hardware_ids(rows)
    validator.find_repeated_accounts(rows)
    validator.find_unusual_ports(rows)
    issues = sorted(validator.issues, key=lambda issue: (_RANK[issue.severity], issue.row))
    notices = [
        *validator.notices(),
        *accounts_on_several(row.username for row in rows if row.ready),
    ]
    return ValidatedRows(rows, issues, notices)


def _as_given(cell: str) -> str:
    """An unusable value for display. An export that contains it reads the same."""
    return shorten(unescape_formula(cell))


class _Validator:
    def __init__(self, zone: ZoneInfo | None) -> None:
        self.issues: list[Issue] = []
        self._respelled_count = 0
        # Message arguments for the first hardware ID that was respelled.
        self._respelled_example: Mapping[str, str | int] = {}
        self._trimmed_count = 0
        self._zone = zone
        self._zoneless_count = 0  # of rows with a time that names no zone
        self._times: dict[str, Provisioned | Flaw | None] = {}
        # Rows whose only flaw is the region.
        self._unknown_region_rows: set[int] = set()
        self._regions: dict[str, Region | None] = {
            "": None,
            **{each.value: each for each in Region},
        }

    def validate_rows(
        self, numbered_rows: Iterator[tuple[int, Sequence[str]]], columns: Mapping[Column, int]
    ) -> list[RosterRow]:
        rows: list[RosterRow] = []
        pick = itemgetter(columns[Column.USERNAME], columns[Column.HARDWARE_ID])
        region_index = columns.get(Column.REGION)
        provisioned_index = columns.get(Column.PROVISIONED)
        width = 1 + max(columns.values())
        is_username = usernames.CANONICAL.fullmatch
        is_hardware_id = hardware_ids.CANONICAL.fullmatch
        known_regions = self._regions
        for number, values in numbered_rows:
            cells = values if len(values) >= width else [*values, *[""] * (width - len(values))]
            username, hardware_id = pick(cells)
            region_text = "" if region_index is None else cells[region_index]
            valid_username = is_username(username) is not None
            provisioned = (
                None
                if provisioned_index is None
                else self._provisioned(number, cells[provisioned_index])
            )
            if valid_username and is_hardware_id(hardware_id) and region_text in known_regions:
                rows.append(
                    RosterRow(
                        number, username, hardware_id, known_regions[region_text], True, provisioned
                    )
                )
            elif valid_username or any(map(trim, cells)):
                rows.append(
                    self._parse_row(
                        number, username, hardware_id, region_text, valid_username=valid_username
                    )._replace(provisioned=provisioned)
                )
            if len(rows) > MAX_ROWS:
                remaining = sum(any(map(trim, cells)) for _, cells in numbered_rows)
                raise UnreadableFileError(
                    "too-many-rows", rows=len(rows) + remaining, limit=MAX_ROWS
                )
        return rows

    def _parse_row(
        self,
        number: int,
        username: str,
        hardware_id: str,
        region_text: str,
        *,
        valid_username: bool,
    ) -> RosterRow:
        parsed_username = username if valid_username else self._username(number, username)
        parsed_hardware_id = self._hardware_id(number, hardware_id)
        region = (
            self._regions[region_text]
            if region_text in self._regions
            else regions.parse(trim(region_text))
        )
        unknown_region = region is None and trim(region_text) != ""
        if unknown_region:
            self._add_issue(number, Column.REGION, region_text, Flaw("region-unknown"))
        valid = parsed_username is not None and parsed_hardware_id is not None
        if valid and unknown_region:
            self._unknown_region_rows.add(number)
        return RosterRow(
            number,
            _as_given(username) if parsed_username is None else parsed_username,
            _as_given(hardware_id) if parsed_hardware_id is None else parsed_hardware_id,
            region,
            valid and not unknown_region,
        )

    def _provisioned(self, number: int, text: str) -> datetime | None:
        """The time, if there is one. The row stays ready without: only its deadline is not known."""
        if text not in self._times:  # few phones are provisioned at a time of their own
            self._times[text] = times.parse(text, self._zone or UTC)
        time = self._times[text]
        if isinstance(time, Flaw):
            self._add_issue(number, Column.PROVISIONED, text, time, Severity.WARNING)
            return None
        if time is None:
            return None
        self._zoneless_count += not time.zone_given
        return time.at

    def _username(self, number: int, value: str) -> str | None:
        parsed = usernames.parse(value)
        if isinstance(parsed, Flaw):
            self._add_issue(number, Column.USERNAME, value, parsed)
            return None
        self._trimmed_count += parsed != value
        return parsed

    def _hardware_id(self, number: int, value: str) -> str | None:
        trimmed = trim(value)
        parsed = hardware_ids.parse(trimmed)
        if isinstance(parsed, Flaw):
            self._add_issue(number, Column.HARDWARE_ID, value, parsed)
            return None
        self._trimmed_count += trimmed != value
        if parsed != trimmed:
            self._note_respelling(number, trimmed, parsed)
        return parsed

    def _note_respelling(self, number: int, value: str, canonical: str) -> None:
        if hardware_ids.port_was_padded(value, canonical):
            padded = Flaw("hardware-id-port-padded", {"read": canonical})
            self._add_issue(number, Column.HARDWARE_ID, value, padded, Severity.NOTE)
            return
        self._respelled_count += 1
        if self._respelled_count == 1:
            self._respelled_example = {"row": number, "given": shorten(value), "read": canonical}

    def find_duplicate_hardware_ids(self, rows: list[RosterRow]) -> None:
        """Report hardware IDs on several rows, for one account or for different ones."""
        first: dict[str, int] = {}
        repeated: dict[str, list[int]] = {}
        for index, row in enumerate(rows):
            if row.ready or row.number in self._unknown_region_rows:
                first_index = first.setdefault(row.hardware_id, index)
                if first_index != index:
                    repeated.setdefault(row.hardware_id, [first_index]).append(index)
        for indexes in repeated.values():
            self._report_duplicates(rows, indexes)

    def _report_duplicates(self, rows: list[RosterRow], indexes: Sequence[int]) -> None:
        first = rows[indexes[0]]
        if carries_handsets(first.hardware_id):
            self._report_handsets(rows, indexes)
            return
        account = first.username.lower()
        rival = next(
            (rows[index] for index in indexes if rows[index].username.lower() != account), None
        )
        for at in indexes:
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
            self._add_issue(row.number, Column.HARDWARE_ID, row.hardware_id, flaw)
            rows[at] = row._replace(ready=False)

    def _report_handsets(self, rows: list[RosterRow], indexes: Sequence[int]) -> None:
        """Warn about several accounts on one DECT base: whether that works is not documented."""
        by_account: dict[str, RosterRow] = {}
        for at in indexes:
            row = rows[at]
            earlier = by_account.setdefault(row.username.lower(), row)
            if earlier is not row:
                flaw = Flaw("duplicate", {"first": earlier.number})
                self._add_issue(row.number, Column.HARDWARE_ID, row.hardware_id, flaw)
                rows[at] = row._replace(ready=False)
            elif len(by_account) > 1:
                other = rows[indexes[0]]
                flaw = Flaw(
                    "hardware-id-several-handsets",
                    {"other": other.number, "account": shorten(other.username)},
                )
                self._add_issue(
                    row.number, Column.HARDWARE_ID, row.hardware_id, flaw, Severity.WARNING
                )

    def find_repeated_accounts(self, rows: Sequence[RosterRow]) -> None:
        """Warn about accounts on several phones, which is allowed but often a mistake."""
        first: dict[str, int] = {}
        for row in rows:
            if row.ready:
                first_number = first.setdefault(row.username.lower(), row.number)
                if first_number != row.number:
                    flaw = Flaw("account-on-several", {"first": first_number})
                    self._add_issue(
                        row.number, Column.USERNAME, row.username, flaw, Severity.WARNING
                    )

    def find_unusual_ports(self, rows: Sequence[RosterRow]) -> None:
        """Warn about ports that only large adapters have: once per adapter, at its highest port."""
        highest: dict[str, RosterRow] = {}
        for row in rows:
            port = hardware_ids.port_of(row.hardware_id) if row.ready else None
            if port is not None and port > usual_ports(row.hardware_id):
                mac = row.hardware_id[:17]
                highest[mac] = max(highest.get(mac, row), row, key=lambda row: row.hardware_id)
        for row in highest.values():
            flaw = Flaw(
                "hardware-id-port-unusual",
                {"port": row.hardware_id[18:], "ports": usual_ports(row.hardware_id)},
            )
            self._add_issue(row.number, Column.HARDWARE_ID, row.hardware_id, flaw, Severity.WARNING)

    def notices(self) -> Iterator[Notice]:
        if self._respelled_count:
            yield Notice(
                "hardware-ids-respelled",
                {"count": self._respelled_count, **self._respelled_example},
            )
        if self._trimmed_count:
            yield Notice("values-trimmed", {"count": self._trimmed_count})
        if self._zoneless_count:
            zone = self._zone.key if self._zone else "UTC"
            yield Notice(
                "provisioned-zone",
                {"count": self._zoneless_count, "zone": zone, "known": int(self._zone is not None)},
            )

    def _add_issue(
        self,
        row: int,
        column: Column,
        value: str,
        flaw: Flaw,
        severity: Severity = Severity.ERROR,
    ) -> None:
        self.issues.append(Issue(row, column, shorten(value), flaw.code, severity, flaw.arguments))
