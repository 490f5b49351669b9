"""From bytes to rows: file types, encodings, delimiters, quotes, and rejected files."""

from __future__ import annotations

import random

import pytest

from bot.phones.reader import MAX_BYTES, MAX_COLUMNS
from bot.phones.roster import Roster, UnreadableFileError, read

HEADER = "Username,HardwareId,Region\r\n"
ROWS = "anna@contoso.com,80-5E-C0-00-00-01,EMEA\r\nbo@contoso.com,80-5E-C0-00-00-02,NOAM\r\n"
TABLE = HEADER + ROWS


def phones(roster: Roster) -> list[tuple[str, str]]:
    return [(row.username, row.hardware_id) for row in roster.rows]


def codes(roster: Roster) -> list[str]:
    return [notice.code for notice in roster.notices]


def error_for(data: bytes) -> UnreadableFileError:
    with pytest.raises(UnreadableFileError) as caught:
        read(data, "phones.csv")
    return caught.value


EXPECTED = phones(read(TABLE.encode(), "phones.csv"))


@pytest.mark.parametrize(
    ("encoding", "mark", "guessed"),
    [
        ("utf-8", "", ""),
        ("utf-8-sig", "", ""),
        ("utf-16-le", "\ufeff", ""),
        ("utf-16-be", "\ufeff", ""),
        ("utf-32-le", "\ufeff", ""),
        ("utf-16-le", "", "UTF-16 LE"),
        ("utf-16-be", "", "UTF-16 BE"),
        ("cp1252", "", "Windows-1252"),
        ("cp932", "", "Shift JIS"),
        ("gb18030", "", "GB 18030"),
    ],
)
def test_file_is_decoded_in_any_supported_encoding(encoding: str, mark: str, guessed: str) -> None:
    texts = {"cp932": "東京本社受付電話", "gb18030": "上海前台电话", "cp1252": "Köln – „Empfang“ €"}
    extra = texts.get(encoding, "Empfang")
    text = mark + "".join(f"{line},{extra}\r\n" for line in TABLE.split("\r\n") if line)
    roster = read(text.encode(encoding), "phones.csv")
    assert phones(roster) == EXPECTED
    guesses = [notice.arguments for notice in roster.notices if notice.code == "encoding-guessed"]
    assert guesses == ([{"encoding": guessed}] if guessed else [])


def test_utf8_has_no_encoding_notice() -> None:
    assert codes(read((HEADER + ROWS.replace("EMEA", "EMEA,Köln")).encode(), "phones.csv")) == []


@pytest.mark.parametrize(
    "text",
    [
        TABLE.replace(",", ";"),
        TABLE.replace(",", "\t"),
        TABLE.replace(",", ", "),
        TABLE.replace("\r\n", "\n"),
        TABLE.replace("\r\n", "\r"),
        TABLE.replace("\r\n", "\r\r\n"),
        TABLE.replace("\r\n", "\r\n\r\n"),
        TABLE.rstrip(),
        "\r\n\r\n" + TABLE,
        TABLE.replace("\r\n", ",,,\r\n"),
        TABLE.replace("\r\n", "\r\n,,\r\n"),
        TABLE.replace("\r\n", "\r\n \t,\u00a0,\r\n"),
        "sep=;\r\n" + TABLE.replace(",", ";"),
        "sep=,\n" + TABLE,
        '"' + TABLE.replace(",", '","').replace("\r\n", '"\r\n"').removesuffix('"'),
        TABLE.replace("Username,HardwareId,Region", '"Username";"HardwareId";Region').replace(
            ",", ";"
        ),
        'Note,"Rooms, floors"\r\n'.replace("Note", "Username;HardwareId;Note")
        + ROWS.replace(",", ";"),
    ],
)
def test_table_is_read_in_any_layout(text: str) -> None:
    assert phones(read(text.encode(), "phones.csv")) == EXPECTED


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        (TABLE, [2, 3]),
        ("\r\n" + TABLE, [3, 4]),
        (HEADER + "\r\n,,\r\n" + ROWS, [4, 5]),
        ("sep=,\r\n" + TABLE, [2, 3]),
        (HEADER.replace("Region", '"Re\r\ngion"') + ROWS, [2, 3]),
    ],
)
def test_rows_are_numbered_as_in_a_spreadsheet(text: str, numbers: list[int]) -> None:
    assert [row.number for row in read(text.encode(), "phones.csv").rows] == numbers


def test_short_row_is_padded_with_empty_values() -> None:
    roster = read(b"Username,HardwareId,Region\nanna@contoso.com\n", "phones.csv")
    assert [issue.code for issue in roster.issues] == ["hardware-id-empty"]


