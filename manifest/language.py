"""The strings that Teams shows of the app, one file for each language in `languages/`.

The file's name is the language tag. A further language is a further file: it is found, put in the
package and named in the manifest. A command's title is what Teams sends to the bot when somebody picks
it, in any language, so it has to be a word that the bot understands.
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
    """`commands` are keyed by their English word, in the order in which the menu shows them."""

    name: Name
    description: Description
    commands: Annotated[dict[str, Command], Field(min_length=1, max_length=12)]


def load() -> dict[str, Language]:
    """Every language by its tag. A file that does not fit raises pydantic's `ValidationError`."""
    folder = resources.files("manifest").joinpath("languages")
    return {
        entry.name.removesuffix(".json"): Language.model_validate_json(entry.read_bytes())
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".json")
    }
