"""The roster: headers, rows, rows against each other, pasted text, and invariants."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.phones import hardware_id, username
from bot.phones.issue import Column, Severity
from bot.phones.region import Region
from bot.phones.roster import (
    MAX_ROWS,
    Roster,
    UnreadableFileError,
    looks_like_csv,
    read,
    read_text,
    template,
)

A, B, C = (f"80-5E-C0-00-00-0{at}" for at in (1, 2, 3))
CANONICAL = re.compile(r"[0-9A-F]{2}(-[0-9A-F]{2}){5}(:[0-9]{3})?")
EXPORT = "Username,HardwareId,Region,Status,Error,Cause,Fix,BatchId,ProvisioningUrl"

Line = tuple[str, str, str]


def file(*lines: Sequence[str], header: str = "Username,HardwareId,Region") -> bytes:
    content = io.StringIO(newline="")
    content.write(header + "\r\n")
    csv.writer(content).writerows(lines)
    return content.getvalue().encode()


def roster(*lines: Sequence[str], header: str = "Username,HardwareId,Region") -> Roster:
    return read(file(*lines, header=header), "phones.csv")


def issues(found: Roster) -> list[tuple[int, str, str]]:
    return [(issue.row, issue.code, issue.severity.value) for issue in found.issues]


def ready(found: Roster) -> list[int]:
    return [row.number for row in found.rows if row.ready]


# The header


@pytest.mark.parametrize(
    "header",
    [
        "Username,HardwareId",
        "Username, HardwareId",
        "USERNAME,HARDWAREID",
        "user name,hardware id",
        "User,MAC",
        "UPN,MAC address",
        "UserPrincipalName,MacAddress",
        "User Principal Name,mac_address",
        "Account,Hardware-ID",
        "  Username  ,\tHardware ID ",
        '"Username","HardwareId"',
        "\ufeffUsername,HardwareId",
        "User.Name,MAC-Address",
    ],
)
def test_header_is_recognized_in_any_spelling(header: str) -> None:
    found = roster(["anna@contoso.com", A], header=header)
    assert (found.ready, list(found.notices)) == (1, [])


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("HardwareId,Username", [A, "anna@contoso.com"]),
        ("Site,MAC,Region,UPN", ["Köln", A, "EMEA", "anna@contoso.com"]),
        ("Region,,User,MAC", ["EMEA", "", "anna@contoso.com", A]),
    ],
)
def test_columns_are_found_in_any_order(header: str, line: list[str]) -> None:
    row = roster(line, header=header).rows[0]
    assert (row.username, row.hardware_id) == ("anna@contoso.com", A)


def test_notice_names_ignored_columns() -> None:
    header = "Username,HardwareId,Site,,Floor,Room," + "x" * 100 + ",Note,Key,Asset"
    found = roster(["anna@contoso.com", A], header=header)
    assert [(notice.code, notice.arguments) for notice in found.notices] == [
        (
            "columns-ignored",
            {"names": "Site, Floor, Room, " + "x" * 39 + "…, Note", "more": 2},
        )
    ]


def test_export_is_read_back_without_notices() -> None:
    line = ["anna@contoso.com", A, "EMEA", "Failed", "Device is offline.", "", "", "1f", "http://x"]
    found = roster(line, header=EXPORT)
    assert (found.ready, list(found.issues), list(found.notices)) == (1, [], [])


# Each row


def test_row_is_unchanged_when_canonical() -> None:
    found = roster(["anna@contoso.com", A, "EMEA"], ["bo@contoso.com", B, ""])
    assert [tuple(row) for row in found.rows] == [
        (2, "anna@contoso.com", A, Region.EMEA, True, None),
        (3, "bo@contoso.com", B, None, True, None),
    ]
    assert (list(found.issues), list(found.notices)) == ([], [])


def test_row_reports_every_flaw_with_column_and_original_value() -> None:
    found = roster([" anna", "x" * 200, "Mars"])
    assert {(issue.column, issue.value, issue.code) for issue in found.issues} == {
        (Column.USERNAME, " anna", "username-no-at"),
        (Column.HARDWARE_ID, "x" * 79 + "…", "hardware-id-not-hex"),
        (Column.REGION, "Mars", "region-unknown"),
    }
    row = found.rows[0]
    assert (row.username, row.hardware_id, row.region, row.ready) == (
        " anna",
        "x" * 79 + "…",
        None,
        False,
    )


@pytest.mark.parametrize("region", ["EMEA", "emea", " Emea ", "\u00a0EMEA"])
def test_region_is_recognized_in_any_case(region: str) -> None:
    assert roster(["anna@contoso.com", A, region]).rows[0].region is Region.EMEA


def test_row_is_not_ready_when_region_is_unknown() -> None:
    found = roster(["anna@contoso.com", A, "EU"], ["bo@contoso.com", B, "EMEA"])
    assert (issues(found), ready(found)) == ([(2, "region-unknown", "error")], [3])


def test_one_notice_covers_all_respelled_hardware_ids() -> None:
    found = roster(
        ["a@contoso.com", A], ["b@contoso.com", B.lower()], ["c@contoso.com", C.replace("-", "")]
    )
    assert list(found.issues) == []
    assert [(notice.code, notice.arguments) for notice in found.notices] == [
        ("hardware-ids-respelled", {"count": 2, "row": 3, "given": B.lower(), "read": B})
    ]


def test_one_notice_covers_all_trimmed_values() -> None:
    found = roster([" a@contoso.com", A], ["b@contoso.com", B + "\u00a0"])
    assert (found.ready, list(found.issues)) == (2, [])
    assert [(n.code, n.arguments) for n in found.notices] == [("values-trimmed", {"count": 2})]


def test_short_port_is_padded_with_a_note() -> None:
    found = roster(["a@contoso.com", A + ":1"], ["b@contoso.com", A + ":002"])
    assert [row.hardware_id for row in found.rows] == [A + ":001", A + ":002"]
    assert issues(found) == [(2, "hardware-id-port-padded", "note")]
    assert (found.ready, found.notes) == (2, 1)


# Rows against each other


@pytest.mark.parametrize(
    ("lines", "expected", "numbers"),
    [
        pytest.param(
            [("a@contoso.com", A), ("a@contoso.com", A), ("A@Contoso.com", A.lower())],
            [(3, "duplicate", "error"), (4, "duplicate", "error")],
            [2],
            id="first of equal rows is kept",
        ),
        pytest.param(
            [("a@contoso.com", A), ("b@contoso.com", A)],
            [(2, "hardware-id-shared", "error"), (3, "hardware-id-shared", "error")],
            [],
            id="one phone for two accounts keeps neither",
        ),
        pytest.param(
            [("a@contoso.com", A), ("a@contoso.com", A), ("b@contoso.com", A)],
            [(row, "hardware-id-shared", "error") for row in (2, 3, 4)],
            [],
            id="repeated and shared keeps none",
        ),
        pytest.param(
            [("a@contoso.com", A), ("a@contoso.com", B), ("a@contoso.com", C)],
            [(3, "account-on-several", "warning"), (4, "account-on-several", "warning")],
            [2, 3, 4],
            id="one account on several phones is allowed",
        ),
        pytest.param(
            [("a@contoso.com", A + ":001"), ("b@contoso.com", A + ":002"), ("c@contoso.com", A)],
            [],
            [2, 3, 4],
            id="ports of one ATA are separate phones",
        ),
        pytest.param(
            [("a b@contoso.com", A), ("a@contoso.com", A)],
            [(2, "username-space", "error")],
            [3],
            id="invalid row does not affect others",
        ),
        pytest.param(
            [("a@contoso.com", A), ("a@contoso.com", A), ("a@contoso.com", B)],
            [(3, "duplicate", "error"), (4, "account-on-several", "warning")],
            [2, 4],
            id="duplicate does not count as another phone",
        ),
    ],
)
def test_rows_are_compared_with_each_other(
    lines: list[tuple[str, str]], expected: list[tuple[int, str, str]], numbers: list[int]
) -> None:
    found = roster(*lines)
    assert (issues(found), ready(found)) == (expected, numbers)


def test_shared_phone_is_reported_when_a_region_is_unknown() -> None:
    found = roster(["a@contoso.com", A, "EU"], ["b@contoso.com", A, "EMEA"])
    assert ready(found) == []
    assert (3, "hardware-id-shared", "error") in issues(found)


def test_shared_phone_issue_names_a_row_with_another_account() -> None:
    found = roster(["a@contoso.com", A], ["a@contoso.com", A], ["b@contoso.com", A])
    assert [issue.arguments for issue in found.issues] == [
        {"other": 4, "account": "b@contoso.com"},
        {"other": 4, "account": "b@contoso.com"},
        {"other": 2, "account": "a@contoso.com"},
    ]


def test_issues_are_sorted_by_severity() -> None:
    found = roster(
        ["a@contoso.com", A + ":1"], ["b@contoso.com", B], ["b@contoso.com", C], ["c", "d"]
    )
    assert [issue.severity for issue in found.issues] == [
        Severity.ERROR,
        Severity.ERROR,
        Severity.WARNING,
        Severity.NOTE,
    ]
    assert (found.ready, found.not_ready, found.warnings, found.notes) == (3, 1, 1, 1)


# Limits


def test_roster_is_rejected_when_it_exceeds_max_rows() -> None:
    lines = [
        f"u{at}@contoso.com,80-5E-C0-{at >> 16:02X}-{at >> 8 & 255:02X}-{at & 255:02X}"
        for at in range(MAX_ROWS)
    ]
    whole = "Username,HardwareId\n" + "\n\n".join(lines)
    assert read(whole.encode(), "phones.csv").ready == MAX_ROWS
    with pytest.raises(UnreadableFileError) as caught:
        read(f"{whole}\n,\nx,y\n\nx,y\nx,y".encode(), "phones.csv")
    assert caught.value.code == "too-many-rows"
    assert caught.value.arguments == {"rows": MAX_ROWS + 3, "limit": MAX_ROWS}


def test_duplicates_are_found_quickly_when_every_row_is_equal() -> None:
    lines = [("a@contoso.com", A)] * (MAX_ROWS - 1) + [("b@contoso.com", A)]
    found = roster(*lines)
    assert (found.ready, len(found.issues)) == (0, MAX_ROWS)


# Hostile values


@pytest.mark.parametrize(
    "value",
    [
        "=cmd|' /C calc'!A0",
        "[click](http://example.com)",
        "<at>Anna</at>",
        "<script>alert(1)</script>",
        "\u202egnp.exe",
        "\U0001f4de\U0001f468\u200d\U0001f469",
        "**bold** _x_ `y`",
        "\x1b[2J",
        "x" * 40_000,
    ],
)
def test_hostile_value_is_rejected_and_shortened(value: str) -> None:
    found = roster([value, value, value], ["anna@contoso.com", A, "EMEA"])
    assert ready(found) == [3]
    assert {issue.column for issue in found.issues} == {
        Column.USERNAME,
        Column.HARDWARE_ID,
        Column.REGION,
    }
    assert all(len(issue.value) <= 80 for issue in found.issues)
    assert all(
        len(argument) <= 120
        for issue in found.issues
        for argument in issue.arguments.values()
        if isinstance(argument, str)
    )
    assert len(found.rows[0].username) <= 80
    assert len(found.rows[0].hardware_id) <= 80


# Pasted text


@pytest.mark.parametrize(
    "text",
    [
        f"Username,HardwareId\nanna@contoso.com,{A}",
        f"```\nUsername,HardwareId\nanna@contoso.com,{A}\n```",
        f"```csv\r\nUsername,HardwareId\r\nanna@contoso.com,{A}\r\n```\r\n",
        f"My phones:\n```\nUsername,HardwareId\nanna@contoso.com,{A}",
        f"  \n\u00a0Username\u00a0,\u00a0HardwareId\nanna@contoso.com,{A}\u00a0\n",
        f"User\tMAC\nanna@contoso.com\t{A}",
        f"User    MAC  \nanna@contoso.com    {A}",
        f"User\u00a0MAC\nanna@contoso.com\u00a0{A}",
        f"\u201cUsername\u201d;\u201eHardwareId\u201c\n\u201canna@contoso.com\u201d;\u201c{A}\u201d",
        f"anna@contoso.com,{A}",
        f"anna@contoso.com {A}",
        f"anna@contoso.com\t{A}\tEMEA",
        f"anna@contoso.com;{A.lower()};",
    ],
)
def test_pasted_table_is_read(text: str) -> None:
    assert looks_like_csv(text)
    found = read_text(text)
    assert [(row.username, row.hardware_id, row.ready) for row in found.rows] == [
        ("anna@contoso.com", A, True)
    ]


def test_curly_apostrophe_becomes_straight_in_pasted_table() -> None:
    assert (
        read_text(f"UPN,MAC\no\u2019brien@contoso.com,{A}").rows[0].username
        == "o'brien@contoso.com"
    )


def test_pasted_table_is_read_with_notice_when_header_is_missing() -> None:
    found = read_text(f"anna@contoso.com,{A},emea\nbo@contoso.com,{B},NOAM")
    assert [(row.number, row.region) for row in found.rows] == [(1, Region.EMEA), (2, Region.NOAM)]
    assert [notice.code for notice in found.notices] == ["header-missing"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "help",
        "urls EMEA",
        "status 7K2M9QXA",
        "cancel 7K2M-9QXA",
        "retry 001122334455",
        "hello, can you help me?",
        "notify here; thanks",
        "please sign in lobby@contoso.com",
        "What does HardwareId mean?",
        "user, what is this",
        "first line\nsecond, line",
        "```\nhelp\n```",
    ],
)
def test_message_is_not_a_table_when_it_is_conversation(text: str) -> None:
    assert not looks_like_csv(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Username,HardwareId", "no-rows"),
        (f"Username,Phone\nanna@contoso.com,{A}", "column-missing"),
        (f"UPN;MAC;mac\nanna@contoso.com;{A};", "column-twice"),
        (f'Username,HardwareId\n"anna@contoso.com,{A}', "open-quote"),
        (f"Username,HardwareId\nan\0na@contoso.com,{A}", "nul-characters"),
        ("Username,HardwareId\n" + "x" * 6_000_000, "too-large"),
    ],
)
def test_pasted_table_is_recognized_when_unreadable(text: str, code: str) -> None:
    assert looks_like_csv(text)
    with pytest.raises(UnreadableFileError) as caught:
        read_text(text)
    assert caught.value.code == code


def test_lone_surrogate_is_replaced_in_pasted_table() -> None:
    found = read_text(f"Username,HardwareId\nan\ud83dna@contoso.com,{A}")
    assert found.issues[0].value.encode()


# The template


def test_template_rows_are_never_ready() -> None:
    found = read(template().encode(), "template.csv")
    assert template().startswith("Username,HardwareId,Region\r\n")
    assert (len(found.rows), found.ready) == (2, 0)
    assert {issue.code for issue in found.issues} == {"hardware-id-example"}


# Invariants

usernames = st.sampled_from(["a@contoso.com", "A@contoso.com", "b@contoso.com", "a b", "", "=1"])
hardware_ids = st.sampled_from([A, A.lower(), A.replace("-", ""), A + ":1", B, B + ":025", "", "x"])
regions = st.sampled_from(["EMEA", "noam", "", "EU"])
lines = st.lists(st.tuples(usernames, hardware_ids, regions), min_size=1, max_size=12)


@given(lines.filter(lambda lines: any(any(line) for line in lines)))
def test_roster_invariants_hold(lines: list[Line]) -> None:
    found = roster(*lines)
    failed = {issue.row for issue in found.issues if issue.severity is Severity.ERROR}
    assert {row.number for row in found.rows if not row.ready} == failed
    assert {row.number for row in found.rows} == {
        at for at, line in enumerate(lines, start=2) if any(line)
    }
    going = [row for row in found.rows if row.ready]
    assert all(CANONICAL.fullmatch(row.hardware_id) for row in going)
    assert all(username.parse(row.username) == row.username for row in going)
    assert all(hardware_id.parse(row.hardware_id) == row.hardware_id for row in going)
    assert len({row.hardware_id for row in going}) == len(going)


@given(lines.filter(lambda lines: any(any(line) for line in lines)))
def test_ready_rows_survive_export_and_import(lines: list[Line]) -> None:
    going = [row for row in roster(*lines).rows if row.ready]
    if going:
        exported = [(r.username, r.hardware_id, r.region or "", *[""] * 6) for r in going]
        again = roster(*exported, header=EXPORT)
        assert [row[1:] for row in again.rows] == [row[1:] for row in going]


def encoded(text: str, encoding: str) -> bytes:
    return text.encode(encoding, errors="replace")


@settings(max_examples=300)
@given(
    st.binary(max_size=400)
    | st.binary(max_size=400).map(b"Username,MAC\n".__add__)
    | st.builds(
        encoded, st.text(max_size=200), st.sampled_from(["utf-8", "utf-16", "cp1252", "utf-16-le"])
    )
)
def test_arbitrary_bytes_give_a_roster_or_an_error(data: bytes) -> None:
    try:
        found = read(data, "phones.csv")
    except UnreadableFileError:
        return
    assert found.rows


@given(st.text() | st.text('uUser,;\t\n"`@:-0aF ', max_size=60))
def test_arbitrary_text_gives_a_roster_or_an_error(text: str) -> None:
    looks_like_csv(text)
    try:
        found = read_text(text)
    except UnreadableFileError:
        return
    assert found.rows
