"""Parses the output of `powershell.ps1`, treating all of it as untrusted. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from bot import retry_after
from bot.gateway import AccessDeniedError, GatewayError, ThrottledError, UnavailableError, wire
from bot.gateway.failure import Failure

# .NET exceptions for a server that was not reached.
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
_NO_CMDLET = "CommandNotFoundException"  # the module is too old
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_JWT = re.compile(r"eyJ[\w-]{8,}[\w.-]*")


class Transcript:
    """The events written by one run of `powershell.ps1`, up to its result or that of one order.

    `run_id` identifies the process in Offhook's log. `mark` precedes every event on its line.
    `secrets` are removed from every text that is kept.
    """

    def __init__(self, run_id: str, mark: str, secrets: Sequence[str]) -> None:
        self.run_id = run_id
        #: True once the script is connected and waits for the go-ahead.
        self.ready = False
        #: True from just before the cmdlet is called. While False, nothing can have run.
        self.called = False
        #: The cmdlet's result as JSON; None unless it succeeded.
        self.output: bytes | None = None
        #: None unless the script reported a failure.
        self.failure: Failure | None = None
        #: How the process ended if it reported neither output nor failure; else "".
        self.exit_message = ""
        self._mark = f"{mark} "
        # Shorter ones could be ordinary words.
        self._secrets = tuple(each for each in secrets if len(each) >= 16)
        self._stage = ""
        self._network = False
        self._no_cmdlet = False

    def following(self) -> Transcript:
        """An empty transcript, for what the same process writes next."""
        return Transcript(self.run_id, self._mark.rstrip(), self._secrets)

    @property
    def finished(self) -> bool:
        """True once the script has reported its output or a failure."""
        return self.output is not None or self.failure is not None

    def feed(self, line: bytes) -> None:
        """Parse one line of stdout. Text before the mark and after the event is ignored."""
        _, mark, text = line.decode("utf-8", "replace").partition(self._mark)
        if not mark or self.finished:
            return
        try:
            event, _ = json.JSONDecoder().raw_decode(text)
        except (ValueError, RecursionError):
            return
        fields = cast("dict[str, object]", event) if isinstance(event, dict) else {}
        match fields.get("event"):
            case "ready":
                self.ready = True
            case "asking":
                self.called = True
            case "answered":
                self.called = True
                self.output = json.dumps(fields.get("answer")).encode()
            case "failed":
                self._record_failure(fields)
            case _:
                pass

    def process_exited(self, returncode: int | None, stderr: str) -> None:
        """Record how the process ended, with the tail of its stderr."""
        if not self.finished and not self.exit_message:
            code = "" if returncode is None else f" with code {returncode}"
            self.exit_message = wire.clean(
                f"PowerShell exited{code} without a result. {self._scrub(stderr)}"
            )

    def error_before_call(self) -> GatewayError:
        """Why the cmdlet was never called.

        Returns an `AccessDeniedError`, `ThrottledError` or `UnavailableError`.
        """
        if self.failure is None:
            return UnavailableError(self.exit_message, correlation_id=self.run_id)
        failure = self.failure
        correlation_id = failure.correlation_id
        if failure.status == 429:
            return ThrottledError(
                failure.message, retry_after=failure.retry_after, correlation_id=correlation_id
            )
        unreachable = failure.status >= 500 if failure.status is not None else self._network
        if self._stage == "connecting" and unreachable:
            return UnavailableError(failure.message, correlation_id=correlation_id)
        return AccessDeniedError(failure.message, correlation_id=correlation_id)

    def error_after_call(self, error_of: Callable[[Failure], GatewayError]) -> GatewayError:
        """Why there is no output, of an order that can be given again; `error_of` its reported failure."""
        if self.failure is None:
            return UnavailableError(self.exit_message, correlation_id=self.run_id)
        failure = self.failure
        if self._network and failure.status is None:
            return UnavailableError(failure.message, correlation_id=failure.correlation_id)
        if self._no_cmdlet:
            return AccessDeniedError(failure.message, correlation_id=failure.correlation_id)
        return error_of(failure)

    def _record_failure(self, fields: Mapping[str, object]) -> None:
        def text(name: str) -> str:
            value = fields.get(name)
            return self._scrub(value) if isinstance(value, str) else ""

        status, kinds = fields.get("status"), fields.get("kinds")
        self._stage = text("stage")
        self.called = self.called or self._stage not in ("checking", "connecting")
        named = frozenset(map(str, kinds)) if isinstance(kinds, list) else frozenset[str]()
        self._network = not _NETWORK.isdisjoint(named)
        self._no_cmdlet = _NO_CMDLET in named
        message = wire.error_text(text("body").encode("utf-8", "replace"))
        self.failure = Failure(
            status if isinstance(status, int) and 100 <= status <= 599 else None,
            message or wire.clean(text("message")) or "no reason given",
            retry_after.seconds(text("retryAfter")),
            wire.clean(text("correlationId")) or self.run_id,
            wire.clean(text("errorId")),
        )

    def _scrub(self, text: str) -> str:
        """`text` without terminal escape codes, secrets, and anything that looks like a JWT."""
        text = _ESCAPES.sub("", text)
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return _JWT.sub("…", text)
