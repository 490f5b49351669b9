"""Logs show what happened, and nobody's name or phone."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from bot.gateway.redact import HIDDEN, redacted

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


def test_states_are_shown_and_people_are_not() -> None:
    item = {"userName": "a@b.com", "hardwareId": "80-5E", "status": "failed", "error": "Offline"}
    report = {"batchId": "7", "batchStatus": "Completed", "batchItem": [item] * 5}
    hidden = {"userName": HIDDEN, "hardwareId": HIDDEN, "status": "failed", "error": "Offline"}
    assert redacted(json.dumps(report).encode()) == {
        "batchId": "7",
        "batchStatus": "Completed",
        "batchItem": [hidden, hidden, hidden, "and 2 more"],
    }


@given(JSON)
def test_a_text_that_is_nobodys_state_is_never_shown(content: object) -> None:
    secret = "lobby7@contoso.com"
    for body in ({"x": [content, secret]}, [secret], secret, {"userName": {"status2": secret}}):
        assert secret not in json.dumps(redacted(json.dumps(body).encode()))


@given(st.binary())
def test_anything_else_is_counted(body: bytes) -> None:
    assert len(json.dumps(redacted(body))) < 10_000


def test_depth_is_bounded() -> None:
    shown = json.dumps(redacted(b"[" * 900 + b"]" * 900), ensure_ascii=False)
    assert HIDDEN in shown
