"""DECT bases, which carry several handsets: one hardware ID with several accounts is a warning."""

from __future__ import annotations

import pytest

from bot.phones.roster import Roster, read

SPECTRALINK, ASCOM, GIGASET = "00-90-7A-00-00-01", "00-01-3E-00-00-01", "7C-2F-80-00-00-01"
SNOM, YEALINK = "00-04-13-00-00-01", "80-5E-C0-00-00-01"


def roster(*lines: str) -> Roster:
    return read("\n".join(["Username,HardwareId", *lines]).encode(), "phones.csv")


def issues(found: Roster) -> list[tuple[int, str, str]]:
    return [(issue.row, issue.code, issue.severity.value) for issue in found.issues]


@pytest.mark.parametrize("base", [SPECTRALINK, ASCOM, GIGASET])
def test_dect_base_keeps_its_rows_ready_when_accounts_share_it(base: str) -> None:
    found = roster(f"a@c.de,{base}", f"b@c.de,{base}", f"c@c.de,{base}")
    assert found.ready == 3
    assert issues(found) == [
        (3, "hardware-id-several-handsets", "warning"),
        (4, "hardware-id-several-handsets", "warning"),
    ]
    assert {issue.arguments["account"] for issue in found.issues} == {"a@c.de"}


def test_dect_base_rejects_a_row_that_occurs_twice() -> None:
    found = roster(f"a@c.de,{GIGASET}", f"A@c.de,{GIGASET}", f"b@c.de,{GIGASET}")
    assert found.ready == 2
    assert issues(found) == [
        (3, "duplicate", "error"),
        (4, "hardware-id-several-handsets", "warning"),
    ]


@pytest.mark.parametrize("phone", [SNOM, YEALINK])
def test_desk_phone_is_not_ready_when_accounts_share_it(phone: str) -> None:
    found = roster(f"a@c.de,{phone}", f"b@c.de,{phone}")
    assert found.ready == 0
    assert {issue.code for issue in found.issues} == {"hardware-id-shared"}
