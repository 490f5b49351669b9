"""Clouds where SIP Gateway is not available yet: Microsoft, "Plan for SIP Gateway"."""

from __future__ import annotations

import pytest

from bot.doctor import FindingState
from bot.words import Words
from tests.integration.doctor.conftest import MakeHarness


@pytest.mark.parametrize("cloud", ["gcch", "dod"])
async def test_doctor_fails_the_cloud_when_it_has_no_sip_gateway(
    make_harness: MakeHarness, cloud: str
) -> None:
    finding = (await (await make_harness(cloud=cloud)).examine())["cloud"]
    assert finding.state is FindingState.FAILED
    assert f"not available in this cloud yet: {cloud}." in Words()(
        finding.message, **finding.arguments
    )
    assert "set Offhook to the public cloud" in Words().part(
        finding.message, "fix", **finding.arguments
    )


@pytest.mark.parametrize("cloud", ["public", "21vianet"])
async def test_doctor_passes_the_cloud_when_nothing_speaks_against_it(
    make_harness: MakeHarness, cloud: str
) -> None:
    finding = (await (await make_harness(cloud=cloud)).examine())["cloud"]
    assert finding.state is FindingState.OK
