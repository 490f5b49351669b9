"""Redacted bodies show structure and states, but no names or phones."""

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


def test_redacted_keeps_states_and_hides_phones() -> None:
    item = {"userName": "a@b.com", "hardwareId": "80-5E", "status": "failed", "error": "Offline"}
    report = {"batchId": "7", "batchStatus": "Completed", "batchItem": [item] * 5}
    hidden = {"userName": HIDDEN, "hardwareId": HIDDEN, "status": "failed", "error": "Offline"}
    assert redacted(json.dumps(report).encode()) == {
        "batchId": "7",
        "batchStatus": "Completed",
        "batchItem": [hidden, hidden, hidden, "and 2 more"],
    }


@given(JSON)
def test_redacted_hides_text_in_unknown_fields(content: object) -> None:
    secret = "lobby7@contoso.com"
    for body in ({"x": [content, secret]}, [secret], secret, {"userName": {"status2": secret}}):
        assert secret not in json.dumps(redacted(json.dumps(body).encode()))


@given(st.binary())
def test_redacted_is_bounded_for_any_body(body: bytes) -> None:
    assert len(json.dumps(redacted(body))) < 10_000


def test_redacted_limits_depth() -> None:
    shown = json.dumps(redacted(b"[" * 900 + b"]" * 900), ensure_ascii=False)
    assert HIDDEN in shown
