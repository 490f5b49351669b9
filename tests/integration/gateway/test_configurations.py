"""Reads of policies and service discovery, with expected and unexpected responses."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import aiohttp
import pytest

from bot.gateway import (
    AccessDeniedError,
    ChangeRefusedError,
    GatewayError,
    UnavailableError,
    wire,
)
from bot.gateway.administration import ConfigApiAdministration
from bot.gateway.configapi import ConfigApiGateway
from bot.identity.tokens import FixedToken
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario
from bot.simulator.server import Simulator


@asynccontextmanager
async def reading(
    *faults: Fault, pauses: Sequence[float] = ()
) -> AsyncGenerator[ConfigApiGateway, None]:
    async with Simulator(Scenario(faults=faults)) as simulator, aiohttp.ClientSession() as session:
        url = simulator.configapi_url
        yield ConfigApiGateway(session, url, FixedToken(), read_timeout=2.0, pauses=pauses)


async def test_configurations_and_admin_host_are_read() -> None:
    async with reading() as gateway:
        assert [*await gateway.configurations("TeamsSipDevicesConfiguration")] == [
            {"identity": "Global", "bulksignin": "Enabled"}
        ]
        assert await gateway.discover_admin_host() == "admin1a.online.lync.com"
        with pytest.raises(UnavailableError):
            await gateway.configurations("NoSuchPolicy")


@pytest.mark.parametrize(
    ("fault", "error"),
    [(FaultKind.FORBIDDEN, AccessDeniedError), (FaultKind.GARBAGE, UnavailableError)],
)
async def test_configurations_raise_by_kind_of_failure(
    fault: FaultKind, error: type[GatewayError]
) -> None:
    faults = [Fault(call=call, fault=fault, times=0) for call in (Call.POLICIES, Call.DISCOVERY)]
    async with reading(*faults) as gateway:
        with pytest.raises(error):
            await gateway.configurations("TeamsIPPhonePolicy")
        with pytest.raises(error):
            await gateway.discover_admin_host()


REFUSALS = [
    (FaultKind.BAD_REQUEST, ChangeRefusedError),
    (FaultKind.FORBIDDEN, AccessDeniedError),
]


@pytest.mark.parametrize(("fault", "error"), REFUSALS)
async def test_change_refused_at_once_changed_nothing(
    fault: FaultKind, error: type[GatewayError]
) -> None:
    refused = Fault(call=Call.SWITCH, fault=fault, times=0)
    async with reading(refused, pauses=(0.001,)) as gateway:
        with pytest.raises(error):
            await ConfigApiAdministration(gateway).switch("Disabled")


@pytest.mark.parametrize("fault", [fault for fault, _ in REFUSALS])
async def test_change_refused_after_an_answer_was_lost_may_have_taken_effect(
    fault: FaultKind,
) -> None:
    lost = Fault(call=Call.SWITCH, fault=FaultKind.SERVER_ERROR_ACCEPTED)
    refused = Fault(call=Call.SWITCH, fault=fault, nth=2, times=0)
    async with reading(lost, refused, pauses=(0.001, 0.001)) as gateway:
        with pytest.raises(UnavailableError):
            await ConfigApiAdministration(gateway).switch("Disabled")


@pytest.mark.parametrize(
    ("body", "identities"),
    [
        (b"[]", []),
        (b'{"Identity":"Global"}', ["Global"]),
        (b'[{"identity":"Tag:A"},{"IDENTITY":"Global"}]', ["Tag:A", "Global"]),
    ],
)
def test_instances_are_read_from_list_or_object(body: bytes, identities: list[str]) -> None:
    assert [each["identity"] for each in wire.instances(body)] == identities


@pytest.mark.parametrize("body", [b"", b"[1]", b"null", b'{"Message":"no"}', b'[{"Name":"x"}]'])
def test_instances_raise_when_body_has_none(body: bytes) -> None:
    with pytest.raises(wire.UnreadableResponseError):
        wire.instances(body)
