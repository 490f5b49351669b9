"""SIP Gateway client over HTTP, using the ConfigAPI that Microsoft's own cmdlets call.

Hosts, paths and headers come from the public clients terraprovider/go-teams and CIPP; Microsoft
documents only the cmdlets. `createbatch` is not idempotent, so `submit` sends a batch once and maps
every response to an error that tells whether anything can have run.
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

from bot import __version__, retry_after
from bot.gateway import (
    AccessDeniedError,
    BatchReport,
    BatchSummary,
    BeforeSending,
    ChangeRefusedError,
    GatewayError,
    OutcomeUnknownError,
    UnavailableError,
    UnreachableError,
    unrecorded,
    wire,
)
from bot.gateway.body import Body
from bot.gateway.failure import Failure
from bot.gateway.redact import redacted
from bot.gateway.retry import call_with_retries
from bot.identity.tokens import Tokens
from bot.phones.region import Region
from bot.signin.request import Phone

# The "Skype and Teams Tenant Admin API" resource; the same in every cloud.
SCOPE = "48ac35b8-9aa8-4d74-927d-1f4a14a0b239/.default"
DISCOVERY = "/Teams.Tenant/serviceDiscovery"
CREATE = "/Teams.SipDevicesGatewayManagement/v1/createbatch"
STATUS = "/Teams.SipDevicesGatewayManagement/v1/batchstatus"
SUMMARIES = "/Teams.SipDevicesGatewayManagement/v1/batchsummaries"
CONFIGURATIONS = "/Skype.Policy/configurations/"

MAX_BODY = 4 * 1024 * 1024  # bytes; the status of 100 phones takes about 20 KB
MAX_PAGES = 50

Result = TypeVar("Result")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Response:
    """An HTTP response, read to its end."""

    status: int
    body: bytes
    #: Seconds; None if not given.
    retry_after: float | None
    #: As sent with the request.
    correlation_id: str

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def failure(self) -> Failure:
        message = wire.error_text(self.body) or f"HTTP {self.status}"
        return Failure(self.status, message, self.retry_after, self.correlation_id)


class ConfigApiGateway:
    """Implements `bot.gateway.SipGateway`. The caller owns `session` and closes it.

    `submit_timeout` and `read_timeout` are in seconds and cover the whole call: token, service
    discovery and response. Reads are retried after each of `pauses` (seconds) within that time.
    Submits are never retried, except after a 401, which the ConfigAPI sends before it reads the body.
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
        self._discovery_lock = asyncio.Lock()
        self._discovered = False
        self._admin_host = ""

    @property
    def submit_timeout(self) -> float:
        return self._submit_timeout

    async def submit(
        self, region: Region, phones: Sequence[Phone], before_sending: BeforeSending = unrecorded
    ) -> str:
        url = self._url(CREATE).with_query(TargetRegion=region.value)
        rows = [{"Username": each.username, "HardwareId": each.hardware_id} for each in phones]
        deadline = _now() + self._submit_timeout
        # Leave the SIP Gateway time to respond: a batch sent too close to the deadline would end as
        # an unknown outcome and need reconciliation.
        ready_by = _now() + self._submit_timeout / 3
        for refresh in (False, True):
            headers = await self._submit_headers(refresh, ready_by)
            body = Body(json.dumps(rows).encode(), before_sending)
            response = await self._exchange("POST", url, headers, deadline, body)
            if response.status != 401:
                break
            ready_by = deadline
        if not response.ok:
            raise response.failure.of_submit()
        try:
            return wire.batch_id(response.body)
        except wire.UnreadableResponseError as error:
            raise OutcomeUnknownError(str(error), correlation_id=response.correlation_id) from error

    async def status(self, remote_batch_id: str) -> BatchReport:
        url = self._url(STATUS).with_query(batchid=remote_batch_id)

        def read(response: _Response) -> BatchReport:
            return wire.report(response.body, remote_batch_id)

        return await self._read(url, read, Failure.of_status)

    async def summaries(self) -> Sequence[BatchSummary]:
        url = self._url(SUMMARIES)
        summaries: list[BatchSummary] = []
        for _ in range(MAX_PAGES):
            page, next_link = await self._read(
                url, lambda response: wire.summaries(response.body), Failure.of_read
            )
            summaries += page
            if not next_link:
                return summaries
            url = self._next_page(next_link)
        raise UnavailableError(f"the list of batches has more than {MAX_PAGES} pages")

    async def discover_admin_host(self) -> str:
        """The admin host from the service discovery, not cached.

        Raises the same errors as `summaries`.
        """
        return await self._read(
            self._url(DISCOVERY),
            lambda response: wire.admin_endpoint(response.body),
            Failure.of_read,
        )

    async def configurations(self, kind: str) -> Sequence[Mapping[str, object]]:
        """All instances of a policy or tenant configuration type, such as `TeamsIPPhonePolicy`.

        Field names are lowercase. Raises the same errors as `summaries`.
        """
        return await self._read(
            self._url(CONFIGURATIONS + kind),
            lambda response: wire.instances(response.body),
            Failure.of_read,
        )

    async def get(self, path: str) -> bytes:
        """The body of a read. Raises a `GatewayError`, `ChangeRefusedError` for what does not exist."""
        return await self._read(self._url(path), lambda response: response.body, Failure.of_change)

    async def change(self, method: str, path: str, content: Mapping[str, object]) -> None:
        """A write that may be sent again: what it sets is the same however often it is set.

        Raises `ChangeRefusedError`, `AccessDeniedError`, `ThrottledError` or `UnavailableError`; after the
        last two it may have taken effect.
        """
        deadline, body = _now() + self._read_timeout, json.dumps(content).encode()
        in_doubt: UnavailableError | None = None  # of an attempt that may have taken effect

        async def send() -> None:
            for refresh in (False, True):
                headers = await self._headers(refresh, deadline)
                response = await self._exchange_again(
                    method, self._url(path), headers, deadline, body
                )
                if response.status != 401:
                    break
            if not response.ok:
                raise response.failure.of_change()

        async def attempt() -> None:
            nonlocal in_doubt
            try:
                await send()
            except UnavailableError as error:
                in_doubt = error
                raise
            except (ChangeRefusedError, AccessDeniedError) as error:
                if in_doubt is None:
                    raise
                # That this attempt changed nothing says nothing about the one before.
                raise in_doubt from error

        await call_with_retries(attempt, pauses=self._pauses, deadline=deadline)

    def _url(self, path: str) -> URL:
        return URL(f"{self._base}{path}")

    def _next_page(self, link: str) -> URL:
        """Resolve a link to the next page. The token is never sent to another host.

        Raises `UnavailableError` for a link to another origin.
        """
        try:
            url = self._base.join(URL(link))
            if url.origin() == self._base.origin():
                return url
        except ValueError:
            pass
        raise UnavailableError("the next page of the list of batches is on another host")

    async def _submit_headers(self, refresh: bool, deadline: float) -> Mapping[str, str]:
        try:
            return await call_with_retries(
                lambda: self._headers(refresh, deadline), pauses=self._pauses, deadline=deadline
            )
        except UnavailableError as error:
            raise UnreachableError(error.message, correlation_id=error.correlation_id) from error

    async def _read(
        self,
        url: URL,
        read: Callable[[_Response], Result],
        error_of: Callable[[Failure], GatewayError],
    ) -> Result:
        deadline = _now() + self._read_timeout

        async def attempt() -> Result:
            response = await self._get(url, deadline)
            if not response.ok:
                raise error_of(response.failure)
            try:
                return read(response)
            except wire.UnreadableResponseError as error:
                raise UnavailableError(
                    str(error), correlation_id=response.correlation_id
                ) from error

        return await call_with_retries(attempt, pauses=self._pauses, deadline=deadline)

    async def _get(self, url: URL, deadline: float) -> _Response:
        response = await self._exchange_read(url, await self._headers(False, deadline), deadline)
        if response.status == 401:
            response = await self._exchange_read(url, await self._headers(True, deadline), deadline)
        return response

    async def _headers(self, refresh: bool, deadline: float) -> Mapping[str, str]:
        try:
            async with asyncio.timeout_at(deadline):
                token = await self._tokens.token(SCOPE, refresh=refresh)
                headers = {"Authorization": f"Bearer {token}"}
                async with self._discovery_lock:
                    admin_host = await self._discover(headers, deadline)
        except PermissionError as error:
            raise AccessDeniedError(wire.clean(str(error))) from error
        except TimeoutError as error:
            raise UnavailableError("no access token or service discovery in time") from error
        except ConnectionError as error:
            raise UnavailableError(wire.clean(str(error))) from error
        return {**headers, "X-MS-Target-Uri": f"https://{admin_host}/"} if admin_host else headers

    async def _discover(self, headers: Mapping[str, str], deadline: float) -> str:
        """The host to name in `X-MS-Target-Uri`, fetched once; "" when none is published.

        Not every public client uses service discovery, so only transient failures (429, 5xx) are
        raised. On a 401 or 403 the call itself goes ahead and reports the denial.
        """
        if self._discovered:
            return self._admin_host
        response = await self._exchange_read(self._url(DISCOVERY), headers, deadline)
        if response.status in (401, 403):
            return ""
        if response.status == 429 or response.status >= 500:
            raise response.failure.of_read()
        if response.ok:
            try:
                self._admin_host = wire.admin_endpoint(response.body)
            except wire.UnreadableResponseError as error:
                log.info("gateway.discovery_unreadable", reason=str(error))
        self._discovered = True
        return self._admin_host

    async def _exchange_read(
        self, url: URL, headers: Mapping[str, str], deadline: float
    ) -> _Response:
        return await self._exchange_again("GET", url, headers, deadline)

    async def _exchange_again(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        deadline: float,
        content: bytes | None = None,
    ) -> _Response:
        """What may be sent again, as no answer does no harm. Raises `UnavailableError` without one."""
        body = None if content is None else Body(content, unrecorded)
        try:
            return await self._exchange(method, url, headers, deadline, body)
        except (UnreachableError, OutcomeUnknownError) as error:
            raise UnavailableError(error.message, correlation_id=error.correlation_id) from error

    async def _exchange(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        deadline: float,
        body: Body | None = None,
    ) -> _Response:
        """Send one request and read the whole response.

        Raises `UnreachableError` when there was never a connection or no byte of `body` was sent,
        `OutcomeUnknownError` for any later failure, and what stopped `body` from being sent.
        """
        correlation_id = str(uuid4())
        started = _now()
        try:
            async with (
                asyncio.timeout_at(deadline),
                self._session.request(
                    method,
                    url,
                    data=body,
                    headers={
                        **headers,
                        "Accept": "application/json",
                        "User-Agent": f"Offhook/{__version__}",
                        "X-MS-Correlation-Id": correlation_id,
                    },
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_timeout),
                ) as http_response,
            ):
                response = _Response(
                    http_response.status,
                    await _read_body(http_response),
                    retry_after.seconds(http_response.headers.get("Retry-After")),
                    correlation_id,
                )
                warning = http_response.headers.get("X-Ms-ConfigApi-PowerShell-WarningMessage", "")
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise UnreachableError(
                f"no connection to {url.host}", correlation_id=correlation_id
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            if body is not None and body.error is not None:
                raise body.error from error
            timed_out = isinstance(error, TimeoutError)
            broke = f"the connection broke ({type(error).__name__})"
            message = f"no response within {_now() - started:.0f} s" if timed_out else broke
            unsent = body is not None and body.withdraw()
            kind = UnreachableError if unsent else OutcomeUnknownError
            raise kind(message, correlation_id=correlation_id) from error
        finally:
            if body is not None:
                body.withdraw()
        call = url.path.rpartition("/")[2]
        if warning:
            text = wire.clean(warning)
            log.warning("gateway.warned", call=call, warning=text, correlation_id=correlation_id)
        if log.is_enabled_for(logging.DEBUG):
            log.debug(
                "gateway.called",
                call=call,
                status=response.status,
                seconds=round(_now() - started, 3),
                correlation_id=correlation_id,
                request=None if body is None else redacted(body.content),
                response=redacted(response.body),
            )
        return response


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _read_body(response: aiohttp.ClientResponse) -> bytes:
    """The body, truncated to `MAX_BODY` bytes; truncated JSON does not parse."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > MAX_BODY:
            return bytes(body[:MAX_BODY])
    return bytes(body)
