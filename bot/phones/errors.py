"""The exception for files that cannot be read as a table of phones."""

from __future__ import annotations


class UnreadableFileError(Exception):
    """The file cannot be read as a table of phones.

    `unreadable-<code>` in the catalog is the message, and its attribute `fix` says what to do.
    """

    def __init__(self, code: str, **arguments: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.arguments = arguments
