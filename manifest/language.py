"""The app's strings that Teams shows, one file per language in `languages/`.

The file's name is the language tag. To add a language, add a file: it goes into the package and the
manifest. When a user picks a command, Teams sends its title to the bot, in any language, so the title must
start with a word that the bot understands.
"""

from __future__ import annotations

from importlib import resources
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

DEFAULT = "en"


class _Strings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Name(_Strings):
    short: Annotated[str, Field(min_length=1, max_length=30)]
    full: Annotated[str, Field(min_length=1, max_length=100)]


class Description(_Strings):
    short: Annotated[str, Field(min_length=1, max_length=80)]
    full: Annotated[str, Field(min_length=1, max_length=4000)]


class Command(_Strings):
    title: Annotated[str, Field(min_length=1, max_length=128)]
    description: Annotated[str, Field(min_length=1, max_length=4000)]


class Language(_Strings):
    """The strings of one language."""

    name: Name
    description: Description
    #: By English word, in menu order.
    commands: Annotated[dict[str, Command], Field(min_length=1, max_length=12)]


def load() -> dict[str, Language]:
    """Returns the languages by tag. Raises pydantic's ValidationError when a file is invalid."""
    folder = resources.files("manifest").joinpath("languages")
    return {
        entry.name.removesuffix(".json"): Language.model_validate_json(entry.read_bytes())
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".json")
    }