@pytest.mark.parametrize(
    ("data", "code", "arguments"),
    [
        (b"", "empty", {}),
        (b"\r\n , ,\r\n\t\r\n", "empty", {}),
        ("\ufeff".encode(), "empty", {}),
        (b"sep=;\r\n", "empty", {}),
        (HEADER.encode(), "no-rows", {}),
        (HEADER.encode() + b"\r\n,,\r\n", "no-rows", {}),
        (ROWS.encode(), "no-header", {"found": "anna@contoso.com, 80-5E-C0-00-00-01, EMEA"}),
        (b"Name,Phone\na@contoso.com,80-5E-C0-00-00-01\n", "no-header", {"found": "Name, Phone"}),
        (b"Username\nanna@contoso.com\n", "one-column", {"found": "Username"}),
        (b"Username|HardwareId\na|b\n", "one-column", {"found": "Username|HardwareId"}),
        (
            b"Username,Phone\na@contoso.com,80-5E-C0-00-00-01\n",
            "column-missing",
            {"column": "HardwareId", "found": "Username, Phone"},
        ),
        (
            b"MAC;Region;Name\n80-5E-C0-00-00-01;EMEA;Anna\n",
            "column-missing",
            {"column": "Username", "found": "MAC, Region, Name"},
        ),
        (
            b"Username,HardwareId,username\n",
            "column-twice",
            {"column": "Username", "first": "Username", "second": "username"},
        ),
        (
            b"UPN,MAC,Hardware-ID\n",
            "column-twice",
            {"column": "HardwareId", "first": "MAC", "second": "Hardware-ID"},
        ),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "not-a-table", {"kind": "image"}),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "not-a-table", {"kind": "image"}),
        (b"%PDF-1.7\n", "not-a-table", {"kind": "pdf"}),
        (b"{\\rtf1\\ansi}", "not-a-table", {"kind": "rtf"}),
        (b"\x1f\x8b\x08\x00", "not-a-table", {"kind": "archive"}),
        (b"<!DOCTYPE html><html>", "not-a-table", {"kind": "markup"}),
        (b'  <?xml version="1.0"?>', "not-a-table", {"kind": "markup"}),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "not-a-table", {"kind": "xls"}),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "not-a-table",
            {"kind": "encrypted"},
        ),
        (TABLE.encode() + b"\0", "nul-characters", {}),
        (TABLE.replace("anna", "an\0na").encode(), "nul-characters", {}),
        (b"\xff\xfe\x00", "encoding", {}),
        (b"\xff\xfe" + "Username".encode("utf-16-le") + b"\x00\xd8", "encoding", {}),
        (TABLE.encode() + b"\x81\x8d\xff\x90", "encoding", {}),
        ((HEADER + '"anna,80-5E-C0-00-00-01\r\n' + ROWS).encode(), "open-quote", {"row": 2}),
        ((TABLE + '"cy@contoso.com').encode(), "open-quote", {"row": 4}),
        (
            (TABLE + "x" * 4_000_000 + ",80-5E-C0-00-00-03\r\n").encode(),
            "value-too-long",
            {"row": 4, "limit": 131_072},
        ),
        (
            (TABLE + '"' + "one line of many\r\n" * 10_000 + '",80-5E-C0-00-00-03\r\n').encode(),
            "value-too-long",
            {"row": 4, "limit": 131_072},
        ),
        (
            ('Username,"' + "a line\r\n" * 20_000 + '",HardwareId\r\n').encode(),
            "value-too-long",
            {"row": 1, "limit": 131_072},
        ),
        (b"a," * 2_000_000 + b"\n", "too-many-columns", {"columns": 2_000_001, "limit": 1000}),
        (
            b"a," * MAX_COLUMNS + b"Username,HardwareId\n",
            "too-many-columns",
            {"columns": MAX_COLUMNS + 2, "limit": MAX_COLUMNS},
        ),
        (TABLE.encode() + b"x" * MAX_BYTES, "too-large", {"limit": 5}),
    ],
)
def test_file_is_rejected_when_unreadable(
    data: bytes, code: str, arguments: dict[str, str | int]
) -> None:
    error = error_for(data)
    assert (error.code, error.arguments) == (code, arguments)


def test_row_is_read_when_it_has_many_extra_cells() -> None:
    wide = "," * 100_000
    roster = read((TABLE + f"cy@contoso.com,80-5E-C0-00-00-03,EMEA{wide}\r\n").encode(), "x.csv")
    assert roster.ready == 3


def test_quote_inside_a_value_is_an_ordinary_character() -> None:
    roster = read((HEADER + 'an"na@contoso.com,80-5E-C0-00-00-01,EMEA\r\n').encode(), "x.csv")
    assert [issue.code for issue in roster.issues] == ["username-character"]


def test_random_bytes_are_rejected() -> None:
    noise = random.Random(7).randbytes(100_000)
    assert error_for(noise).code in {"encoding", "nul-characters"}
