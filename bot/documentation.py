"""The README's table of settings, made from the model: `python -m bot.documentation` writes it anew."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from bot.settings import Settings

_BEGIN, _END = "<!-- settings -->\n", "<!-- /settings -->"


def table() -> str:
    """One Markdown row for each setting: name, default, meaning."""
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *_rows()]) + "\n"


def _rows() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        yield f"| `OFFHOOK_{name.upper()}` | {_default(field)} | {field.description} |"


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, tuple):
        value = ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType]
    return f"`{value}`" if value not in ("", None) else ""


def with_table(text: str) -> str:
    """A README with today's table in place of the one it has."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{table()}{_END}{after}"


if __name__ == "__main__":
    readme = Path(__file__).parents[1] / "README.md"
    readme.write_text(with_table(readme.read_text("utf-8")), "utf-8")
    sys.stdout.write(f"{readme.name} is up to date\n")
