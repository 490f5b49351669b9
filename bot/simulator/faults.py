"""Injects faults: which calls fail, and how that looks on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus

from aiohttp import web

from bot.phones.region import Region
from bot.simulator.scenario import Call, Fault, FaultKind

ErrorBody = Callable[[int, str, str], web.Response]  # status, code, message


class Faults:
    """The scenario's fault rules and how often each has matched. More can be added at any time."""

    def __init__(self, rules: Sequence[Fault]) -> None:
        self._rules = [*rules]
        self._matches: dict[int, int] = {}
        self._closing = asyncio.Event()

    def add(self, fault: Fault) -> None:
        """Add a rule. Earlier calls do not count toward its `nth`."""
        self._rules.append(fault)

    def remove(self, fault: Fault) -> None:
        """End a fault."""
        gone = self._rules.index(fault)
        del self._rules[gone]
        self._matches = {
            index - (index > gone): matches
            for index, matches in self._matches.items()
            if index != gone
        }

    def clear(self) -> None:
        """Drop all rules: from here on, every call succeeds."""
        self._rules.clear()
        self._matches.clear()

    def next(self, call: Call, region: Region | None = None) -> Fault | None:
        """Count this call and return the first fault that applies to it. Returns None when none does."""
        matched: Fault | None = None
        for index, rule in enumerate(self._rules):
            if rule.call is not call or (rule.region is not None and rule.region is not region):
                continue
            self._matches[index] = count = self._matches.get(index, 0) + 1
            started = count >= rule.nth
            finished = rule.times and count >= rule.nth + rule.times
            if matched is None and started and not finished:
                matched = rule
        return matched

    def open(self) -> None:
        self._closing.clear()

    def close(self) -> None:
        """Release calls that are held open without a response, so that the server can stop."""
        self._closing.set()

    async def play(
        self, request: web.Request, fault: Fault, error_body: ErrorBody
    ) -> web.StreamResponse:
        """Respond to `request` as `fault` says."""
        match fault.fault:
            case FaultKind.TIMEOUT_LOST | FaultKind.TIMEOUT_ACCEPTED:
                await self._closing.wait()
                return _hang_up(request)
            case FaultKind.DROP_LOST | FaultKind.DROP_ACCEPTED:
                return _hang_up(request)
            case FaultKind.GARBAGE:
                return web.Response(text=fault.body, content_type="text/html")
            case FaultKind.GONE:
                status = HTTPStatus.NOT_FOUND
            case _:
                status = HTTPStatus(int(fault.fault[:3]))
        code = "Throttled" if status == HTTPStatus.TOO_MANY_REQUESTS else status.name.title()
        response = error_body(status, code, fault.message or status.phrase)
        if fault.retry_after is not None:
            retry_after = fault.retry_after
            response.headers["Retry-After"] = (
                retry_after if isinstance(retry_after, str) else f"{retry_after:g}"
            )
        return response


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=499)  # never received; 499 means "client closed request"
