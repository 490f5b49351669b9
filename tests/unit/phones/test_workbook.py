"""Excel workbooks: valid, unusual and malicious ones."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date, time

import openpyxl
import pytest

from bot.phones import workbook
from bot.phones.roster import Roster, UnreadableFileError, read

MEGABYTE = 1024 * 1024
SHEET = "xl/worksheets/sheet1.xml"
SPREADSHEET = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
RELATIONS = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
HEADER = ["Username", "HardwareId", "Region"]
ANNA = ["anna@contoso.com", "80-5E-C0-00-00-01", "EMEA"]


def book(sheets: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    made = openpyxl.Workbook()
    made.remove(made.worksheets[0])
    for title, rows in sheets.items():
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(row)
    content = io.BytesIO()
    made.save(content)
    return content.getvalue()


def with_parts(parts: Mapping[str, str | bytes]) -> bytes:
    """A small valid workbook with some of its parts replaced."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(book({"Phones": [HEADER, ANNA]}))) as honest,
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made,
    ):
        for name in {*honest.namelist(), *parts}:
            made.writestr(name, parts[name] if name in parts else honest.read(name))
    return content.getvalue()


def sheet(body: str) -> bytes:
    return with_parts({SHEET: f"<worksheet {SPREADSHEET}>{body}</worksheet>"})


def inline(*values: str) -> str:
    return "".join(f'<c t="inlineStr"><is><t>{value}</t></is></c>' for value in values)


def read_workbook(data: bytes) -> Roster:
    return read(data, "phones.xlsx")


def error_code(data: bytes) -> str:
    with pytest.raises(UnreadableFileError) as caught:
        read_workbook(data)
    return caught.value.code


def test_workbook_is_detected_by_content_not_by_name() -> None:
    roster = read(book({"Phones": [HEADER, ANNA]}), "phones.csv")
    assert [tuple(row)[:3] for row in roster.rows] == [(2, *ANNA[:2])]
    assert (roster.ready, roster.notices) == (1, [])


def test_workbook_rows_are_numbered_as_in_excel() -> None:
    rows = [[], HEADER, [], [None, "", None], ANNA]
    assert [row.number for row in read_workbook(book({"Phones": rows})).rows] == [5]


@pytest.mark.parametrize(
    ("cell", "hardware_id", "code"),
    [
        (805211223344, "80-52-11-22-33-44", None),
        (805211223344.0, "80-52-11-22-33-44", None),
        (4072900321, "4072900321", "hardware-id-leading-zeros"),
        (8.05e21, "8.05e+21", "hardware-id-scientific"),
        (True, "TRUE", "hardware-id-not-hex"),
        (date(2026, 1, 2), "2026-01-02T00:00:00", "hardware-id-not-hex"),
        (time(8, 5), "08:05:00", "hardware-id-length"),
        (None, "", "hardware-id-empty"),
        ("=cmd|' /C calc'!A0", "", "hardware-id-empty"),  # a formula that was never calculated
    ],
)
def test_workbook_cell_converts_to_text(cell: object, hardware_id: str, code: str | None) -> None:
    roster = read_workbook(book({"Phones": [HEADER, ["anna@contoso.com", cell, "EMEA"]]}))
    assert roster.rows[0].hardware_id == hardware_id
    assert [issue.code for issue in roster.issues] == ([code] if code else [])


def test_workbook_number_keeps_all_digits_when_stored_in_scientific_notation() -> None:
    header = f"<row>{inline('Username', 'MAC')}</row>"
    row = f"<row>{inline('anna@contoso.com')}<c><v>8.05211223344E+11</v></c></row>"
    roster = read_workbook(sheet(f"<sheetData>{header}{row}</sheetData>"))
    assert roster.rows[0].hardware_id == "80-52-11-22-33-44"


def test_workbook_reports_formulas_stored_as_text() -> None:
    rows = [HEADER, ["=cmd|' /C calc'!A0", "=1+1", "EMEA"]]
    text = "".join(f"<row>{inline(*row)}</row>" for row in rows)
    roster = read_workbook(sheet(f"<sheetData>{text}</sheetData>"))
    assert [issue.code for issue in roster.issues] == ["username-formula", "hardware-id-formula"]


@pytest.mark.parametrize(
    ("sheets", "chosen", "others"),
    [
        ({"Read me": [["How to"]], "Phones": [HEADER, ANNA]}, "Phones", 1),
        ({"A": [HEADER, ANNA], "B": [HEADER, ANNA], "C": []}, "A", 2),
        ({"Empty": [], "P" * 31: [[], HEADER, ANNA]}, "P" * 31, 1),
    ],
)
def test_workbook_reads_first_sheet_with_expected_header(
    sheets: Mapping[str, Sequence[Sequence[object]]], chosen: str, others: int
) -> None:
    roster = read_workbook(book(sheets))
    assert roster.ready == 1
    assert [(n.code, n.arguments) for n in roster.notices] == [
        ("sheet-chosen", {"sheet": chosen, "others": others})
    ]


