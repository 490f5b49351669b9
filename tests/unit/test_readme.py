"""What the README promises is so."""

from __future__ import annotations

import re
from pathlib import Path

from bot.commands.desk import ORDERS
from bot.documentation import with_table

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_settings_are_those_of_the_model() -> None:
    assert with_table(README) == README, "run: .venv/bin/python -m bot.documentation"


def test_every_command_is_named() -> None:
    for order in ORDERS:
        assert f"`{order}" in README or f"{order} " in README


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *ROOT.joinpath("docs").rglob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in set(re.findall(r"^make (\w+)", README, re.MULTILINE)):
        assert f"\n{target}:" in makefile
