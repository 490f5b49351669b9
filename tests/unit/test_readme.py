"""What the README and the pages under docs/ promise is so, as far as it can be read off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.commands.dispatcher import ORDERS
from scripts.docs import PAGES, renewed

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
ALL = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.joinpath("docs").rglob("*.md")))
_LINK = re.compile(r"\]\((?!https?:)([^)\s#]*)(?:#([^)\s]*))?\)")


def anchors(page: str) -> Iterator[str]:
    """The anchors that GitHub gives the headings of a page."""
    seen: dict[str, int] = {}
    without_code = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#{1,6} +(.+?) *$", without_code, re.MULTILINE):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)|`", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        count = seen.get(anchor, 0)
        seen[anchor] = count + 1
        yield f"{anchor}-{count}" if count else anchor


@pytest.mark.parametrize("page", PAGES)
def test_made_parts_are_those_of_the_code(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert renewed(page, text) == text, "run: .venv/bin/python -m bot.documentation"


def test_every_command_is_named() -> None:
    for order in ORDERS:
        assert f"`{order}" in README or f"{order} " in README


@pytest.mark.parametrize("page", ALL, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in _LINK.findall(page.read_text("utf-8")):
        path = page.parent / target if target else page
        assert path.exists(), target
        if anchor:
            assert anchor in set(anchors(path.read_text("utf-8"))), f"{target}#{anchor}"


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    for page in ROOT.joinpath("docs").glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, page.name


def test_every_decision_is_in_its_index() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text("utf-8")
    for record in folder.glob("[0-9]*.md"):
        assert f"({record.name})" in index, record.name


@pytest.mark.parametrize("page", ALL, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    text = page.read_text("utf-8")
    for target in set(re.findall(r"(?:^|`)make (\w+)", text, re.MULTILINE)):
        assert f"\n{target}:" in makefile, target
