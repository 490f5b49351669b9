"""The exception for a file that gives no table of phones at all."""

from __future__ import annotations


class UnreadableFileError(Exception):
    """`unreadable-<code>` in the catalogue is the sentence, `unreadable-<code>.fix` what to do."""

    def __init__(self, code: str, **arguments: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.arguments = arguments
