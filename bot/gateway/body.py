"""A request body that knows whether any of it has left."""

from __future__ import annotations

from aiohttp import payload
from aiohttp.abc import AbstractStreamWriter

from bot.gateway import BeforeSending


class Body(payload.BytesPayload):
    """JSON that is sent once `before_sending` has returned, at most once.

    aiohttp asks for the body when it has a connection, in a task of its own, and holds the headers back
    until the first byte of it is there.
    """

    def __init__(self, content: bytes, before_sending: BeforeSending) -> None:
        super().__init__(content, content_type="application/json")
        self.content = content
        #: What `before_sending` raised: aiohttp replaces it by an error of its own.
        self.error: Exception | None = None
        self._before_sending = before_sending
        self._begun = False
        self._withdrawn = False

    def withdraw(self) -> bool:
        """Send nothing from now on. Returns True if nothing was sent before either."""
        self._withdrawn = True
        return not self._begun

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        try:
            await self._before_sending()
        except Exception as error:
            self.error = error
            raise
        if self._withdrawn:
            raise ConnectionAbortedError
        self._begun = True
        await super().write_with_length(writer, content_length)
