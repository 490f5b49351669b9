"""What a token proves of an authentication context: the truth table."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.identity.step_up import StepUp, claims_request, proved

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("claims", "acrs"),
    [
        ({"acrs": ["c1"]}, ("c1",)),
        ({"acrs": ["c7", "c1"]}, ("c7", "c1")),
        ({"acrs": "c1"}, ("c1",)),
        ({"acrs": ["c1", 1, None]}, ("c1",)),
        ({}, None),
        ({"acrs": None}, None),
        ({"acrs": []}, None),
        ({"acrs": ""}, None),
        ({"acrs": ["c2"]}, None),
        ({"acrs": ["c10", "c11"]}, None),
        ({"acrs": "c10"}, None),
        ({"acrs": "c1,c2"}, None),
        ({"acrs": "c1 c2"}, None),
        ({"acrs": ["C1"]}, None),
        ({"acrs": [" c1"]}, None),
        ({"acrs": [["c1"]]}, None),
        ({"acrs": {"c1": True}}, None),
        ({"acrs": 1}, None),
        ({"acr": ["c1"], "acrs_values": "c1", "amr": ["c1", "mfa"]}, None),
    ],
)
def test_only_the_context_itself_in_acrs_proves_it(
    claims: dict[str, Any], acrs: tuple[str, ...] | None
) -> None:
    assert proved(claims, "c1") == (None if acrs is None else StepUp(acrs))


@given(claims=st.dictionaries(st.sampled_from(["acrs", "amr", "auth_time", "acr"]), JSON))
def test_whatever_a_token_has_is_read_or_refused(claims: dict[str, Any]) -> None:
    acrs = claims.get("acrs")
    found = proved(claims, "c1")
    assert (found is not None) == (acrs == "c1" or (isinstance(acrs, list) and "c1" in acrs))
    if found is not None:
        assert json.loads(json.dumps(found.detail)) == found.detail


def test_no_context_is_proved_by_nothing() -> None:
    assert proved({"acrs": [""]}, "") is None


@pytest.mark.parametrize(
    ("more", "detail"),
    [
        ({}, {}),
        ({"auth_time": 1_764_400_000, "amr": ["pwd", "mfa"]}, None),
        ({"auth_time": "1764400000", "amr": 7}, {}),
        ({"auth_time": True, "amr": []}, {}),
    ],
)
def test_time_and_factors_are_kept_if_they_are_there(
    more: dict[str, Any], detail: dict[str, Any] | None
) -> None:
    found = proved({"acrs": ["c1"], **more}, "c1")
    assert found is not None
    assert found.detail == {"acrs": ["c1"], **(more if detail is None else detail)}


def test_claims_request_makes_the_context_essential() -> None:
    assert json.loads(claims_request("c1")) == {
        "access_token": {"acrs": {"essential": True, "value": "c1"}}
    }