def test_workbook_width_follows_header_when_dimension_is_wrong() -> None:
    rows = f"<row>{inline(*HEADER)}</row><row>{inline(*ANNA, *'abc')}</row>"
    claimed = f'<dimension ref="A1"/><sheetData>{rows}</sheetData>'
    assert read_workbook(sheet(claimed)).ready == 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (book({"Phones": []}), "empty"),
        (book({"Phones": [HEADER]}), "no-rows"),
        (book({"Phones": [["Username"], ["anna@contoso.com"]]}), "one-column"),
        (book({"A": [["x", "y"]], "B": [["z"]]}), "no-header"),
        (b"PK\x03\x04 and then nothing of the kind", "workbook-broken"),
        (with_parts({})[:-200], "workbook-broken"),
        (with_parts({SHEET: "<worksheet"}), "workbook-broken"),
        (with_parts({"[Content_Types].xml": "<Types/>"}), "workbook-broken"),
        (
            with_parts({SHEET: '<!DOCTYPE x [<!ENTITY a "aa">]><worksheet>&a;</worksheet>'}),
            "workbook-broken",
        ),
    ],
)
def test_workbook_is_rejected_when_empty_or_malformed(data: bytes, code: str) -> None:
    assert error_code(data) == code


def test_zip_is_named_when_not_a_workbook() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        made.writestr("word/document.xml", "<w/>")
    with pytest.raises(UnreadableFileError) as caught:
        read_workbook(content.getvalue())
    assert (caught.value.code, caught.value.arguments) == ("not-a-table", {"kind": "zip"})


def test_workbook_is_rejected_when_compression_is_unsupported() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_LZMA) as made:
        made.writestr("[Content_Types].xml", "<Types/>")
        made.writestr("xl/workbook.xml", "<workbook/>")
    assert error_code(content.getvalue()) == "workbook-broken"


def cells(count: int) -> bytes:
    return sheet("<sheetData><row>" + "<c/>" * count + "</row></sheetData>")


def merged_cells(count: int) -> bytes:
    return sheet("<sheetData/><mergeCells>" + '<mergeCell ref="A1"/>' * count + "</mergeCells>")


def names_for_one_sheet(count: int) -> bytes:
    names = "".join(
        f'<sheet name="s{at}" sheetId="{at}" r:id="rId1"/>' for at in range(1, count + 1)
    )
    return with_parts(
        {
            "xl/workbook.xml": f"<workbook {SPREADSHEET} {RELATIONS}><sheets>{names}</sheets></workbook>"
        }
    )


def giant_attribute(size: int) -> bytes:
    return with_parts(
        {SHEET: f"<worksheet {SPREADSHEET} a='{'x' * size}'><sheetData/></worksheet>"}
    )


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda: with_parts({SHEET: b" " * 100 * MEGABYTE}), id="zip bomb"),
        pytest.param(
            lambda: sheet(f"<sheetData><row>{inline('x' * 10 * MEGABYTE)}</row></sheetData>"),
            id="10 MB cell",
        ),
        pytest.param(lambda: cells(2_000_000), id="2 million columns"),
        pytest.param(lambda: merged_cells(100_000), id="tags that are expensive to parse"),
        pytest.param(
            lambda: with_parts({f"xl/media/{at}.xml": "" for at in range(workbook.MAX_PARTS)}),
            id="too many parts",
        ),
        pytest.param(lambda: names_for_one_sheet(9000), id="one sheet with thousands of names"),
        pytest.param(lambda: giant_attribute(30 * MEGABYTE), id="a giant attribute"),
        pytest.param(
            lambda: sheet(f"<!--{('x' * 500_000 + '<') * 60}--><sheetData/>"),
            id="a giant comment",
        ),
    ],
)
def test_workbook_is_rejected_when_a_limit_is_exceeded(made: Callable[[], bytes]) -> None:
    assert error_code(made()) == "workbook-too-large"


def test_workbook_is_rejected_when_rows_break_or_exceed_limits_during_iteration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = f"<row>{inline(*HEADER)}</row>" + f"<row>{inline(*ANNA)}</row>" * 10_000
    assert error_code(sheet(f"<sheetData>{rows}<row><c>")) == "workbook-broken"
    monkeypatch.setattr(workbook, "MAX_COST", 50_000)
    assert error_code(sheet(f"<sheetData>{rows}</sheetData>")) == "workbook-too-large"


def test_workbook_ignores_rows_beyond_sheet_height() -> None:
    far = f'<row r="1">{inline(*HEADER)}</row><row r="99999999999">{inline(*ANNA)}</row>'
    assert error_code(sheet(f"<sheetData>{far}</sheetData>")) == "no-rows"


def test_workbook_ignores_cells_beyond_max_columns() -> None:
    row = '<row><c r="ZZZ1"><v>1</v></c></row>'
    assert error_code(sheet(f"<sheetData>{row * 1000}</sheetData>")) == "empty"


def test_openpyxl_uses_defusedxml() -> None:
    assert openpyxl.DEFUSEDXML
