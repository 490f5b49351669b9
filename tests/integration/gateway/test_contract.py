"""The contract of every SIP Gateway backend, over HTTP to a simulated SIP Gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime

import pytest

from bot.gateway import (
    AccessDeniedError,
    BatchRejectedError,
    BatchReport,
    GatewayError,
    NotRunError,
    OutcomeUnknownError,
    SipGateway,
    ThrottledError,
    UnavailableError,
    UnknownBatchError,
)
from bot.phones.region import Region
from bot.signin.request import Phone
from bot.simulator.scenario import (
    MESSAGES,
    Call,
    Fault,
    FaultKind,
    Scenario,
    Statuses,
    Summaries,
    Wire,
)
from tests.integration.gateway.backends import BACKENDS, TIMEOUT, Backend
from tests.support.waiting import PATIENCE, Clock


@pytest.fixture(params=sorted(BACKENDS))
def backend(request: pytest.FixtureRequest) -> Backend:
    return BACKENDS[request.param]


def phones(count: int, region: Region = Region.EMEA) -> list[Phone]:
    return [
        Phone(
            f"lobby-{number}@contoso.com",
            f"00-04-F2-00-{number // 256:02X}-{number % 256:02X}",
            region,
        )
        for number in range(count)
    ]


def hangs(fault: FaultKind) -> bool:
    return fault in (FaultKind.TIMEOUT_LOST, FaultKind.TIMEOUT_ACCEPTED)


async def wait_until_ended(gateway: SipGateway, batch_id: str) -> BatchReport:
    """Poll until every phone of the batch has ended, and return the report."""
    async with asyncio.timeout(PATIENCE):
        while True:
            report = await gateway.status(batch_id)
            if all(item.status in {"success", "failed"} for item in report.items):
                return report
            await asyncio.sleep(0.01)


async def test_batch_runs_from_submit_to_results(backend: Backend) -> None:
    scenario = Scenario(batch_seconds=0.1, outcomes={"lobby-1@contoso.com": ("device-offline",)})
    async with backend(scenario) as far:
        batch_id = await far.gateway.submit(Region.EMEA, phones(3))
        report = await wait_until_ended(far.gateway, batch_id)
        assert report.remote_batch_id == batch_id
        assert report.status == "Completed"
        assert [(item.username, item.status, item.error) for item in report.items] == [
            ("lobby-0@contoso.com", "success", ""),
            ("lobby-1@contoso.com", "failed", "Device is offline."),
            ("lobby-2@contoso.com", "success", ""),
        ]
        assert [item.hardware_id for item in report.items] == [
            phone.hardware_id for phone in phones(3)
        ]
        (submit,) = far.simulator.configapi.submits
        assert (submit.batch_id, submit.region) == (batch_id, Region.EMEA)


@pytest.mark.parametrize("region", Region)
async def test_submit_sends_the_region(backend: Backend, region: Region) -> None:
    async with backend(Scenario()) as far:
        await far.gateway.submit(region, phones(1, region))
        assert far.simulator.configapi.submits[0].region is region


@pytest.mark.parametrize("text", [*MESSAGES.values(), "An error never seen before, 50%"])
async def test_status_keeps_error_texts_unchanged(backend: Backend, text: str) -> None:
    scenario = Scenario(batch_seconds=0, outcomes={"00-04-F2-00-00-00": (text,)})
    async with backend(scenario) as far:
        report = await far.gateway.status(await far.gateway.submit(Region.EMEA, phones(1)))
        assert [item.error for item in report.items] == [text]


@pytest.mark.parametrize("casing", ["pascal", "camel", "lower"])
@pytest.mark.parametrize("plural", [True, False])
@pytest.mark.parametrize("bare_id", [True, False])
async def test_fields_are_read_in_any_casing(
    backend: Backend, casing: str, plural: bool, bare_id: bool
) -> None:
    wire = Wire.model_validate(
        {"casing": casing, "plural": plural, "bare_id": bare_id, "wrapped_list": plural}
    )
    async with backend(Scenario(batch_seconds=0, wire=wire)) as far:
        batch_id = await far.gateway.submit(Region.NOAM, phones(2, Region.NOAM))
        report = await far.gateway.status(batch_id)
        assert [item.status for item in report.items] == ["success", "success"]
        (summary,) = await far.gateway.summaries()
        assert (summary.remote_batch_id, summary.region, summary.phone_count) == (
            batch_id,
            Region.NOAM,
            2,
        )


async def test_status_passes_unknown_states_through(backend: Backend) -> None:
    names = Statuses(
        queued="Zurückgestellt", running="Zurückgestellt", item_waiting="🕐", item_running="Q"
    )
    async with backend(Scenario(batch_seconds=6000, statuses=names)) as far:
        report = await far.gateway.status(await far.gateway.submit(Region.EMEA, phones(20)))
        assert report.status == "Zurückgestellt"
        assert {item.status for item in report.items} == {"🕐", "Q"}


async def test_summaries_have_region_time_and_phone_count(backend: Backend) -> None:
    async with backend(Scenario()) as far:
        assert await far.gateway.summaries() == []
        before = datetime.now(UTC)
        batch_id = await far.gateway.submit(Region.APAC, phones(7, Region.APAC))
        (summary,) = await far.gateway.summaries()
        assert (summary.remote_batch_id, summary.region, summary.phone_count) == (
            batch_id,
            Region.APAC,
            7,
        )
        assert summary.created_at is not None
        assert before <= summary.created_at <= datetime.now(UTC)


async def test_summaries_have_none_for_missing_details(backend: Backend) -> None:
    async with backend(Scenario(summaries=Summaries(details=False))) as far:
        batch_id = await far.gateway.submit(Region.APAC, phones(7, Region.APAC))
        (summary,) = await far.gateway.summaries()
        assert summary.remote_batch_id == batch_id
        assert (summary.region, summary.created_at, summary.phone_count) == (None, None, None)


async def test_status_raises_when_batch_is_unknown(backend: Backend) -> None:
    async with backend(Scenario()) as far:
        with pytest.raises(UnknownBatchError):
            await far.gateway.status("00000000-0000-0000-0000-000000000000")


@pytest.mark.parametrize(
    ("fault", "error", "ran"),
    [
        (FaultKind.BAD_REQUEST, BatchRejectedError, False),
        (FaultKind.NOT_FOUND, BatchRejectedError, False),
        (FaultKind.UNAUTHORIZED, AccessDeniedError, False),
        (FaultKind.FORBIDDEN, AccessDeniedError, False),
        (FaultKind.THROTTLED, ThrottledError, False),
        (FaultKind.SERVER_ERROR, OutcomeUnknownError, False),
        (FaultKind.SERVER_ERROR_ACCEPTED, OutcomeUnknownError, True),
        (FaultKind.BAD_GATEWAY, OutcomeUnknownError, False),
        (FaultKind.BAD_GATEWAY_ACCEPTED, OutcomeUnknownError, True),
        (FaultKind.UNAVAILABLE, OutcomeUnknownError, False),
        (FaultKind.GATEWAY_TIMEOUT, OutcomeUnknownError, False),
        (FaultKind.TIMEOUT_LOST, OutcomeUnknownError, False),
        (FaultKind.TIMEOUT_ACCEPTED, OutcomeUnknownError, True),
        (FaultKind.DROP_LOST, OutcomeUnknownError, False),
        (FaultKind.DROP_ACCEPTED, OutcomeUnknownError, True),
        (FaultKind.GARBAGE, OutcomeUnknownError, True),
    ],
)
async def test_submit_is_sent_once_when_it_fails(
    backend: Backend, fault: FaultKind, error: type[GatewayError], ran: bool, clock: Clock
) -> None:
    rule = Fault(call=Call.CREATE_BATCH, fault=fault, times=0)
    async with backend(Scenario(faults=(rule,))) as far:
        submit = far.gateway.submit(Region.EMEA, phones(2))
        if hangs(fault):
            submit = far.timed_out(clock, Call.CREATE_BATCH, submit)
        with pytest.raises(error) as raised:
            await submit
        assert type(raised.value) is error
        assert raised.value.correlation_id
        configapi = far.simulator.configapi
        # A 401 comes before the body is read, so one retry with a new token is safe.
        assert len(configapi.submits) == (2 if fault is FaultKind.UNAUTHORIZED else 1)
        assert len(configapi.batches) == ran
        # NotRunError is raised only when nothing ran.
        assert not (isinstance(raised.value, NotRunError) and configapi.batches)


@pytest.mark.parametrize("errors", ["error", "message", "text"])
async def test_error_keeps_the_gateways_message(backend: Backend, errors: str) -> None:
    rule = Fault(call=Call.CREATE_BATCH, fault=FaultKind.FORBIDDEN, message="Access Denied")
    wire = Wire.model_validate({"errors": errors})
    async with backend(Scenario(faults=(rule,), wire=wire)) as far:
        with pytest.raises(AccessDeniedError, match=r"^Access Denied$"):
            await far.gateway.submit(Region.EMEA, phones(1))


async def test_throttled_error_has_retry_after(backend: Backend) -> None:
    rules = (
        Fault(call=Call.CREATE_BATCH, fault=FaultKind.THROTTLED, retry_after=17),
        Fault(call=Call.CREATE_BATCH, fault=FaultKind.THROTTLED, nth=2),
    )
    async with backend(Scenario(faults=rules)) as far:
        waits: list[float | None] = []
        for _ in rules:
            with pytest.raises(ThrottledError) as raised:
                await far.gateway.submit(Region.EMEA, phones(1))
            waits.append(raised.value.retry_after)
        assert waits == [17, None]


async def test_fourth_batch_in_a_region_is_throttled(backend: Backend) -> None:
    async with backend(Scenario(batch_seconds=6000)) as far:
        for _ in range(3):
            await far.gateway.submit(Region.EMEA, phones(1))
        with pytest.raises(ThrottledError):
            await far.gateway.submit(Region.EMEA, phones(1))
        await far.gateway.submit(Region.NOAM, phones(1, Region.NOAM))


async def test_batch_is_rejected_when_it_has_too_many_phones(backend: Backend) -> None:
    async with backend(Scenario()) as far:
        with pytest.raises(BatchRejectedError, match="100"):
            await far.gateway.submit(Region.EMEA, phones(101))
        await far.gateway.submit(Region.EMEA, phones(100))


@pytest.mark.parametrize(
    "fault",
    [
        FaultKind.THROTTLED,
        FaultKind.SERVER_ERROR,
        FaultKind.BAD_GATEWAY,
        FaultKind.UNAVAILABLE,
        FaultKind.GATEWAY_TIMEOUT,
        FaultKind.DROP_LOST,
        FaultKind.GARBAGE,
    ],
)
@pytest.mark.parametrize("call", [Call.BATCH_STATUS, Call.BATCH_SUMMARIES])
async def test_read_is_retried_after_transient_failure(
    backend: Backend, call: Call, fault: FaultKind
) -> None:
    rule = Fault(call=call, fault=fault)
    async with backend(Scenario(faults=(rule,))) as far:
        batch_id = await far.gateway.submit(Region.EMEA, phones(1))
        if call is Call.BATCH_STATUS:
            assert (await far.gateway.status(batch_id)).remote_batch_id == batch_id
        else:
            assert [each.remote_batch_id for each in await far.gateway.summaries()] == [batch_id]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (FaultKind.UNAUTHORIZED, AccessDeniedError),
        (FaultKind.FORBIDDEN, AccessDeniedError),
        (FaultKind.THROTTLED, ThrottledError),
        (FaultKind.BAD_REQUEST, UnavailableError),
        (FaultKind.SERVER_ERROR, UnavailableError),
        (FaultKind.UNAVAILABLE, UnavailableError),
        (FaultKind.DROP_LOST, UnavailableError),
        (FaultKind.TIMEOUT_LOST, UnavailableError),
        (FaultKind.GARBAGE, UnavailableError),
    ],
)
async def test_read_raises_when_failure_persists(
    backend: Backend, fault: FaultKind, error: type[GatewayError], clock: Clock
) -> None:
    rules = (
        Fault(call=Call.BATCH_STATUS, fault=fault, times=0),
        Fault(call=Call.BATCH_SUMMARIES, fault=fault, times=0),
    )
    async with backend(Scenario(faults=rules)) as far:
        batch_id = await far.gateway.submit(Region.EMEA, phones(1))
        reads: tuple[tuple[Call, Awaitable[object]], ...] = (
            (Call.BATCH_STATUS, far.gateway.status(batch_id)),
            (Call.BATCH_SUMMARIES, far.gateway.summaries()),
        )
        for call, read in reads:
            with pytest.raises(error) as raised:
                await (far.timed_out(clock, call, read) if hangs(fault) else read)
            assert type(raised.value) is error


async def test_read_is_not_retried_when_retry_after_exceeds_timeout(backend: Backend) -> None:
    rule = Fault(call=Call.BATCH_STATUS, fault=FaultKind.THROTTLED, retry_after=3600)
    async with backend(Scenario(faults=(rule,))) as far:
        batch_id = await far.gateway.submit(Region.EMEA, phones(1))
        with pytest.raises(ThrottledError) as raised:
            await far.gateway.status(batch_id)
        assert raised.value.retry_after == 3600
        assert far.simulator.configapi.calls[Call.BATCH_STATUS] == 1


async def test_submit_times_out_within_submit_timeout(backend: Backend, clock: Clock) -> None:
    """A batch's lease is sized to outlast this timeout, so no response may come later."""
    rule = Fault(call=Call.CREATE_BATCH, fault=FaultKind.TIMEOUT_LOST)
    async with backend(Scenario(faults=(rule,))) as far:
        submit = far.gateway.submit(Region.EMEA, phones(1))
        assert far.gateway.submit_timeout == TIMEOUT
        with pytest.raises(OutcomeUnknownError):
            await far.timed_out(clock, Call.CREATE_BATCH, submit)


