"""Times of provisioning, as people and spreadsheets write them."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from bot.phones import provisioned, roster
from bot.phones.issue import Column, Severity
from bot.phones.provisioned import Provisioned, zone_named
from bot.phones.value import Flaw

BERLIN = ZoneInfo("Europe/Berlin")
MIDNIGHT, TWO = datetime(2026, 11, 24, tzinfo=BERLIN), datetime(2026, 11, 24, 14, tzinfo=BERLIN)
A, B = "80-5E-C0-00-00-01", "80-5E-C0-00-00-02"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24", MIDNIGHT),
        ("2026/11/24", MIDNIGHT),
        ("24.11.2026", MIDNIGHT),
        ("24 Nov 2026", MIDNIGHT),
        ("24-Nov-2026", MIDNIGHT),
        ("24 november 2026", MIDNIGHT),
        ("Nov 24, 2026", MIDNIGHT),
        ("11/24/2026", MIDNIGHT),
        ("24/11/2026", MIDNIGHT),
        (" 2026-11-24\u00a0 14:00 ", TWO),
        ("2026-11-24T14:00:00", TWO),
        ("2026-11-24T14:00:00.000", TWO),
        ("24.11.2026 14:00", TWO),
        ("24 Nov 2026, 2 PM", TWO),
        ("11/24/2026 2:00\u202fPM", TWO),
        ("Nov. 24, 2026 02:00 p.m.", TWO),
        ("2026-11-24 12:00 AM", MIDNIGHT),
        ("03/03/2026", datetime(2026, 3, 3, tzinfo=BERLIN)),
    ],
)
def test_time_without_a_zone_is_read_in_the_senders(text: str, expected: datetime) -> None:
    assert provisioned.parse(text, BERLIN) == Provisioned(
        expected.astimezone(UTC), zone_given=False
    )


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24T14:00:00Z",
        "2026-11-24 14:00 UTC",
        "2026-11-24T15:00:00+01:00",
        "2026-11-24T15:00+0100",
        "2026-11-24 09:30-04:30",
        "24.11.2026 15:00 +01",
    ],
)
def test_time_with_a_zone_keeps_it(text: str) -> None:
    expected = datetime(2026, 11, 24, 14, tzinfo=UTC)
    assert provisioned.parse(text, BERLIN) == Provisioned(expected, zone_given=True)


@pytest.mark.parametrize("text", ["03/04/2026", "3-4-2026", "03/04/2026 14:00"])
def test_order_of_day_and_month_is_not_guessed(text: str) -> None:
    flaw = provisioned.parse(text, BERLIN)
    assert isinstance(flaw, Flaw)
    assert flaw.code == "provisioned-ambiguous"
    assert flaw.arguments == {"first": "04 March 2026", "second": "03 April 2026"}


@pytest.mark.parametrize(
    "text",
    [
        *("yesterday", "14:00", "46350.5", "2026-13-01", "2026-02-30", "31.04.2026", "24.11.26"),
        *("13/13/2026", "2026-11-24 25:00", "2026-11-24 14", "2026-11-24 13 PM", "0001-01-01"),
        *("9999-12-31", "24 Foo 2026", "2026-11-24 14:00 CET", "2026-11-24/x", "=NOW()"),
    ],
)
def test_anything_else_is_not_a_time(text: str) -> None:
    assert provisioned.parse(text, BERLIN) == Flaw("provisioned-unreadable")


@pytest.mark.parametrize("text", ["", "  ", "\u200b"])
def test_blank_is_no_time(text: str) -> None:
    assert provisioned.parse(text, BERLIN) is None


@given(st.text(alphabet="0123456789-/.:+ TZPMAGUCnov\u202f", max_size=30))
def test_no_text_breaks_the_parser(text: str) -> None:
    provisioned.parse(text, UTC)


@given(
    st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30)).map(
        lambda t: t.replace(microsecond=0)
    ),
    st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_iso_times_are_read_exactly(time: datetime, zone: timezone) -> None:
    aware = time.replace(tzinfo=zone)
    assert provisioned.parse(aware.isoformat(), UTC) == Provisioned(aware, zone_given=True)


@pytest.mark.parametrize(
    "name", ["", "Europe/Nowhere", "../../etc/passwd", "/etc/passwd", "Europe", "a\0b", "x" * 5000]
)
def test_unknown_time_zone_is_none(name: str) -> None:
    assert zone_named(name) is None


def test_time_zone_is_found_by_name() -> None:
    assert zone_named("Europe/Berlin") == BERLIN
    assert zone_named("UTC") == ZoneInfo("UTC")


def read(*times: str, zone: ZoneInfo | None = BERLIN) -> roster.Roster:
    rows = [
        f'user{n}@contoso.com,80-5E-C0-00-00-{n:02X},"{time}"\n' for n, time in enumerate(times)
    ]
    return roster.read(f"UPN,MAC,Provisioned\n{''.join(rows)}".encode(), "phones.csv", zone)


def test_rows_carry_their_time_and_stay_ready_without() -> None:
    validated = read("2026-11-24 14:00", "", "03/04/2026")

    assert [row.provisioned for row in validated.rows] == [TWO, None, None]
    assert validated.ready == 3
    (issue,) = validated.issues
    assert (issue.row, issue.column, issue.severity) == (4, Column.PROVISIONED, Severity.WARNING)
    assert issue.value == "03/04/2026"


@pytest.mark.parametrize(
    ("zone", "known", "name"), [(BERLIN, 1, "Europe/Berlin"), (None, 0, "UTC")]
)
def test_notice_says_which_time_zone_was_used(zone: ZoneInfo | None, known: int, name: str) -> None:
    validated = read("2026-11-24 14:00", "2026-11-24T14:00Z", zone=zone)

    (notice,) = validated.notices
    assert notice.code == "provisioned-zone"
    assert notice.arguments == {"count": 1, "zone": name, "known": known}
    assert read("2026-11-24T14:00Z", zone=zone).notices == []


def test_dates_in_workbooks_are_read() -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Username", "HardwareId", "Provisioned"])
    sheet.append(["a@contoso.com", A, datetime(2026, 11, 24, 14)])
    sheet.append(["b@contoso.com", B, "24.11.2026"])
    data = io.BytesIO()
    book.save(data)

    rows = roster.read(data.getvalue(), "phones.xlsx", BERLIN).rows

    assert [row.provisioned for row in rows] == [TWO, MIDNIGHT]
