"""Simulates the Bot Connector in Teams: conversations and activities, with Teams' rate limits.

Limits and status codes: Microsoft, "Optimize your bot with rate limiting in Teams" and "Build
conversational capability". Updates and deletes are not listed there; they count as sends here.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bot.simulator.faults import Faults
from bot.simulator.scenario import Call, FaultKind, Person, Scenario
from bot.simulator.waiting import Signal

Json = Mapping[str, Any]

ADAPTIVE_CARD = "application/vnd.microsoft.card.adaptive"
MAX_MESSAGE = 100 * 1024  # bytes, as UTF-16
MAX_CARD = 28 * 1024  # bytes, as JSON in UTF-8
# (operations, seconds) per bot and thread; `_EVERYTHING` covers all threads of a tenant.
SENDS = ((7, 1), (8, 2), (60, 30), (1800, 3600))
_READS = ((14, 1), (16, 2), (120, 30), (3600, 3600))
_EVERYTHING = ((50, 1),)


@dataclass(slots=True)
class Posted:
    """A posted message and all its versions."""

    conversation_id: str
    activity_id: str
    #: Activity ID of the message it replies to; "" if it is not a reply.
    reply_to: str
    #: Oldest first.
    versions: list[Json]
    #: Number of its last change, counted over all messages.
    changed: int
    deleted: bool = False

    @property
    def activity(self) -> Json:
        return self.versions[-1]

    @property
    def text(self) -> str:
        return str(self.activity.get("text") or "")

    @property
    def card(self) -> Json | None:
        """The Adaptive Card in the current version. None if there is none."""
        return next(
            (found for kind, found in _contents(self.activity) if kind == ADAPTIVE_CARD), None
        )


@dataclass(slots=True)
class Budget:
    """A rate limit with several sliding windows."""

    #: (operations, seconds), shortest window first.
    windows: Sequence[tuple[int, float]]
    #: When operations were allowed (`time.monotonic()`), within the longest window.
    moments: deque[float] = field(default_factory=deque[float])

    def wait(self, now: float) -> float:
        """Seconds until the next operation is allowed; 0 if it is now."""
        waits = (
            self.moments[-most] + seconds - now
            for most, seconds in self.windows
            if len(self.moments) >= most
        )
        return max((0.0, *waits))

    def spend(self, now: float) -> None:
        self.moments.append(now)
        while self.moments[0] <= now - self.windows[-1][1]:
            self.moments.popleft()


class Connector:
    """The conversations' state and a record of all calls."""

    def __init__(self, scenario: Scenario, faults: Faults) -> None:
        self.scenario = scenario.connector
        self.people = scenario.people
        self.base_url = ""  # set once the server listens
        self.calls: Counter[Call] = Counter()
        #: Responses, by HTTP status.
        self.answers: Counter[int] = Counter()
        self.messages: list[Posted] = []
        #: Number of changes to messages so far.
        self.changes = 0
        #: IDs of conversations that respond with 403, as if the bot had been removed.
        self.blocked = set(self.scenario.blocked)
        #: IDs of conversations that respond with 404, as if they had been deleted.
        self.missing: set[str] = set()
        self._faults = faults
        self._signal = Signal()
        self._by_id: dict[tuple[str, str], Posted] = {}
        self._busy: set[str] = set()
        self._last_id = int(time.time() * 1000)
        self._sends = defaultdict[str, Budget](lambda: self._budget(SENDS))
        self._creates = defaultdict[str, Budget](lambda: self._budget(SENDS))
        self._reads = defaultdict[str, Budget](lambda: self._budget(_READS))
        self._everything = self._budget(_EVERYTHING)

    def in_conversation(self, conversation_id: str) -> list[Posted]:
        return [each for each in self.messages if each.conversation_id == conversation_id]

    def since(self, change: int) -> list[Posted]:
        """Messages posted or changed after the change numbered `change`, oldest change first."""
        later = (each for each in self.messages if each.changed > change)
        return sorted(later, key=lambda each: each.changed)

    async def wait_for(
        self,
        predicate: Callable[[Posted], bool],
        timeout: float,  # noqa: ASYNC109
        *,
        since: int = 0,
    ) -> Posted:
        """Wait for the first message, by change, that matches `predicate`.

        Only messages changed after the change numbered `since` count. Raises `TimeoutError` after
        `timeout` seconds; its message lists what was posted instead.
        """

        def find() -> Posted | None:
            return next((each for each in self.since(since) if predicate(each)), None)

        try:
            return await self._signal.until(find, timeout)
        except TimeoutError as error:
            texts = [each.text or str(each.activity.get("summary")) for each in self.since(since)]
            raise TimeoutError(f"no such message within {timeout:g} s, but {texts[-5:]}") from error

    def routes(self) -> web.RouteTableDef:
        routes = web.RouteTableDef()
        conversation = "/v3/conversations/{conversation}"
        routes.post("/v3/conversations")(self._create)
        routes.post(f"{conversation}/activities")(self._send)
        routes.post(f"{conversation}/activities/{{activity}}")(self._send)
        routes.put(f"{conversation}/activities/{{activity}}")(self._update)
        routes.delete(f"{conversation}/activities/{{activity}}")(self._delete)
        routes.get(f"{conversation}/members")(self._members)
        routes.get(f"{conversation}/pagedmembers")(self._paged_members)
        routes.get(f"{conversation}/members/{{member}}")(self._member)
        return routes

    def _budget(self, windows: Sequence[tuple[int, float]]) -> Budget:
        return Budget([(most, seconds * self.scenario.scale) for most, seconds in windows])

    async def _create(self, request: web.Request) -> web.StreamResponse:
        body = await _json(request)
        members, channel = body.get("members"), _nested(body, "channelData", "channel", "id")
        member = members[0].get("id") if isinstance(members, list) and members else None
        target = channel or member
        if not isinstance(target, str) or not target:
            return self._error(400, "BadSyntax", "Neither a channel nor a member is named.")
        first = body.get("activity")

        def create() -> web.Response:
            identifier = self._next_id()
            if channel:
                conversation = f"{channel};messageid={identifier}"
            else:
                conversation = f"a:{hashlib.sha256(target.encode()).hexdigest()[:32]}"
            content = {"id": conversation, "serviceUrl": self.base_url}
            if isinstance(first, dict):
                self._post(conversation, identifier, first, "")
                content["activityId"] = identifier
            return web.json_response(content, status=201)

        return await self._operate(
            request, Call.CREATE_CONVERSATION, target, self._creates[_thread(target)], create, first
        )

    async def _send(self, request: web.Request) -> web.StreamResponse:
        activity = await _json(request)
        conversation = request.match_info["conversation"]

        def send() -> web.Response:
            identifier = self._next_id()
            if activity.get("type") == "message":
                reply_to = request.match_info.get("activity", "")
                self._post(conversation, identifier, activity, reply_to)
            return web.json_response({"id": identifier}, status=201)

        return await self._operate(
            request, Call.SEND, conversation, self._sends[_thread(conversation)], send, activity
        )

    async def _update(self, request: web.Request) -> web.StreamResponse:
        activity = await _json(request)

        def update(posted: Posted) -> web.Response:
            posted.versions.append(activity)
            self._changed(posted)
            return web.json_response({"id": posted.activity_id})

        return await self._change(request, Call.UPDATE, update, activity)

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        def delete(posted: Posted) -> web.Response:
            posted.deleted = True
            self._changed(posted)
            return web.Response()

        return await self._change(request, Call.DELETE, delete)

    async def _change(
        self,
        request: web.Request,
        call: Call,
        change: Callable[[Posted], web.Response],
        activity: Json | None = None,
    ) -> web.StreamResponse:
        conversation = request.match_info["conversation"]
        posted = self._by_id.get((conversation, request.match_info["activity"]))

        def apply() -> web.Response:
            if posted is None or posted.deleted:
                return self._error(404, "ActivityNotFoundInConversation", "No such activity.")
            return change(posted)

        def mark_deleted() -> None:
            if posted is not None:
                posted.deleted = True

        budget = self._sends[_thread(conversation)]
        return await self._operate(
            request, call, conversation, budget, apply, activity, mark_deleted
        )

    async def _members(self, request: web.Request) -> web.StreamResponse:
        return await self._read(request, [_account(each) for each in self.people])

    async def _paged_members(self, request: web.Request) -> web.StreamResponse:
        return await self._read(request, {"members": [_account(each) for each in self.people]})

    async def _member(self, request: web.Request) -> web.StreamResponse:
        object_id = request.match_info["member"].removeprefix("29:").lower()
        member = next((each for each in self.people if each.object_id.lower() == object_id), None)
        return await self._read(request, None if member is None else _account(member))

    async def _read(self, request: web.Request, content: object) -> web.StreamResponse:
        conversation = request.match_info["conversation"]

        def read() -> web.Response:
            if content is None:
                return self._error(404, "MemberNotFoundInConversation", "No such member.")
            return web.json_response(content)

        budget = self._reads[_thread(conversation)]
        return await self._operate(request, Call.MEMBERS, conversation, budget, read)

    async def _operate(
        self,
        request: web.Request,
        call: Call,
        conversation: str,
        budget: Budget,
        work: Callable[[], web.Response],
        activity: object = None,
        on_gone: Callable[[], None] = lambda: None,
    ) -> web.StreamResponse:
        """Run one operation, unless a limit or a fault prevents it."""
        self.calls[call] += 1
        response: web.StreamResponse | None = self._rejection(conversation, budget, activity)
        if response is None:
            budget.spend(time.monotonic())
            self._everything.spend(time.monotonic())
            response = await self._execute(request, call, conversation, work, on_gone)
        self.answers[response.status] += 1
        return response

    async def _execute(
        self,
        request: web.Request,
        call: Call,
        conversation: str,
        work: Callable[[], web.Response],
        on_gone: Callable[[], None],
    ) -> web.StreamResponse:
        fault = self._faults.next(call)
        response = web.Response()
        self._busy.add(conversation)
        try:
            await self._half_latency()
            if fault is None or fault.fault.accepted:
                response = work()
            elif fault.fault is FaultKind.GONE:
                on_gone()
            await self._half_latency()
        finally:
            self._busy.discard(conversation)
        return response if fault is None else await self._faults.play(request, fault, self._error)

    async def _half_latency(self) -> None:
        if self.scenario.latency:
            await asyncio.sleep(self.scenario.latency / 2)

    def _rejection(
        self, conversation: str, budget: Budget, activity: object
    ) -> web.Response | None:
        if conversation in self.missing:
            return self._error(404, "ConversationNotFound", "Conversation not found.")
        if conversation in self.blocked:
            return self._error(
                403, "BotNotInConversationRoster", "The bot is not part of the conversation roster."
            )
        if self.scenario.conflicts and conversation in self._busy:
            return self._error(412, "PreconditionFailed", "Another operation is under way.")
        if self.scenario.limits:
            now = time.monotonic()
            if wait := max(budget.wait(now), self._everything.wait(now)):
                response = self._error(429, "Throttled", "Too many requests.")
                if self.scenario.retry_after:
                    response.headers["Retry-After"] = str(math.ceil(wait))
                return response
        if isinstance(activity, dict) and _too_big(activity):
            return self._error(413, "MessageSizeTooBig", "Message size too large.")
        return None

    def _post(self, conversation: str, identifier: str, activity: Json, reply_to: str) -> None:
        posted = Posted(conversation, identifier, reply_to, [activity], 0)
        self.messages.append(posted)
        self._by_id[conversation, identifier] = posted
        self._changed(posted)

    def _changed(self, posted: Posted) -> None:
        self.changes += 1
        posted.changed = self.changes
        self._signal.notify()

    def _next_id(self) -> str:
        """A unique activity ID: like Teams, milliseconds since the Unix epoch."""
        self._last_id = max(self._last_id + 1, int(time.time() * 1000))
        return str(self._last_id)

    def _error(self, status: int, code: str, text: str) -> web.Response:
        return web.json_response({"error": {"code": code, "message": text}}, status=status)


