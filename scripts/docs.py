"""The generated parts of the documentation: `python -m scripts.docs` updates them.

A generated part stands between `<!-- name -->` and `<!-- /name -->`. The rest of a page is handwritten.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from bot.mending import change, mend
from bot.mending.change import ChangeState
from bot.mending.mend import MendState
from bot.settings.model import Settings
from bot.signin import batch, outcome, request
from bot.signin.batch import BatchState
from bot.signin.outcome import CAUSES, PhoneStatus, Retry
from bot.signin.request import RequestState
from bot.words import Words
from scripts import diagrams, policy_table, where

ROOT = Path(__file__).parents[1]


def settings() -> str:
    """A Markdown table with a row per setting: name, default, meaning."""
    header = ["| variable | default | meaning |", "|---|---|---|"]
    return "\n".join([*header, *_setting_rows()]) + "\n"


def _setting_rows() -> Iterator[str]:
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


_RETRY: Mapping[Retry, str] = MappingProxyType(
    {
        Retry.AFTER_FIX: "after the fix",
        Retry.AS_IT_STANDS: "yes",
        Retry.SMALLER: "yes, later and fewer",
    }
)


def causes() -> str:
    """A Markdown table with a row per cause of failure, worded as on the cards."""
    words = Words()
    rows = [
        f"| {words(f'cause-{code}')} | {words.part(f'cause-{code}', 'fix')} | {_RETRY[cause.retry]} |"
        for code, cause in CAUSES.items()
    ]
    return "\n".join(["| the card says | what to do | retry? |", "|---|---|---|", *rows]) + "\n"


#: By page, what generates each of its parts.
PAGES: Mapping[str, Mapping[str, Callable[[], str]]] = MappingProxyType(
    {
        "README.md": {"settings": settings},
        "docs/admins.md": {"causes": causes},
        "docs/policy.md": {"reasons": policy_table.reasons, "table": policy_table.table},
        "docs/architecture.md": {
            "layers": lambda: diagrams.layers(ROOT / "pyproject.toml"),
            "modules": lambda: diagrams.modules(ROOT / "pyproject.toml"),
            "request": lambda: diagrams.states(RequestState.DRAFT, request.TRANSITIONS),
            "batch": lambda: diagrams.states(BatchState.PLANNED, batch.TRANSITIONS),
            "mend": lambda: diagrams.states(MendState.DRAFT, mend.TRANSITIONS),
            "change": lambda: diagrams.states(ChangeState.PLANNED, change.TRANSITIONS),
            "phone": lambda: diagrams.states(PhoneStatus.PENDING, outcome.TRANSITIONS),
            "where": where.table,
        },
    }
)


def regenerate(page: str, text: str) -> str:
    """Returns the `text` of `page` with its generated parts up to date."""
    for name, generate in PAGES[page].items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}{generate()}{end}{after}"
    return text


if __name__ == "__main__":
    for page in PAGES:
        path = ROOT / page
        path.write_text(regenerate(page, path.read_text("utf-8")), "utf-8")
        sys.stdout.write(f"{page} is up to date\n")
