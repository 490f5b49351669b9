"""What every way to the SIP Gateway must do, through HTTP to a simulated one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

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
from tests.integration.gateway.backends import BACKENDS, Backend


@pytest.fixture(params=sorted(BACKENDS))
def backend(request: pytest.FixtureRequest) -> Backend:
    return BACKENDS[request.param]


def devices(count: int, region: Region = Region.EMEA) -> list[Phone]:
    return [
        Phone(
            f"lobby-{number}@contoso.com",
            f"00-04-F2-00-{number // 256:02X}-{number % 256:02X}",
            region,
        )
        for number in range(count)
    ]


async def ended(gateway: SipGateway, batch_id: str) -> BatchReport:
    """The report of a batch that has ended, asked for until it has."""
    async with asyncio.timeout(5):
        while True:
            report = await gateway.status(batch_id)
            if all(item.status in {"success", "failed"} for item in report.items):
                return report
            await asyncio.sleep(0.01)


async def test_a_batch_runs_from_submit_to_results(backend: Backend) -> None:
    scenario = Scenario(batch_seconds=0.1, outcomes={"lobby-1@contoso.com": ("device-offline",)})
    async with backend(scenario) as far:
        batch_id = await far.gateway.submit(Region.EMEA, devices(3))
        report = await ended(far.gateway, batch_id)
        assert report.remote_batch_id == batch_id
        assert report.status == "Completed"
        assert [(item.username, item.status, item.error) for item in report.items] == [
            ("lobby-0@contoso.com", "success", ""),
            ("lobby-1@contoso.com", "failed", "Device is offline."),
            ("lobby-2@contoso.com", "success", ""),
        ]
        assert [item.hardware_id for item in report.items] == [
            device.hardware_id for device in devices(3)
        ]
        (submit,) = far.simulator.configapi.submits
        assert (submit.batch_id, submit.region) == (batch_id, Region.EMEA)


@pytest.mark.parametrize("region", Region)
async def test_the_region_is_the_one_asked_for(backend: Backend, region: Region) -> None:
    async with backend(Scenario()) as far:
        await far.gateway.submit(region, devices(1, region))
        assert far.simulator.configapi.submits[0].region is region


@pytest.mark.parametrize("text", [*MESSAGES.values(), "Something that nobody has seen before, 50%"])
async def test_error_texts_arrive_as_they_were_sent(backend: Backend, text: str) -> None:
    scenario = Scenario(batch_seconds=0, outcomes={"00-04-F2-00-00-00": (text,)})
    async with backend(scenario) as far:
        report = await far.gateway.status(await far.gateway.submit(Region.EMEA, devices(1)))
        assert [item.error for item in report.items] == [text]


@pytest.mark.parametrize("casing", ["pascal", "camel", "lower"])
@pytest.mark.parametrize("plural", [True, False])
@pytest.mark.parametrize("bare_id", [True, False])
async def test_names_are_read_in_any_casing(
    backend: Backend, casing: str, plural: bool, bare_id: bool
) -> None:
    wire = Wire.model_validate(
        {"casing": casing, "plural": plural, "bare_id": bare_id, "wrapped_list": plural}
    )
    async with backend(Scenario(batch_seconds=0, wire=wire)) as far:
        batch_id = await far.gateway.submit(Region.NOAM, devices(2, Region.NOAM))
        report = await far.gateway.status(batch_id)
        assert [item.status for item in report.items] == ["success", "success"]
        (summary,) = await far.gateway.summaries()
        assert (summary.remote_batch_id, summary.region, summary.phone_count) == (
            batch_id,
            Region.NOAM,
            2,
        )


async def test_names_of_states_are_passed_on(backend: Backend) -> None:
    names = Statuses(
        queued="Zurückgestellt", running="Zurückgestellt", item_waiting="🕐", item_running="Q"
    )
    async with backend(Scenario(batch_seconds=60, statuses=names)) as far:
        report = await far.gateway.status(await far.gateway.submit(Region.EMEA, devices(20)))
        assert report.status == "Zurückgestellt"
        assert {item.status for item in report.items} == {"🕐", "Q"}


async def test_summaries_tell_region_time_and_size(backend: Backend) -> None:
    async with backend(Scenario()) as far:
        assert await far.gateway.summaries() == []
        before = datetime.now(UTC)
        batch_id = await far.gateway.submit(Region.APAC, devices(7, Region.APAC))
        (summary,) = await far.gateway.summaries()
        assert (summary.remote_batch_id, summary.region, summary.phone_count) == (
            batch_id,
            Region.APAC,
            7,
        )
        assert summary.created_at is not None
        assert before <= summary.created_at <= before + timedelta(seconds=5)


async def test_summaries_may_tell_less(backend: Backend) -> None:
    async with backend(Scenario(summaries=Summaries(details=False))) as far:
        batch_id = await far.gateway.submit(Region.APAC, devices(7, Region.APAC))
        (summary,) = await far.gateway.summaries()
        assert summary.remote_batch_id == batch_id
        assert (summary.region, summary.created_at, summary.phone_count) == (None, None, None)


async def test_a_batch_that_nobody_knows(backend: Backend) -> None:
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
async def test_a_submit_that_fails_is_sent_once(
    backend: Backend, fault: FaultKind, error: type[GatewayError], ran: bool
) -> None:
    rule = Fault(call=Call.CREATE_BATCH, fault=fault, times=0)
    async with backend(Scenario(faults=(rule,))) as far:
        with pytest.raises(error) as raised:
            await far.gateway.submit(Region.EMEA, devices(2))
        assert type(raised.value) is error
        assert raised.value.correlation_id
        service = far.simulator.configapi
        # A 401 is given before the body is looked at, so a newer token may be tried.
        assert len(service.submits) == (2 if fault is FaultKind.UNAUTHORIZED else 1)
        assert len(service.batches) == ran
        # What is said to be not run has not been run: the whole point of the distinction.
        assert not (isinstance(raised.value, NotRunError) and service.batches)


@pytest.mark.parametrize("errors", ["error", "message", "text"])
async def test_the_services_own_words_are_kept(backend: Backend, errors: str) -> None:
    rule = Fault(call=Call.CREATE_BATCH, fault=FaultKind.FORBIDDEN, message="Access Denied")
    wire = Wire.model_validate({"errors": errors})
    async with backend(Scenario(faults=(rule,), wire=wire)) as far:
        with pytest.raises(AccessDeniedError, match=r"^Access Denied$"):
            await far.gateway.submit(Region.EMEA, devices(1))


async def test_throttled_says_for_how_long(backend: Backend) -> None:
    rules = (
        Fault(call=Call.CREATE_BATCH, fault=FaultKind.THROTTLED, retry_after=17),
        Fault(call=Call.CREATE_BATCH, fault=FaultKind.THROTTLED, nth=2),
    )
    async with backend(Scenario(faults=rules)) as far:
        waits: list[float | None] = []
        for _ in rules:
            with pytest.raises(ThrottledError) as raised:
                await far.gateway.submit(Region.EMEA, devices(1))
            waits.append(raised.value.retry_after)
        assert waits == [17, None]


async def test_a_fourth_batch_in_a_region_is_throttled(backend: Backend) -> None:
    async with backend(Scenario(batch_seconds=60)) as far:
        for _ in range(3):
            await far.gateway.submit(Region.EMEA, devices(1))
        with pytest.raises(ThrottledError):
            await far.gateway.submit(Region.EMEA, devices(1))
        await far.gateway.submit(Region.NOAM, devices(1, Region.NOAM))


async def test_too_many_devices_are_refused(backend: Backend) -> None:
    async with backend(Scenario()) as far:
        with pytest.raises(BatchRejectedError, match="100"):
            await far.gateway.submit(Region.EMEA, devices(101))
        await far.gateway.submit(Region.EMEA, devices(100))


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
async def test_a_read_gets_over_passing_trouble(
    backend: Backend, call: Call, fault: FaultKind
) -> None:
    rule = Fault(call=call, fault=fault)
    async with backend(Scenario(faults=(rule,))) as far:
        batch_id = await far.gateway.submit(Region.EMEA, devices(1))
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
async def test_a_read_says_what_trouble_lasts(
    backend: Backend, fault: FaultKind, error: type[GatewayError]
) -> None:
    rules = (
        Fault(call=Call.BATCH_STATUS, fault=fault, times=0),
        Fault(call=Call.BATCH_SUMMARIES, fault=fault, times=0),
    )
    async with backend(Scenario(faults=rules)) as far:
        batch_id = await far.gateway.submit(Region.EMEA, devices(1))
        with pytest.raises(error) as raised:
            await far.gateway.status(batch_id)
        assert type(raised.value) is error
        with pytest.raises(error) as raised:
            await far.gateway.summaries()
        assert type(raised.value) is error


async def test_a_wait_longer_than_the_call_is_left_to_the_caller(backend: Backend) -> None:
    rule = Fault(call=Call.BATCH_STATUS, fault=FaultKind.THROTTLED, retry_after=3600)
    async with backend(Scenario(faults=(rule,))) as far:
        batch_id = await far.gateway.submit(Region.EMEA, devices(1))
        with pytest.raises(ThrottledError) as raised:
            await far.gateway.status(batch_id)
        assert raised.value.retry_after == 3600
        assert far.simulator.configapi.calls[Call.BATCH_STATUS] == 1


async def test_how_long_a_submit_may_take_is_told(backend: Backend) -> None:
    rule = Fault(call=Call.CREATE_BATCH, fault=FaultKind.TIMEOUT_LOST)
    async with backend(Scenario(faults=(rule,))) as far:
        loop = asyncio.get_running_loop()
        started = loop.time()
        with pytest.raises(OutcomeUnknownError):
            await far.gateway.submit(Region.EMEA, devices(1))
        # The lease on a batch is made to outlast this: an answer must never come later.
        assert loop.time() - started <= far.gateway.submit_timeout + 1


async def test_nobody_there(backend: Backend) -> None:
    async with backend(Scenario()) as far:
        await far.simulator.__aexit__(None, None, None)
        with pytest.raises(NotRunError):
            await far.gateway.submit(Region.EMEA, devices(1))
        with pytest.raises(UnavailableError):
            await far.gateway.summaries()
        async with far.simulator:
            assert await far.gateway.submit(Region.EMEA, devices(1))
