"""The README and the pages under docs/: generated parts, links, indexes, and commands are up to date."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.commands.dispatcher import COMMANDS
from scripts.docs import PAGES, regenerate

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
ALL = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.joinpath("docs").rglob("*.md")))
_LINK = re.compile(r"\]\((?!https?:)([^)\s#]*)(?:#([^)\s]*))?\)")


def anchors(page: str) -> Iterator[str]:
    """Yields the anchors that GitHub generates for the headings of a page."""
    counts: dict[str, int] = {}
    without_code = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#{1,6} +(.+?) *$", without_code, re.MULTILINE):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)|`", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        count = counts.get(anchor, 0)
        counts[anchor] = count + 1
        yield f"{anchor}-{count}" if count else anchor


@pytest.mark.parametrize("page", PAGES)
def test_generated_parts_match_code(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert regenerate(page, text) == text, "run: .venv/bin/python -m scripts.docs"


def test_readme_names_every_chat_command() -> None:
    for command in COMMANDS:
        assert f"`{command}" in README or f"{command} " in README


@pytest.mark.parametrize("page", ALL, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_have_existing_targets(page: Path) -> None:
    for target, anchor in _LINK.findall(page.read_text("utf-8")):
        path = page.parent / target if target else page
        assert path.exists(), target
        if anchor:
            assert anchor in set(anchors(path.read_text("utf-8"))), f"{target}#{anchor}"


def test_index_lists_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    for page in ROOT.joinpath("docs").glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, page.name


def test_decision_index_lists_every_record() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text("utf-8")
    for record in folder.glob("[0-9]*.md"):
        assert f"({record.name})" in index, record.name


@pytest.mark.parametrize("page", ALL, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_named_on_pages_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    text = page.read_text("utf-8")
    for target in set(re.findall(r"(?:^|`)make (\w+)", text, re.MULTILINE)):
        assert f"\n{target}:" in makefile, target
