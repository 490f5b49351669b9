"""Simulates the SIP Gateway's bulk sign-in and the ConfigAPI's policy reads, as far as they are public.
`bot.simulator.administration` has the writes.

A batch's state is computed on each read, from its start time and the scenario, so thousands of phones
cost nothing between reads.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from aiohttp import web

from bot.phones import region as regions
from bot.phones.region import Region
from bot.signin.request import phone_key
from bot.simulator.accounts import Accounts
from bot.simulator.administration import Administration
from bot.simulator.faults import Faults
from bot.simulator.scenario import MESSAGES, SUCCESS, Call, Fault, Scenario, message
from bot.simulator.waiting import Signal

_HARDWARE_ID = re.compile(
    r"(?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}(?::(?!000)(?:[01][0-9]{2}|2[0-7][0-9]|28[0-8]))?"
)
_CONCURRENT_PHONES = 10  # phones of one batch in progress at once


class Item(NamedTuple):
    """One phone in a createbatch body, as received."""

    username: str
    hardware_id: str


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that was accepted and runs."""

    id: str
    #: Sequence number in this simulator, from 1.
    number: int
    region: Region
    items: tuple[Item, ...]
    #: Per item: `success`, or its error text.
    outcomes: tuple[str, ...]
    #: From `time.monotonic()`.
    started: float
    #: UTC.
    created_at: datetime
    #: Duration.
    seconds: float
    #: Whether the second half of the items never ends.
    stuck: bool
    #: Whether all items end together.
    at_once: bool

    def done(self, now: float) -> int:
        """Number of items that have ended by `now` (`time.monotonic()`), in order."""
        share = 1.0 if self.seconds == 0 else min((now - self.started) / self.seconds, 1.0)
        ended = int(share) * len(self.items) if self.at_once else int(share * len(self.items))
        return min(ended, len(self.items) // 2) if self.stuck else ended

    def running(self, now: float) -> bool:
        return self.stuck or now - self.started < self.seconds


@dataclass(frozen=True, slots=True)
class Submit:
    """One createbatch call, as received."""

    #: "" if nothing ran.
    batch_id: str
    #: None if missing or unknown.
    region: Region | None
    items: tuple[Item, ...]
    #: UTC.
    at: datetime
    headers: Mapping[str, str]


class ConfigApi:
    """The simulated SIP Gateway's state and a record of all calls."""

    def __init__(self, scenario: Scenario, faults: Faults, accounts: Accounts) -> None:
        self.scenario = scenario
        self._accounts = accounts
        self.calls: Counter[Call] = Counter()
        self.submits: list[Submit] = []
        self.batches: dict[str, Batch] = {}
        #: Number of batches that each phone, as (account, hardware ID), was in.
        self.runs: Counter[tuple[str, str]] = Counter()
        #: By lowercase account.
        self.password_resets: Counter[str] = Counter()
        #: Most batches running at once, by region.
        self.peak: Counter[Region] = Counter()
        self.last_headers: dict[Call, Mapping[str, str]] = {}
        self._batch_seconds = scenario.batch_seconds
        self._faults = faults
        self._signal = Signal()
        self.administration = Administration(scenario, faults, accounts, self._error)
        self._outcomes = {key.casefold(): value for key, value in scenario.outcomes.items()}

    @property
    def run_twice(self) -> list[tuple[str, str]]:
        """Phones, as (account, hardware ID), that were in more than one batch."""
        return [device for device, times in self.runs.items() if times > 1]

    async def wait_for_submits(self, number: int, timeout: float) -> None:  # noqa: ASYNC109
        """Wait until `number` createbatch calls have arrived, accepted or not.

        Raises `TimeoutError` after `timeout` seconds.
        """
        await self._signal.until(lambda: len(self.submits) >= number or None, timeout)

    def finish(self) -> None:
        """End the batches that run, and from now on each batch as soon as it is accepted."""
        self._batch_seconds = 0
        ended = {each.id: replace(each, seconds=0) for each in self.batches.values()}
        self.batches.update(ended)

    def routes(self) -> web.RouteTableDef:
        routes = web.RouteTableDef()
        service = "/Teams.SipDevicesGatewayManagement/v1"
        routes.get("/Teams.Tenant/serviceDiscovery")(self._discovery)
        routes.get("/Teams.Tenant/tenants")(self._tenants)
        routes.get("/Skype.Policy/configurations/{type}")(self._policy)
        routes.post(f"{service}/createbatch")(self._create)
        routes.get(f"{service}/batchstatus")(self._status)
        routes.get(f"{service}/batchsummaries")(self._summaries)
        return routes

    async def _begin(
        self, request: web.Request, call: Call, region: Region | None = None
    ) -> Fault | None:
        """Count the call. Returns the fault that applies to it; None if none does."""
        self.calls[call] += 1
        self.last_headers[call] = request.headers.copy()
        fault = self._faults.next(call, region)
        await self._half_latency()
        return fault

    async def _half_latency(self) -> None:
        if self.scenario.latency:
            await asyncio.sleep(self.scenario.latency / 2)

    async def _respond(
        self, request: web.Request, call: Call, content: object
    ) -> web.StreamResponse:
        """Respond to a read. Nothing changes, so a fault simply replaces the response."""
        fault = await self._begin(request, call)
        if fault is not None:
            return await self._faults.play(request, fault, self._error)
        if not _authorized(request):
            return self._error(401, "Unauthorized", "No access token.")
        await self._half_latency()
        return web.json_response(content)

    async def _discovery(self, request: web.Request) -> web.StreamResponse:
        content = {
            "Endpoints": {
                "ConfigApiEndpoint": "api.interfaces.records.teams.microsoft.com",
                "AdminServiceEndpoint": "admin1a.online.lync.com",
            },
            "Headers": {"X-MS-Forest": "1A"},
        }
        return await self._respond(request, Call.DISCOVERY, content)

    async def _tenants(self, request: web.Request) -> web.StreamResponse:
        content = [{"TenantId": "00000000-0000-0000-0000-0000000000aa", "DisplayName": "Contoso"}]
        return await self._respond(request, Call.TENANTS, content)

    async def _policy(self, request: web.Request) -> web.StreamResponse:
        kind = request.match_info["type"]
        instances = self._accounts.policies.configurations().get(kind)
        if instances is None:
            return self._error(404, "NotFound", "No such configuration type.")
        return await self._respond(request, Call.POLICIES, instances)

    async def _create(self, request: web.Request) -> web.StreamResponse:
        region_text = request.query.get("TargetRegion", "")
        region = regions.parse(region_text) if region_text.isupper() else None
        items = _items(await request.read())
        fault = await self._begin(request, Call.CREATE_BATCH, region)
        error = self._rejection(request, region, items)
        accepted = fault is None or fault.fault.accepted
        batch = None
        if region is not None and items and error is None and accepted:
            batch = self._run(region, items)
        self.submits.append(
            Submit(
                batch.id if batch else "",
                region,
                items or (),
                datetime.now(UTC),
                request.headers.copy(),
            )
        )
        self._signal.notify()
        if fault is not None:
            return await self._faults.play(request, fault, self._error)
        await self._half_latency()
        if error is not None or batch is None:
            return error or self._error(400, "BadRequest", "Nothing to do.")
        if self.scenario.wire.bare_id:
            return web.json_response(batch.id)
        return web.json_response({self._name("batchId"): batch.id})

    def _rejection(
        self, request: web.Request, region: Region | None, items: tuple[Item, ...] | None
    ) -> web.Response | None:
        if not _authorized(request):
            return self._error(401, "Unauthorized", "No access token.")
        if region is None:
            return self._error(400, "BadRequest", "TargetRegion must be NOAM, EMEA or APAC.")
        if not items:
            return self._error(400, "BadRequest", "The body must list Username and HardwareId.")
        if not self.scenario.enforce_limits:
            return None
        limit = self.scenario.max_devices
        if len(items) > limit:
            return self._error(400, "BadRequest", f"A batch may hold {limit} devices at most.")
        if self._running(region) >= self.scenario.max_per_region:
            return self._error(429, "TooManyRequests", "Too many batches run in this region.")
        return None

    def _running(self, region: Region) -> int:
        now = time.monotonic()
        return sum(batch.region is region and batch.running(now) for batch in self.batches.values())

    def _run(self, region: Region, items: tuple[Item, ...]) -> Batch:
        phones = Counter(item.hardware_id.upper() for item in items)
        for account in {item.username.casefold() for item in items}:
            self.password_resets[account] += 1
        self.runs.update(phone_key(*item) for item in items)
        number = len(self.batches) + 1
        batch = Batch(
            id=str(uuid4()),
            number=number,
            region=region,
            items=items,
            outcomes=tuple(self._outcome(item, phones) for item in items),
            started=time.monotonic(),
            created_at=datetime.now(UTC),
            seconds=self._seconds(number),
            stuck=number in self.scenario.stuck,
            at_once=self.scenario.at_once,
        )
        self.batches[batch.id] = batch
        self.peak[region] = max(self.peak[region], self._running(region))
        return batch

    def _seconds(self, number: int) -> float:
        spread = self.scenario.batch_spread
        chance = random.Random(f"{self.scenario.seed} {number}").uniform(1 - spread, 1 + spread)
        return self._batch_seconds * chance

    def _outcome(self, item: Item, phones: Counter[str]) -> str:
        """The outcome for one phone: by its hardware ID's format, by the scenario, or by chance.

        The chance depends only on the seed, the phone and the number of attempts, so every run of a
        scenario has the same outcomes.
        """
        if not _HARDWARE_ID.fullmatch(item.hardware_id):
            return MESSAGES["wrong-hardware-id"]
        if phones[item.hardware_id.upper()] > 1:
            return MESSAGES["duplicate-devices"]
        account, phone = phone_key(*item)
        attempt = self.runs[account, phone]
        outcomes = self._outcomes.get(phone.casefold()) or self._outcomes.get(account)
        if outcomes:
            return message(outcomes[min(attempt, len(outcomes)) - 1])
        if failure := self._accounts.failure(item.username):
            return message(failure)
        if not self.scenario.trusted_addresses:
            return MESSAGES["ip-not-trusted"]
        if self.scenario.shares:
            seed = f"{self.scenario.seed} {account} {phone} {attempt}"
            chance = random.Random(seed).random()
            for outcome, share in self.scenario.shares.items():
                if chance < share:
                    return message(outcome)
                chance -= share
        return SUCCESS

    async def _status(self, request: web.Request) -> web.StreamResponse:
        batch = self.batches.get(request.query.get("batchid", "").casefold())
        content = None if batch is None else self._report(batch)
        response = await self._respond(request, Call.BATCH_STATUS, content)
        if batch is None and response.status == 200:
            return self._error(404, "NotFound", "Batch not found.")
        return response

    def _report(self, batch: Batch) -> dict[str, Any]:
        now, names = time.monotonic(), self.scenario.statuses
        done = batch.done(now)
        status = names.running if batch.running(now) else names.completed
        if batch.running(now) and now - batch.started < batch.seconds / 20:
            status = names.queued
        items: list[dict[str, str]] = []
        for index, (item, outcome) in enumerate(zip(batch.items, batch.outcomes, strict=True)):
            if index < done:
                state = names.item_success if outcome == SUCCESS else names.item_failed
            else:
                state = (
                    names.item_running if index < done + _CONCURRENT_PHONES else names.item_waiting
                )
            error = outcome if index < done and outcome != SUCCESS else ""
            items.append(
                {
                    self._name("userName"): item.username,
                    self._name("hardwareId"): item.hardware_id,
                    self._name("status"): state,
                    self._name("error"): error,
                }
            )
        key = "batchItems" if self.scenario.wire.plural else "batchItem"
        return {
            self._name("batchId"): batch.id,
            self._name("batchStatus"): status,
            self._name(key): items,
        }

    async def _summaries(self, request: web.Request) -> web.StreamResponse:
        settings, names, now = self.scenario.summaries, self.scenario.statuses, time.monotonic()
        visible_before = datetime.now(UTC) - timedelta(seconds=settings.lag)
        rows: list[dict[str, Any]] = []
        for batch in self.batches.values():
            if not settings.listed or batch.created_at > visible_before:
                continue
            status = names.running if batch.running(now) else names.completed
            row: dict[str, Any] = {"batchId": batch.id, "batchStatus": status}
            if settings.details:
                row |= {
                    "region": batch.region.value,
                    "createdAt": batch.created_at.isoformat(),
                    "deviceCount": len(batch.items),
                }
            rows.append({self._name(name): value for name, value in row.items()})
        wrapped = self.scenario.wire.wrapped_list
        content = {self._name("batchSummaries"): rows} if wrapped else rows
        return await self._respond(request, Call.BATCH_SUMMARIES, content)

    def _name(self, name: str) -> str:
        match self.scenario.wire.casing:
            case "pascal":
                return name[0].upper() + name[1:]
            case "lower":
                return name.lower()
            case "camel":
                return name

    def _error(self, status: int, code: str, text: str) -> web.Response:
        match self.scenario.wire.errors:
            case "error":
                content = {"error": {"code": code, "message": text}}
            case "message":
                content = {"Message": text}
            case "text":
                return web.Response(status=status, text=text)
        return web.json_response(content, status=status)


def _authorized(request: web.Request) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return scheme == "Bearer" and bool(token.strip())


def _items(body: bytes) -> tuple[Item, ...] | None:
    """The phones in a createbatch body. Returns None when it is not a list of them."""
    try:
        rows = json.loads(body)
    except ValueError:
        return None
    if not isinstance(rows, list):
        return None
    items: list[Item] = []
    for row in rows:
        fields = {str(key).lower(): row[key] for key in row} if isinstance(row, dict) else {}
        username, hardware_id = fields.get("username"), fields.get("hardwareid")
        if not (isinstance(username, str) and username.strip() and isinstance(hardware_id, str)):
            return None
        items.append(Item(username, hardware_id))
    return tuple(items)
