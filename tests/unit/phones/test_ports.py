"""Ports of analog adapters beyond those of the usual models: a warning, once per adapter."""

from __future__ import annotations

import pytest

from bot.phones.issue import Severity
from bot.phones.roster import Roster, read
from bot.words import Words

AUDIOCODES, CISCO, POLY = "00-90-8F-6B-7B-A5", "00-1B-67-12-34-56", "64-16-7F-12-34-56"


def roster(*hardware_ids: str) -> Roster:
    lines = [f"u{at}@contoso.com,{hardware_id}" for at, hardware_id in enumerate(hardware_ids)]
    return read("\n".join(["Username,HardwareId", *lines]).encode(), "phones.csv")


@pytest.mark.parametrize(
    "hardware_id", [f"{AUDIOCODES}:024", f"{CISCO}:002", f"{POLY}:002", AUDIOCODES]
)
def test_port_is_accepted_silently_within_the_usual_ports(hardware_id: str) -> None:
    found = roster(hardware_id)
    assert (found.ready, list(found.issues)) == (1, [])


@pytest.mark.parametrize(
    ("hardware_id", "ports"),
    [
        (f"{AUDIOCODES}:025", 24),
        (f"{AUDIOCODES}:288", 24),
        (f"{CISCO}:003", 2),
        (f"{POLY}:003", 2),
    ],
)
def test_port_is_ready_with_a_warning_beyond_the_usual_ports(hardware_id: str, ports: int) -> None:
    found = roster(hardware_id)
    (issue,) = found.issues
    assert (found.ready, issue.code, issue.severity) == (
        1,
        "hardware-id-port-unusual",
        Severity.WARNING,
    )
    assert issue.arguments == {"port": hardware_id[-3:], "ports": ports}
    sentence = Words()(f"issue-{issue.code}", **issue.arguments)
    assert f"at most {ports} ports, and this is port {hardware_id[-3:]}." in sentence


def test_unusual_ports_are_warned_about_once_per_adapter() -> None:
    """All 288 ports of an MP-1288 in one file are one remark, not 264."""
    other = "00-90-8F-6B-7B-A6:100"
    found = roster(*[f"{AUDIOCODES}:{port:03}" for port in range(1, 289)], other)
    assert found.ready == 289
    assert [(issue.row, issue.value) for issue in found.issues] == [
        (289, f"{AUDIOCODES}:288"),
        (290, other),
    ]


@pytest.mark.parametrize("port", ["000", "289", "999"])
def test_port_is_refused_when_no_adapter_has_it(port: str) -> None:
    found = roster(f"{AUDIOCODES}:{port}")
    (issue,) = found.issues
    assert (found.ready, issue.code) == (0, "hardware-id-port-range")
    assert "001 to 288" in Words()(f"issue-{issue.code}", **issue.arguments)
