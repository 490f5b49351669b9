"""The table "where is what": every place that it names exists, and every name is the thing itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import where

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("place", where.PLACES, ids=lambda place: place.behavior)
def test_where_table_names_a_definition_that_exists(place: where.Place) -> None:
    path = ROOT / place.path
    assert path.is_file()
    if place.symbol:
        assert place.symbol in where.defined_in(path)


def test_where_table_lists_each_behavior_once() -> None:
    behaviors = [place.behavior for place in where.PLACES]
    assert len(set(behaviors)) == len(behaviors) >= 25


def test_defined_in_knows_functions_classes_methods_and_constants(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text("A = 1\ndef f(): ...\nclass C:\n    async def m(self): ...\n", "utf-8")
    assert where.defined_in(source) == {"A", "f", "C", "C.m"}


def test_walkthrough_names_files_that_exist() -> None:
    page = (ROOT / "docs/walkthrough.md").read_text("utf-8")
    paths = [word.strip("`.,;:)") for word in page.split() if word.startswith(("`bot/", "`cards/"))]
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).exists()] == []
