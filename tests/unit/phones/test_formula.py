"""Cells that spreadsheets would take for formulas, wherever they split a line."""

from __future__ import annotations

import csv
import io
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.phones import roster
from bot.phones.formula import escape_formula, unescape_formula
from bot.phones.reader import MAX_CELL

STARTS = "=+-@\uff1d\uff0b\uff0d\uff20"
SEPARATORS = ",;\t|"
ALPHABET = STARTS + SEPARATORS + "'\"\r\n \u200bax1.:0C\uff1b"
CELLS = st.text(ALPHABET, max_size=12)


def _cells(line: str, separator: str) -> list[str]:
    """The cells that a spreadsheet finds, which splits at `separator` and ends lines at line breaks."""
    lines = io.StringIO(line, newline="")
    return [cell for row in csv.reader(lines, delimiter=separator) for cell in row]


def _written(*rows: tuple[str, ...]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue()


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize(
    "value", ["=1", "x{0}=cmd|'/C calc'!A0", 'x{0} "+1', "x{0}\uff1d1", "x\n-1", "x{0}@SUM(1)"]
)
def test_escape_formula_leaves_no_formula_when_a_spreadsheet_splits_elsewhere(
    value: str, separator: str
) -> None:
    value = value.format(separator)
    for line in (_written((escape_formula(value), "y")), _written(("y", escape_formula(value)))):
        assert not [
            cell
            for cell in _cells(line, separator)
            if cell.lstrip(' "\r\n').startswith(tuple(STARTS))
        ]


@given(CELLS, CELLS)
@example("x;=cmd|'/C calc'!A0", "")
@example('x;"=cmd', ",\uff1d1")
def test_escape_formula_leaves_no_formula_in_any_text(first: str, second: str) -> None:
    line = _written((escape_formula(first), escape_formula(second)))
    for separator in SEPARATORS:
        for cell in _cells(line, separator):
            assert not cell.lstrip(' "\t\r\n').startswith(tuple(STARTS)), (line, cell)


@given(CELLS | st.text())
@example("'=1")
@example("\t'=1")
def test_unescape_formula_returns_what_was_escaped(value: str) -> None:
    assert unescape_formula(escape_formula(value)) == value


@pytest.mark.parametrize(
    "value", ["", "o'neill@contoso.com", "a-b@c.d", "'a'", "80-5E-C0-00-00-01:001"]
)
def test_escape_formula_changes_nothing_in_ordinary_values(value: str) -> None:
    assert escape_formula(value) == value
    assert unescape_formula(value) == value


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=3))
@example([("+4930@contoso.com", "x;=cmd|'/C calc'!A0")])
@example([("''+4930@contoso.com", "'\uff1d80-5E-C0-00-00-01")])
@example([("'\t+49@contoso.com", " \t'=1")])
def test_exported_columns_read_back_the_same_when_sent_again(rows: list[tuple[str, str]]) -> None:
    header = ("Username", "HardwareId")
    given_file = _written(header, *rows, ("lobby@contoso.com", "80-5E-C0-00-00-01")).encode()
    read = roster.read(given_file, "phones.csv").rows
    columns = [(row.username, row.hardware_id) for row in read]
    exported = _written(header, *(tuple(map(escape_formula, each)) for each in columns))
    again = roster.read(exported.encode("utf-8-sig"), "results.csv").rows
    assert [(row.username, row.hardware_id) for row in again] == columns
    assert [row.ready for row in again] == [row.ready for row in read]


@pytest.mark.parametrize("character", "\t \"';\n=")
def test_formulas_are_read_in_linear_time_when_a_cell_is_hostile(character: str) -> None:
    hostile = f"{character * MAX_CELL}'"
    started = time.process_time()
    assert unescape_formula(escape_formula(hostile)) == hostile
    assert time.process_time() - started < 2
