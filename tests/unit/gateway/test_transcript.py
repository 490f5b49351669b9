"""Whatever a process writes, it proves no more than the script said."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.gateway import AccessDeniedError, GatewayError, ThrottledError, UnavailableError
from bot.gateway.failure import Failure
from bot.gateway.transcript import Transcript

MARK = "5f0c1a52b1d24e0f"
SECRET = "opaque-token-of-some-length"
STAGES = ("checking", "connecting", "asking")

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
EVENTS = st.fixed_dictionaries(
    {"event": st.sampled_from(["asking", "answered", "failed", "other"]) | VALUES},
    optional={
        "answer": VALUES,
        "stage": st.sampled_from(STAGES) | VALUES,
        "message": st.text(alphabet=st.characters(), max_size=2000) | VALUES,
        "body": st.text(alphabet=st.characters(), max_size=2000) | VALUES,
        "kinds": st.just(["SocketException"]) | VALUES,
        "status": st.integers(-1, 700) | VALUES,
        "retryAfter": st.sampled_from(["17", "nan", "Wed, 21 Oct 2015 07:28:00 GMT"]) | VALUES,
        "correlationId": VALUES,
    },
)


def transcript() -> Transcript:
    return Transcript("run", MARK, (SECRET, "local"))


def told(*events: object) -> Transcript:
    heard = transcript()
    for event in events:
        heard.feed(f"{MARK} {json.dumps(event)}\n".encode())
    return heard


@given(st.lists(st.binary() | st.text().map(str.encode)))
def test_lines_without_the_mark_say_nothing(lines: list[bytes]) -> None:
    heard = transcript()
    for line in lines:
        heard.feed(line)
    assert not heard.called
    assert not heard.finished


@given(st.binary(), st.binary())
def test_marked_nonsense_says_nothing(before: bytes, after: bytes) -> None:
    heard = transcript()
    heard.feed(before + MARK.encode() + b" \x00" + after)
    assert not heard.called
    assert not heard.finished


@given(st.lists(EVENTS, max_size=4))
def test_any_event_leaves_something_that_can_be_told(events: list[dict[str, Any]]) -> None:
    heard = told(*events)
    heard.process_exited(1, "complaint")
    if heard.failure is not None:
        texts = [heard.failure.message, heard.failure.correlation_id]
        errors = [heard.failure.of_submit(), heard.failure.of_status(), heard.error_before_call()]
        assert all(isinstance(error, GatewayError) for error in errors)
    else:
        texts = [heard.exit_message] if heard.output is None else []
    for text in texts:
        assert text
        assert text.isprintable()
        assert len(text) <= 500


@given(EVENTS)
def test_only_the_script_says_that_nothing_was_asked(event: dict[str, Any]) -> None:
    """After `asking`, nothing that follows takes it back."""
    assert told({"event": "asking"}, event).called


@given(st.text(), st.text(), st.sampled_from(["message", "body", "correlationId", "retryAfter"]))
def test_secrets_are_taken_out(before: str, after: str, name: str) -> None:
    jwt = "eyJ0eXAiOiJKV1Qi.eyJhdWQiOiJ4In0.c2ln"
    for secret in (SECRET, jwt):
        failure = told({"event": "failed", name: f"{before}{secret} {after}"}).failure
        assert failure is not None
        assert secret not in f"{failure.message} {failure.correlation_id}"


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("asking", [True, False])
def test_what_a_failure_says_about_asking(stage: str, asking: bool) -> None:
    before = [{"event": "asking"}] if asking else []
    heard = told(*before, {"event": "failed", "stage": stage})
    assert heard.called is (asking or stage == "asking")


@pytest.mark.parametrize(
    ("stage", "status", "kinds", "expected"),
    [
        ("checking", None, ["RuntimeException"], AccessDeniedError),
        ("checking", None, ["IOException"], AccessDeniedError),
        ("connecting", None, ["AuthenticationException"], AccessDeniedError),
        ("connecting", None, ["AggregateException", "HttpRequestException"], UnavailableError),
        ("connecting", 401, ["HttpRequestException"], AccessDeniedError),
        ("connecting", 403, ["RestException"], AccessDeniedError),
        ("connecting", 429, ["RestException"], ThrottledError),
        ("connecting", 500, ["RestException"], UnavailableError),
        ("connecting", 503, [], UnavailableError),
    ],
)
def test_why_nothing_was_asked(
    stage: str, status: int | None, kinds: list[str], expected: type[GatewayError]
) -> None:
    event = {"event": "failed", "stage": stage, "status": status, "kinds": kinds, "message": "No"}
    assert type(told(event).error_before_call()) is expected


def test_the_services_own_words_and_ids_come_first() -> None:
    event = {
        "event": "failed",
        "stage": "asking",
        "status": 403,
        "message": "The server responded with a Request Error, Status: Forbidden",
        "body": '{"Message": "Access Denied"}',
        "retryAfter": "17",
        "correlationId": "9d5c",
    }
    assert told(event).failure == Failure(403, "Access Denied", 17.0, "9d5c")
    bare = told({"event": "failed", "message": "Access Denied"}).failure
    assert bare == Failure(None, "Access Denied", None, "run")


def test_the_first_word_stands() -> None:
    heard = told({"event": "answered", "answer": [1]}, {"event": "failed", "message": "No"})
    assert (heard.output, heard.failure) == (b"[1]", None)
