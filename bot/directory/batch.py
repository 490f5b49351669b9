"""Many reads of Graph in few calls: `$batch`, pages, throttling, a deadline.

A read never raises: what Graph refused, or did not answer in time, is a `Refusal` in its place.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from bot import retry_after
from bot.directory import DirectoryUnavailableError
from bot.directory.client import GraphClient, Response
from bot.preflight.facts import Unknown, UnknownReason
from bot.text import clean

BATCH_SIZE = 20  # requests per $batch, as documented by Graph
IN_FLIGHT = 8  # calls at once
MAX_BODY = 16 * 1024 * 1024  # bytes; 300 users with many plans take about 3 MB
MAX_ATTEMPTS = 4  # of a call without an answer; throttled calls are repeated until the deadline
COALESCE_SECONDS = 0.002  # how long queries wait for others to share a $batch
MAX_PAUSE = 30.0  # seconds between attempts, unless Graph asks for more
#: Calls in a row given up after which Graph counts as down for the rest of the run.
MAX_UNANSWERED = 3

_TRANSIENT = frozenset({408, 500, 502, 503, 504})
_NO_LICENSE = re.compile(r"premium|licen[sc]e", re.IGNORECASE)
_NO_SUCH_API = re.compile(r"segment|not supported in this cloud", re.IGNORECASE)
_NO_SUCH_OBJECT = frozenset({"request_resourcenotfound", "resourcenotfound", "notfound"})


@dataclass(frozen=True, slots=True)
class Query:
    """One request of a `$batch`."""

    path: str  #: below the version, percent-encoded
    method: str = "GET"
    body: Mapping[str, object] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer other than success."""

    status: int | None  #: None if there was no answer
    code: str = ""
    message: str = ""

    @property
    def no_such_object(self) -> bool:
        """Whether the API is there, but not what was asked for."""
        return self.status == 404 and self.code.casefold() in _NO_SUCH_OBJECT

    @property
    def no_such_api(self) -> bool:
        if self.status == 404 and not self.no_such_object:
            return True
        return self.status in (400, 404, 501) and bool(_NO_SUCH_API.search(self.message))

    def unknown(self, permission: str) -> Unknown:
        """Why the fact is unknown. `permission` is what the read needs."""
        text = f"{self.code} {self.message}".strip()
        if self.status is None or self.status == 401:
            return Unknown(UnknownReason.UNAVAILABLE, text)
        if self.status == 403:
            if _NO_LICENSE.search(text):
                return Unknown(UnknownReason.LICENSE, text)
            return Unknown(UnknownReason.PERMISSION, permission)
        if self.no_such_api:
            return Unknown(UnknownReason.CLOUD, text)
        return Unknown(UnknownReason.UNREADABLE, text or f"HTTP {self.status}")


Answer = Mapping[str, object] | Refusal


@dataclass(frozen=True, slots=True)
class Listing:
    """The rows of a list, over all its pages."""

    rows: Sequence[Mapping[str, object]] = ()
    #: Why rows may be missing; None if the list is complete.
    gap: Refusal | None = None
    #: Number of rows as Graph counts them, if asked for; None if unknown.
    count: int | None = None


