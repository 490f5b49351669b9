"""Trouble on demand: which call fails, and how that looks on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus

from aiohttp import web

from bot.phones.region import Region
from bot.simulator.scenario import Call, Fault, FaultKind

ErrorBody = Callable[[int, str, str], web.Response]  # status, code, message


class Faults:
    """The scenario's rules, with how often each was met. Further ones can be added as one goes."""

    def __init__(self, rules: Sequence[Fault]) -> None:
        self._rules = [*rules]
        self._met: dict[int, int] = {}
        self._closing = asyncio.Event()

    def add(self, fault: Fault) -> None:
        """From now on; calls made before do not count towards its `nth`."""
        self._rules.append(fault)

    def next(self, call: Call, region: Region | None = None) -> Fault | None:
        """Count this call, and give the fault that strikes it."""
        striking: Fault | None = None
        for place, rule in enumerate(self._rules):
            if rule.call is not call or (rule.region is not None and rule.region is not region):
                continue
            self._met[place] = met = self._met.get(place, 0) + 1
            begun = met >= rule.nth
            over = rule.times and met >= rule.nth + rule.times
            if striking is None and begun and not over:
                striking = rule
        return striking

    def open(self) -> None:
        self._closing.clear()

    def close(self) -> None:
        """Let go of calls that are never answered, so that the server can stop."""
        self._closing.set()

    async def play(
        self, request: web.Request, fault: Fault, error_body: ErrorBody
    ) -> web.StreamResponse:
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
        answer = error_body(status, code, fault.message or status.phrase)
        if fault.retry_after is not None:
            seconds = fault.retry_after
            answer.headers["Retry-After"] = seconds if isinstance(seconds, str) else f"{seconds:g}"
        return answer


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=499)  # nobody hears it; counted as "closed by the caller"