async def test_gateway_raises_when_connection_is_refused_and_recovers(backend: Backend) -> None:
    async with backend(Scenario()) as far:
        await far.simulator.__aexit__(None, None, None)
        with pytest.raises(NotRunError):
            await far.gateway.submit(Region.EMEA, phones(1))
        with pytest.raises(UnavailableError):
            await far.gateway.summaries()
        async with far.simulator:
            assert await far.gateway.submit(Region.EMEA, phones(1))


class StopError(Exception):
    """What keeps a batch from being sent."""


@pytest.mark.parametrize("error", [StopError(), ConnectionResetError()])
async def test_submit_sends_nothing_when_stopped_before(backend: Backend, error: Exception) -> None:
    async def stop() -> None:
        raise error

    async with backend(Scenario()) as far:
        with pytest.raises(type(error)) as raised:
            await far.gateway.submit(Region.EMEA, phones(2), stop)
        assert raised.value is error
        assert Call.CREATE_BATCH not in far.simulator.configapi.calls
        assert await far.gateway.submit(Region.EMEA, phones(2))


async def test_submit_is_asked_for_once_before_anything_is_sent(backend: Backend) -> None:
    sent: list[int] = []
    async with backend(Scenario()) as far:

        async def before_sending() -> None:
            sent.append(far.simulator.configapi.calls[Call.CREATE_BATCH])

        await far.gateway.submit(Region.EMEA, phones(2), before_sending)
        assert sent == [0]
        assert far.simulator.configapi.calls[Call.CREATE_BATCH] == 1


async def test_submit_is_asked_for_again_after_refused_token(backend: Backend) -> None:
    fault = Fault(call=Call.CREATE_BATCH, fault=FaultKind.UNAUTHORIZED)
    asked = 0

    async def before_sending() -> None:
        nonlocal asked
        asked += 1

    async with backend(Scenario(faults=(fault,))) as far:
        assert await far.gateway.submit(Region.EMEA, phones(2), before_sending)
    assert asked == 2
