"""The message catalog: all text that users see lives in this folder.

Messages use Fluent (https://projectfluent.org), with one folder per language and one `.ftl` file per
package. Code refers to messages by ID; plural forms and word order belong to the language. Pure
packages keep IDs and arguments, and only the view formats them, so 20,000 issues cost no formatting.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import resources

from fluent.runtime import FluentBundle, FluentResource

Escape = Callable[[str], str]
Argument = str | int | float


class UnknownMessageError(LookupError):
    """The catalog has no such message or attribute, or an argument is missing."""


@lru_cache(maxsize=8)
def _bundle(language: str) -> FluentBundle:
    # Bidi isolation marks would end up in copied text; `escape` cleans the values instead.
    bundle = FluentBundle([language], use_isolating=False)
    folder = resources.files("bot.words").joinpath(language)
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".ftl"):
            bundle.add_resource(FluentResource(entry.read_text(encoding="utf-8")))
    return bundle


class Words:
    """The messages of one language, with every string argument passed through `escape`.

    A view supplies the escape function for its medium (card Markdown, terminal) once, so that no caller
    can forget it.
    """

    def __init__(self, language: str = "en", *, escape: Escape | None = None) -> None:
        self.language = language
        self._bundle = _bundle(language)
        self._escape = escape

    def escaping(self, escape: Escape) -> Words:
        """The same messages for another medium."""
        return Words(self.language, escape=escape)

    def __call__(self, message: str, /, **arguments: Argument) -> str:
        """Format a message. Raises `UnknownMessageError`."""
        return self._format(message, None, arguments)

    def part(self, message: str, attribute: str, /, **arguments: Argument) -> str:
        """Format an attribute of a message, such as `fix`. Raises `UnknownMessageError`."""
        return self._format(message, attribute, arguments)

    def has(self, message: str) -> bool:
        return self._bundle.has_message(message)

    def _format(self, message: str, attribute: str | None, arguments: dict[str, Argument]) -> str:
        name = message if attribute is None else f"{message}.{attribute}"
        if not self._bundle.has_message(message):
            raise UnknownMessageError(name)
        entry = self._bundle.get_message(message)
        pattern = entry.value if attribute is None else entry.attributes.get(attribute)
        if pattern is None:
            raise UnknownMessageError(name)
        if self._escape is not None:
            escape = self._escape
            arguments = {k: escape(v) if isinstance(v, str) else v for k, v in arguments.items()}
        text, errors = self._bundle.format_pattern(pattern, arguments)
        if errors:
            raise UnknownMessageError(f"{name}: {errors[0]}")
        return str(text)
