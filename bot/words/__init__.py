"""The message catalogue: every sentence that a person sees is in this folder, and nowhere else.

Sentences are Fluent messages (https://projectfluent.org), one `.ftl` file per room and one folder
per language. Code asks for a sentence by its id; plural forms and word order are the language's.
Pure rooms keep ids and arguments and let the view ask, so that 20,000 issues cost no formatting.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import resources

from fluent.runtime import FluentBundle, FluentResource

Escape = Callable[[str], str]
Argument = str | int | float


class UnknownMessageError(LookupError):
    """The catalogue has no such id or attribute, or the message wants an argument it did not get."""


@lru_cache(maxsize=8)
def _bundle(language: str) -> FluentBundle:
    # Isolation marks would end up in copied text; values are cleaned by `escape` instead.
    bundle = FluentBundle([language], use_isolating=False)
    folder = resources.files("bot.words").joinpath(language)
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".ftl"):
            bundle.add_resource(FluentResource(entry.read_text(encoding="utf-8")))
    return bundle


class Words:
    """The sentences of one language, with every text argument passed through `escape`.

    A view hands in the escape of its medium (card markdown, terminal), so that no caller can forget it.
    """

    def __init__(self, language: str = "en", *, escape: Escape | None = None) -> None:
        self.language = language
        self._bundle = _bundle(language)
        self._escape = escape

    def escaping(self, escape: Escape) -> Words:
        """The same sentences for another medium."""
        return Words(self.language, escape=escape)

    def __call__(self, message: str, /, **arguments: Argument) -> str:
        """The sentence `message`; raises `UnknownMessage` for an id that is not there."""
        return self._format(message, None, arguments)

    def part(self, message: str, attribute: str, /, **arguments: Argument) -> str:
        """The attribute of a message, as in `issue-mac-multicast.fix`."""
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
