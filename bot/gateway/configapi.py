"""The SIP Gateway over HTTP: the ConfigAPI that Microsoft's own cmdlets call.

Hosts, paths and headers: the public clients terraprovider/go-teams and CIPP; Microsoft documents the
cmdlets only. `createbatch` is not idempotent, so one `submit` sends the batch once, and says of every
answer whether it proves that nothing ran.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

import aiohttp
import structlog
from yarl import URL

from bot import __version__
from bot.gateway import (
    AccessDeniedError,
    BatchReport,
    BatchSummary,
    GatewayError,
    OutcomeUnknownError,
    UnavailableError,
    UnreachableError,
    wire,
)
from bot.gateway.failure import Failure, seconds
from bot.gateway.redact import redacted
from bot.gateway.retry import repeated
from bot.identity.tokens import Tokens
from bot.phones.region import Region
from bot.signin.request import Phone

# The resource "Skype and Teams Tenant Admin API", the same on every cloud.
SCOPE = "48ac35b8-9aa8-4d74-927d-1f4a14a0b239/.default"
DISCOVERY = "/Teams.Tenant/serviceDiscovery"
CREATE = "/Teams.SipDevicesGatewayManagement/v1/createbatch"
STATUS = "/Teams.SipDevicesGatewayManagement/v1/batchstatus"
SUMMARIES = "/Teams.SipDevicesGatewayManagement/v1/batchsummaries"
CONFIGURATIONS = "/Skype.Policy/configurations/"

MAX_BODY = 4 * 1024 * 1024  # a status of 100 phones is some 20 KB
MAX_PAGES = 50

Result = TypeVar("Result")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    retry_after: float | None
    correlation_id: str

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def failure(self) -> Failure:
        message = wire.error_text(self.body) or f"HTTP {self.status}"
        return Failure(self.status, message, self.retry_after, self.correlation_id)


class ConfigApiGateway:
    """Implements `bot.gateway.SipGateway`. The session is shared and stays its owner's.

    `submit_timeout` and `read_timeout` bound a whole call in seconds: token, discovery and answer.
    Reads are repeated after each of `pauses` (seconds) while that time lasts; a submit never is,
    except after a 401, which is given before anything is read.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        tokens: Tokens,
        *,
        submit_timeout: float = 60.0,
        read_timeout: float = 30.0,
        connect_timeout: float = 10.0,
        pauses: Sequence[float] = (0.5, 2.0),
    ) -> None:
        self._session = session
        self._base = URL(base_url.rstrip("/"))
        self._tokens = tokens
        self._submit_timeout = submit_timeout
        self._read_timeout = read_timeout
        self._connect_timeout = connect_timeout
        self._pauses = tuple(pauses)
        self._discovery = asyncio.Lock()
        self._discovered = False
        self._target = ""

    @property
    def submit_timeout(self) -> float:
        return self._submit_timeout

    async def submit(self, region: Region, devices: Sequence[Phone]) -> str:
        url = self._url(CREATE).with_query(TargetRegion=region.value)
        body = [{"Username": each.username, "HardwareId": each.hardware_id} for each in devices]
        deadline = _now() + self._submit_timeout
        # Preparing must leave the service time to answer: a batch that was sent too late to hear
        # the answer would need a person to sort it out.
        ready_by = _now() + self._submit_timeout / 3
        for refresh in (False, True):
            headers = await self._ready_to_submit(refresh, ready_by)
            answer = await self._exchange("POST", url, headers, deadline, body)
            if answer.status != 401:
                break
            ready_by = deadline
        if not answer.ok:
            raise answer.failure.of_submit()
        try:
            return wire.batch_id(answer.body)
        except wire.UnreadableResponseError as error:
            raise OutcomeUnknownError(str(error), correlation_id=answer.correlation_id) from error

    async def status(self, batch_id: str) -> BatchReport:
        url = self._url(STATUS).with_query(batchid=batch_id)

        def read(answer: _Answer) -> BatchReport:
            return wire.report(answer.body, batch_id)

        return await self._read(url, read, Failure.of_status)

    async def summaries(self) -> Sequence[BatchSummary]:
        url = self._url(SUMMARIES)
        found: list[BatchSummary] = []
        for _ in range(MAX_PAGES):
            page, following = await self._read(
                url, lambda answer: wire.summaries(answer.body), Failure.of_read
            )
            found += page
            if not following:
                return found
            url = self._same_origin(following)
        raise UnavailableError("the list of batches does not end")

    async def discovered(self) -> str:
        """The host that the service discovery names, asked anew. Raises as `summaries` does."""
        return await self._read(
            self._url(DISCOVERY), lambda answer: wire.admin_endpoint(answer.body), Failure.of_read
        )

    async def configurations(self, kind: str) -> Sequence[Mapping[str, object]]:
        """All instances of a kind of policy or tenant configuration, such as `TeamsIPPhonePolicy`, the
        names of their fields in lower case. Raises as `summaries` does."""
        return await self._read(
            self._url(CONFIGURATIONS + kind),
            lambda answer: wire.instances(answer.body),
            Failure.of_read,
        )

    def _url(self, path: str) -> URL:
        return URL(f"{self._base}{path}")

    def _same_origin(self, link: str) -> URL:
        """Our token goes nowhere but to the service, whatever its answers point at."""
        try:
            url = self._base.join(URL(link))
            if url.origin() == self._base.origin():
                return url
        except ValueError:
            pass
        raise UnavailableError("the rest of the list of batches is said to be on another host")

    async def _ready_to_submit(self, refresh: bool, deadline: float) -> Mapping[str, str]:
        try:
            return await repeated(
                lambda: self._headers(refresh, deadline), pauses=self._pauses, deadline=deadline
            )
        except UnavailableError as error:
            raise UnreachableError(error.message, correlation_id=error.correlation_id) from error

    async def _read(
        self,
        url: URL,
        read: Callable[[_Answer], Result],
        error_of: Callable[[Failure], GatewayError],
    ) -> Result:
        deadline = _now() + self._read_timeout

        async def once() -> Result:
            answer = await self._get(url, deadline)
            if not answer.ok:
                raise error_of(answer.failure)
            try:
                return read(answer)
            except wire.UnreadableResponseError as error:
                raise UnavailableError(str(error), correlation_id=answer.correlation_id) from error

        return await repeated(once, pauses=self._pauses, deadline=deadline)

    async def _get(self, url: URL, deadline: float) -> _Answer:
        answer = await self._asked(url, await self._headers(False, deadline), deadline)
        if answer.status == 401:
            answer = await self._asked(url, await self._headers(True, deadline), deadline)
        return answer

    async def _headers(self, refresh: bool, deadline: float) -> Mapping[str, str]:
        try:
            async with asyncio.timeout_at(deadline):
                token = await self._tokens.token(SCOPE, refresh=refresh)
                headers = {"Authorization": f"Bearer {token}"}
                async with self._discovery:
                    target = await self._discover(headers, deadline)
        except PermissionError as error:
            raise AccessDeniedError(wire.clean(str(error))) from error
        except TimeoutError as error:
            raise UnavailableError("neither token nor service discovery came in time") from error
        except ConnectionError as error:
            raise UnavailableError(wire.clean(str(error))) from error
        return {**headers, "X-MS-Target-Uri": f"https://{target}/"} if target else headers

    async def _discover(self, headers: Mapping[str, str], deadline: float) -> str:
        """The host to name in `X-MS-Target-Uri`, asked for once; "" where the service names none.

        Not every client asks for it, so only trouble that may pass holds a call up. Where the answer
        is "not you", the call itself is left to say so.
        """
        if self._discovered:
            return self._target
        answer = await self._asked(self._url(DISCOVERY), headers, deadline)
        if answer.status in (401, 403):
            return ""
        if answer.status == 429 or answer.status >= 500:
            raise answer.failure.of_read()
        if answer.ok:
            try:
                self._target = wire.admin_endpoint(answer.body)
            except wire.UnreadableResponseError as error:
                log.info("gateway.discovery_unreadable", why=str(error))
        self._discovered = True
        return self._target

    async def _asked(self, url: URL, headers: Mapping[str, str], deadline: float) -> _Answer:
        try:
            return await self._exchange("GET", url, headers, deadline)
        except (UnreachableError, OutcomeUnknownError) as error:
            raise UnavailableError(error.message, correlation_id=error.correlation_id) from error

    async def _exchange(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        deadline: float,
        body: object = None,
    ) -> _Answer:
        """One request and its whole answer. Raises `Unreachable` if there was never a connection to
        send it on, else `OutcomeUnknown`."""
        correlation_id = str(uuid4())
        started = _now()
        try:
            async with (
                asyncio.timeout_at(deadline),
                self._session.request(
                    method,
                    url,
                    json=body,
                    headers={
                        **headers,
                        "Accept": "application/json",
                        "User-Agent": f"Offhook/{__version__}",
                        "X-MS-Correlation-Id": correlation_id,
                    },
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_timeout),
                ) as response,
            ):
                answer = _Answer(
                    response.status,
                    await _bounded(response),
                    seconds(response.headers.get("Retry-After")),
                    correlation_id,
                )
                warning = response.headers.get("X-Ms-ConfigApi-PowerShell-WarningMessage", "")
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise UnreachableError(
                f"no connection to {url.host}", correlation_id=correlation_id
            ) from error
        except TimeoutError as error:
            waited = f"no answer within {_now() - started:.0f} s"
            raise OutcomeUnknownError(waited, correlation_id=correlation_id) from error
        except (aiohttp.ClientError, OSError) as error:
            lost = f"the connection broke ({type(error).__name__})"
            raise OutcomeUnknownError(lost, correlation_id=correlation_id) from error
        call = url.path.rpartition("/")[2]
        if warning:
            said = wire.clean(warning)
            log.warning("gateway.warned", call=call, warning=said, correlation_id=correlation_id)
        if log.is_enabled_for(logging.DEBUG):
            log.debug(
                "gateway.called",
                call=call,
                status=answer.status,
                seconds=round(_now() - started, 3),
                correlation_id=correlation_id,
                request=None if body is None else redacted(json.dumps(body).encode()),
                answer=redacted(answer.body),
            )
        return answer


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    """The body, cut off after `MAX_BODY`, which leaves it unreadable."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > MAX_BODY:
            return bytes(body[:MAX_BODY])
    return bytes(body)
