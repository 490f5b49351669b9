"""Settings of the approvers' time zone, of escalation, and of break-glass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from bot.doctor import FindingState, safeguards
from bot.signin.policy.model import Group, no_rules
from tests.unit.settings.test_production import settings

ALEX = "00000000-0000-0000-0000-000000000020"


def test_time_zone_is_an_iana_name() -> None:
    assert settings().zone == ZoneInfo("UTC")
    assert settings(approvers_time_zone=" Europe/Berlin ").zone == ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    "zone", ["", "Berlin", "UTC+1", "../../etc/passwd", "/etc/passwd", "Europe", "A\0B", "x" * 500]
)
def test_other_time_zones_are_refused_with_a_sentence(zone: str) -> None:
    with pytest.raises(ValidationError, match=r"is no time zone: write an IANA name"):
        settings(approvers_time_zone=zone)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"escalation": "*"}, r"OFFHOOK_ESCALATION=\* is for `local` only"),
        ({"escalation": ALEX, "escalate_after": 86400}, "OFFHOOK_ESCALATE_AFTER is not less"),
        ({"escalation": ALEX, "escalate_after": 0}, "greater than 0"),
        ({"break_glass": "*"}, "name each person, without groups"),
        ({"break_glass": f"{ALEX}, alexw@contoso.com"}, "name each person, without groups"),
    ],
)
def test_settings_that_would_let_everybody_or_nobody_in_are_refused(
    values: dict[str, Any], match: str
) -> None:
    with pytest.raises(ValidationError, match=match):
        settings(**values)


def test_escalation_is_after_half_of_the_time() -> None:
    assert settings(escalation=ALEX, approval_ttl=7200).escalates_after == 3600
    assert settings(escalation=ALEX, escalate_after=60).escalates_after == 60
    assert settings(escalate_after=86400).escalation == ()  # says nothing without people


def test_doctor_warns_while_break_glass_is_on() -> None:
    assert safeguards.break_glass(settings(), None).state is FindingState.OK
    found = safeguards.break_glass(settings(break_glass=f"{ALEX},{ALEX}"), None)
    assert (found.state, found.arguments["people"]) == (FindingState.WARNING, 2)
    named = replace(no_rules(), break_glass=(Group("on-call", frozenset({ALEX})),))
    found = safeguards.break_glass(settings(), named)
    assert (found.state, found.arguments["names"]) == (FindingState.WARNING, "on-call")