def _thread(conversation: str) -> str:
    """The rate-limited thread of a conversation: a channel with all its reply chains is one."""
    return conversation.partition(";")[0]


def _account(person: Person) -> dict[str, str]:
    return {
        "id": f"29:{person.object_id}",
        "name": person.name,
        "aadObjectId": person.object_id,
        "objectId": person.object_id,
        "userPrincipalName": person.principal,
        "email": person.principal,
        "userRole": "user",
    }


def _contents(activity: Json) -> list[tuple[str, Json]]:
    """(content type, content) of the activity's attachments."""
    attachments = activity.get("attachments")
    return [
        (str(each.get("contentType")), each["content"])
        for each in (attachments if isinstance(attachments, list) else [])
        if isinstance(each, dict) and isinstance(each.get("content"), dict)
    ]


def _too_big(activity: Json) -> bool:
    if len(_compact(activity).encode("utf-16-le", "surrogatepass")) > MAX_MESSAGE:
        return True
    return any(
        len(_compact(content).encode("utf-8", "surrogatepass")) > MAX_CARD
        for kind, content in _contents(activity)
        if kind == ADAPTIVE_CARD
    )


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _nested(body: Json, *path: str) -> object:
    value: object = body
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


async def _json(request: web.Request) -> Json:
    try:
        body = json.loads(await request.read())
    except ValueError as error:
        raise web.HTTPBadRequest(text="not JSON") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="not an object")
    return body
