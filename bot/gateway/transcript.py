"""What the process of powershell.ps1 says, line by line, without trusting a word of it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import cast

from bot.gateway import AccessDeniedError, GatewayError, ThrottledError, UnavailableError, wire
from bot.gateway.failure import Failure, seconds

# Exceptions of .NET for a service that was not reached.
_NETWORK = frozenset(
    {
        "HttpRequestException",
        "IOException",
        "OperationCanceledException",
        "SocketException",
        "TaskCanceledException",
        "TimeoutException",
        "WebException",
    }
)
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_JWT = re.compile(r"eyJ[\w-]{8,}[\w.-]*")


class Transcript:
    """Of one process: `run` names it in our log, `mark` begins what the script itself says.

    Whatever is kept of its words is free of `secrets`.
    """

    def __init__(self, run: str, mark: str, secrets: Sequence[str]) -> None:
        self.run = run
        self.asked = False  # the service was called, or was about to be
        self.answer: bytes | None = None  # JSON
        self.failure: Failure | None = None
        self.ending = ""  # how the process ended, where it gave neither answer nor failure
        self._mark = f"{mark} "
        self._secrets = tuple(each for each in secrets if len(each) >= 16)  # shorter ones are words
        self._stage = ""
        self._network = False

    @property
    def over(self) -> bool:
        return self.answer is not None or self.failure is not None

    def take(self, line: bytes) -> None:
        """One line of stdout. What stands before and after the script's words was written by others."""
        _, found, text = line.decode("utf-8", "replace").partition(self._mark)
        if not found or self.over:
            return
        try:
            event, _ = json.JSONDecoder().raw_decode(text)
        except (ValueError, RecursionError):
            return
        fields = cast("dict[str, object]", event) if isinstance(event, dict) else {}
        match fields.get("event"):
            case "asking":
                self.asked = True
            case "answered":
                self.asked = True
                self.answer = json.dumps(fields.get("answer")).encode()
            case "failed":
                self._failed(fields)
            case _:
                pass

    def end(self, returncode: int | None, complaint: str) -> None:
        """The process has ended; `complaint` is what it wrote to stderr."""
        if not self.over and not self.ending:
            code = "" if returncode is None else f" with code {returncode}"
            self.ending = wire.clean(
                f"PowerShell ended{code} without an answer. {self._scrubbed(complaint)}"
            )

    def unasked(self) -> GatewayError:
        """Why the service was not called: `Denied`, `Throttled` or `Unavailable`."""
        if self.failure is None:
            return UnavailableError(self.ending, correlation_id=self.run)
        failure = self.failure
        identifier = failure.correlation_id
        if failure.status == 429:
            return ThrottledError(
                failure.message, retry_after=failure.retry_after, correlation_id=identifier
            )
        out_of_reach = failure.status >= 500 if failure.status is not None else self._network
        if self._stage == "connecting" and out_of_reach:
            return UnavailableError(failure.message, correlation_id=identifier)
        return AccessDeniedError(failure.message, correlation_id=identifier)

    def _failed(self, fields: Mapping[str, object]) -> None:
        def text(name: str) -> str:
            value = fields.get(name)
            return self._scrubbed(value) if isinstance(value, str) else ""

        status, kinds = fields.get("status"), fields.get("kinds")
        self._stage = text("stage")
        self.asked = self.asked or self._stage not in ("checking", "connecting")
        self._network = isinstance(kinds, list) and not _NETWORK.isdisjoint(map(str, kinds))
        words = wire.error_text(text("body").encode("utf-8", "replace"))
        self.failure = Failure(
            status if isinstance(status, int) and 100 <= status <= 599 else None,
            words or wire.clean(text("message")) or "no reason was given",
            seconds(text("retryAfter")),
            wire.clean(text("correlationId")) or self.run,
        )

    def _scrubbed(self, text: str) -> str:
        """Without terminal codes, and without anything that is or looks like a token."""
        text = _ESCAPES.sub("", text)
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return _JWT.sub("…", text)
