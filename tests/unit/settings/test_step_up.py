"""The authentication context of approvals: what is one, and what it needs."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.unit.settings.test_production import settings


@pytest.mark.parametrize(
    ("written", "context"), [("", ""), (" ", ""), ("c1", "c1"), (" C99 ", "c99"), ("c10", "c10")]
)
def test_context_is_one_of_c1_to_c99(written: str, context: str) -> None:
    assert settings(step_up=written).step_up == context


@pytest.mark.parametrize("written", ["c0", "c100", "c01", "1", "c", "c1,c2", "urn:c1", "c1\nc2"])
def test_anything_else_stops_the_start(written: str) -> None:
    with pytest.raises(ValidationError, match="c1 to c99"):
        settings(step_up=written)


def test_step_up_needs_a_token_of_the_approver() -> None:
    with pytest.raises(ValidationError, match="OFFHOOK_STEP_UP needs OFFHOOK_RUN_AS=approver"):
        settings(step_up="c1", run_as="app")


def test_step_up_is_refused_where_nobody_signs_in() -> None:
    with pytest.raises(ValidationError, match="OFFHOOK_STEP_UP needs Entra ID"):
        settings(environment="local", step_up="c1")
    simulated = settings(environment="local", step_up="c1", authority_url="http://127.0.0.1:1")
    assert simulated.step_up == "c1"