@dataclass(frozen=True, slots=True)
class _Again:
    """An answer that asks for another attempt."""

    refusal: Refusal
    retry_after: float | None  #: seconds
    throttled: bool


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A query whose answer somebody awaits."""

    query: Query
    answer: asyncio.Future[Answer]


_Attempt = Callable[[Sequence[int]], Awaitable[Mapping[int, "Answer | _Again"]]]

GARBAGE = Refusal(200, message="the response is not readable")
#: A list with more pages than were to be read.
TOO_LONG = Refusal(200, message="the list is too long")


class Batches:
    """Reads of one run, with one deadline (event loop time).

    `pause` is the shortest time between attempts, in seconds.
    """

    def __init__(
        self,
        client: GraphClient,
        *,
        deadline: float,
        timeout: float = 30.0,
        pause: float = 0.5,
        in_flight: int = IN_FLIGHT,
    ) -> None:
        self._client = client
        self._deadline = deadline
        self._timeout = timeout
        self._pause = pause
        self._slots = asyncio.Semaphore(in_flight)
        self._resume_at = 0.0  # event loop time until which Graph wants no calls
        self._unanswered = 0
        self._down: Refusal | None = None
        self._queues: dict[str, list[_Waiting]] = {}  # by version
        self._tasks: set[asyncio.Task[list[Answer]]] = set()

    def close(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()

    async def send(self, queries: Sequence[Query], version: str = "v1.0") -> list[Answer]:
        """The answers to `queries`, in their order.

        Queries that are sent at about the same time share a `$batch`.
        """
        loop = asyncio.get_running_loop()
        waiting = [_Waiting(query, loop.create_future()) for query in queries]
        queue = self._queues.setdefault(version, [])
        if waiting and not queue:
            loop.call_later(COALESCE_SECONDS, self._flush, version)
        queue += waiting
        return [await each.answer for each in waiting]

    def _flush(self, version: str) -> None:
        queue = self._queues.pop(version, [])
        for at in range(0, len(queue), BATCH_SIZE):
            self._start(queue[at : at + BATCH_SIZE], version)

    def _start(self, waiting: Sequence[_Waiting], version: str) -> None:
        def deliver(task: asyncio.Task[list[Answer]]) -> None:
            self._tasks.discard(task)
            for index, each in enumerate(waiting):
                if each.answer.done():
                    continue
                if task.cancelled():
                    each.answer.cancel()
                elif (error := task.exception()) is not None:
                    each.answer.set_exception(error)
                else:
                    each.answer.set_result(task.result()[index])

        batch = self._send_batch([each.query for each in waiting], version)
        task = asyncio.get_running_loop().create_task(batch)
        self._tasks.add(task)
        task.add_done_callback(deliver)

    async def _get(self, path: str, headers: Mapping[str, str]) -> Answer:
        """The answer to a single GET. `path` includes the version."""

        async def attempt(_: Sequence[int]) -> Mapping[int, Answer | _Again]:
            response = await self._exchange("GET", path, headers=headers)
            if isinstance(response, _Again):
                return {0: response}
            return {0: _judged(response.status, _content(response), response.retry_after)}

        return (await self._settle(1, attempt))[0]

    async def listings(
        self, queries: Sequence[Query], *, max_pages: int, version: str = "v1.0"
    ) -> list[Listing]:
        """The rows that `queries` list. Pages beyond `max_pages` are a gap."""
        answers = await self.send(queries, version)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._rest(answer, max_pages, query.headers))
                for query, answer in zip(queries, answers, strict=True)
            ]
        return [task.result() for task in tasks]

    async def _rest(self, answer: Answer, max_pages: int, headers: Mapping[str, str]) -> Listing:
        """The rows of a first page and of those that follow it."""
        rows: list[Mapping[str, object]] = []
        count: int | None = None
        for page in range(1, max_pages + 1):
            if isinstance(answer, Refusal):
                return Listing(rows, answer, count)
            value, link = answer.get("value"), answer.get("@odata.nextLink")
            if page == 1 and type(number := answer.get("@odata.count")) is int and number >= 0:
                count = number
            if not isinstance(value, list):
                return Listing(rows, GARBAGE, count)
            rows += [row for row in value if isinstance(row, dict)]
            if len(value) != sum(isinstance(row, dict) for row in value):
                return Listing(rows, GARBAGE, count)
            if link is None:
                return Listing(rows, None, count)
            path = self._client.next_page(link) if isinstance(link, str) else None
            if path is None:
                return Listing(rows, Refusal(200, message="the next page is elsewhere"), count)
            if page == max_pages or (count is not None and _pages(count) > max_pages):
                break
            answer = await self._get(path, headers)
        return Listing(rows, TOO_LONG, count)

    async def _send_batch(self, queries: Sequence[Query], version: str) -> list[Answer]:
        async def attempt(indexes: Sequence[int]) -> Mapping[int, Answer | _Again]:
            body = {"requests": [_item(index, queries[index]) for index in indexes]}
            response = await self._exchange("POST", f"/{version}/$batch", body)
            if isinstance(response, _Again):
                return dict.fromkeys(indexes, response)
            judged = _judged(response.status, _content(response), response.retry_after)
            if isinstance(judged, Refusal | _Again):
                return dict.fromkeys(indexes, judged)
            return _items(judged, indexes)

        return await self._settle(len(queries), attempt)

    async def _settle(self, number: int, attempt: _Attempt) -> list[Answer]:
        """Repeat `attempt` for what asks for it, until all is answered or the time is over."""
        answers: dict[int, Answer] = {}
        open_indexes: Sequence[int] = range(number)
        attempts, tries = 0, 0
        while open_indexes:
            if self._down is not None:
                answers.update(dict.fromkeys(open_indexes, self._down))
                break
            results = await attempt(open_indexes)
            again = {key: each for key, each in results.items() if isinstance(each, _Again)}
            answers.update({k: v for k, v in results.items() if not isinstance(v, _Again)})
            open_indexes = sorted(again)
            if not again:
                self._unanswered = 0
                break
            attempts += not any(each.throttled for each in again.values())
            pause = self._pause_before(tries, again)
            tries += 1
            if attempts >= MAX_ATTEMPTS or _now() + pause >= self._deadline:
                answers.update({key: each.refusal for key, each in again.items()})
                self._give_up(again.values())
                break
            self._resume_at = max(self._resume_at, _now() + pause)
        return [answers.get(index, GARBAGE) for index in range(number)]

    def _give_up(self, again: Collection[_Again]) -> None:
        """Count a call that was not answered. Throttling concerns one API, not all of Graph."""
        unanswered = [each.refusal for each in again if not each.throttled]
        if len(unanswered) == len(again):
            self._unanswered += 1
        if self._unanswered >= MAX_UNANSWERED:
            self._down = unanswered[0]

    def _pause_before(self, tries: int, again: Mapping[int, _Again]) -> float:
        """Seconds until the next attempt."""
        asked = max((each.retry_after or 0.0 for each in again.values()), default=0.0)
        backoff = min(self._pause * 2**tries, MAX_PAUSE)
        return max(backoff * random.uniform(0.75, 1.25), asked)  # noqa: S311 - jitter

    async def _exchange(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response | _Again:
        async with self._slots:
            wait = min(self._resume_at, self._deadline) - _now()
            if wait > 0:
                await asyncio.sleep(wait)
            try:
                return await self._call(method, path, body, headers or {})
            except DirectoryUnavailableError as error:
                return _Again(Refusal(None, message=clean(str(error))), None, throttled=False)

    async def _call(
        self, method: str, path: str, body: object, headers: Mapping[str, str]
    ) -> Response:
        response = None
        for refresh in (False, True):
            remaining = self._deadline - _now()
            if remaining <= 0:
                raise DirectoryUnavailableError("Graph did not respond in time")
            timeout = min(self._timeout, remaining)
            response = await self._client.call(
                method,
                path,
                body,
                headers=headers,
                timeout=timeout,
                max_body=MAX_BODY,
                refresh=refresh,
            )
            if response.status != 401:
                break
        assert response is not None  # noqa: S101 - the loop ran
        return response


def _now() -> float:
    return asyncio.get_running_loop().time()


def _pages(count: int) -> int:
    return -(-count // 999)


def _item(index: int, query: Query) -> Mapping[str, object]:
    item: dict[str, object] = {"id": str(index), "method": query.method, "url": query.path}
    headers = dict(query.headers)
    if query.body is not None:
        item["body"] = query.body
        headers["Content-Type"] = "application/json"
    return {**item, "headers": headers} if headers else item


def refusal(response: Response) -> Refusal | None:
    """Why a response is not what was asked for; None if it is."""
    judged = _judged(response.status, _content(response), response.retry_after)
    if isinstance(judged, _Again):
        return judged.refusal
    return judged if isinstance(judged, Refusal) else None


def _content(response: Response) -> object:
    """The body as JSON; None if there is none or it is not JSON."""
    try:
        return response.content() if response.body else None
    except ValueError:
        return None


def _items(answer: Mapping[str, object], indexes: Sequence[int]) -> Mapping[int, Answer | _Again]:
    """The answers in a `$batch` response. What is missing, or answered twice, is unreadable."""
    responses = answer.get("responses")
    wanted = {str(index): index for index in indexes}
    found: dict[int, Answer | _Again] = {}
    for each in responses if isinstance(responses, list) else []:
        key = each.get("id") if isinstance(each, dict) else None
        if not isinstance(key, str) or key not in wanted:
            continue
        wait = retry_after.seconds(_retry_after(each.get("headers")))
        judged = _judged(each.get("status"), each.get("body"), wait)
        found[wanted[key]] = GARBAGE if wanted[key] in found else judged
    return {index: found.get(index, GARBAGE) for index in indexes}


def _retry_after(headers: object) -> str | None:
    names = headers if isinstance(headers, dict) else {}
    values = (str(value) for name, value in names.items() if str(name).lower() == "retry-after")
    return next(values, None)


def _judged(status: object, content: object, wait: float | None) -> Answer | _Again:
    """What a status and a body mean."""
    if isinstance(status, str) and status.isascii() and status.isdecimal() and len(status) == 3:
        status = int(status)
    if type(status) is not int:
        return GARBAGE
    if 200 <= status < 300:
        if isinstance(content, dict):
            return content
        return {} if status == 204 and content is None else GARBAGE
    code, message = _error(content)
    if status == 429 or status in _TRANSIENT:
        text = message or f"HTTP {status}"
        throttled = status == 429 or wait is not None
        return _Again(Refusal(None, code, text), wait, throttled)
    return Refusal(status, code, message)


def _error(content: object) -> tuple[str, str]:
    """Code and message of `{"error": {"code", "message"}}`; "" where missing."""
    error = content.get("error") if isinstance(content, dict) else None
    if not isinstance(error, dict):
        return "", ""
    code, message = (error.get(name) for name in ("code", "message"))
    return (
        clean(code) if isinstance(code, str) else "",
        clean(message) if isinstance(message, str) else "",
    )
