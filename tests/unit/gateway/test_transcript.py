"""Transcripts trust only marked events, whatever else the process writes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.gateway import (
    AccessDeniedError,
    ChangeRefusedError,
    GatewayError,
    ThrottledError,
    UnavailableError,
)
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


def transcript_of(*events: object) -> Transcript:
    result = transcript()
    for event in events:
        result.feed(f"{MARK} {json.dumps(event)}\n".encode())
    return result


@given(st.lists(st.binary() | st.text().map(str.encode)))
def test_transcript_ignores_lines_without_the_mark(lines: list[bytes]) -> None:
    result = transcript()
    for line in lines:
        result.feed(line)
    assert not result.called
    assert not result.finished


@given(st.binary(), st.binary())
def test_transcript_ignores_unreadable_events(before: bytes, after: bytes) -> None:
    result = transcript()
    result.feed(before + MARK.encode() + b" \x00" + after)
    assert not result.called
    assert not result.finished


@given(st.lists(EVENTS, max_size=4))
def test_transcript_always_yields_printable_errors(events: list[dict[str, Any]]) -> None:
    result = transcript_of(*events)
    result.process_exited(1, "complaint")
    if result.failure is not None:
        texts = [result.failure.message, result.failure.correlation_id]
        errors = [
            result.failure.of_submit(),
            result.failure.of_status(),
            result.error_before_call(),
        ]
        assert all(isinstance(error, GatewayError) for error in errors)
    else:
        texts = [result.exit_message] if result.output is None else []
    for text in texts:
        assert text
        assert text.isprintable()
        assert len(text) <= 500


@given(EVENTS)
def test_called_stays_true_after_asking_event(event: dict[str, Any]) -> None:
    """No later event takes it back."""
    assert transcript_of({"event": "asking"}, event).called


@given(st.text(), st.text(), st.sampled_from(["message", "body", "correlationId", "retryAfter"]))
def test_transcript_redacts_secrets(before: str, after: str, name: str) -> None:
    jwt = "eyJ0eXAiOiJKV1Qi.eyJhdWQiOiJ4In0.c2ln"
    for secret in (SECRET, jwt):
        failure = transcript_of({"event": "failed", name: f"{before}{secret} {after}"}).failure
        assert failure is not None
        assert secret not in f"{failure.message} {failure.correlation_id}"


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("asking", [True, False])
def test_called_follows_from_stage_of_failure(stage: str, asking: bool) -> None:
    before = [{"event": "asking"}] if asking else []
    result = transcript_of(*before, {"event": "failed", "stage": stage})
    assert result.called is (asking or stage == "asking")


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
def test_error_before_call_depends_on_stage_and_status(
    stage: str, status: int | None, kinds: list[str], expected: type[GatewayError]
) -> None:
    event = {"event": "failed", "stage": stage, "status": status, "kinds": kinds, "message": "No"}
    assert type(transcript_of(event).error_before_call()) is expected


def test_failure_prefers_message_and_id_of_the_response() -> None:
    event = {
        "event": "failed",
        "stage": "asking",
        "status": 403,
        "message": "The server responded with a Request Error, Status: Forbidden",
        "body": '{"Message": "Access Denied"}',
        "retryAfter": "17",
        "correlationId": "9d5c",
    }
    assert transcript_of(event).failure == Failure(403, "Access Denied", 17.0, "9d5c")
    bare = transcript_of({"event": "failed", "message": "Access Denied"}).failure
    assert bare == Failure(None, "Access Denied", None, "run")


def test_transcript_keeps_the_first_result() -> None:
    result = transcript_of(
        {"event": "answered", "answer": [1]}, {"event": "failed", "message": "No"}
    )
    assert (result.output, result.failure) == (b"[1]", None)


CODE = "ClientError,Microsoft.Teams.ConfigApi.Cmdlets.GrantCsTeamsCallingPolicy"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        # As people quote them in issues of MicrosoftDocs/office-docs-powershell.
        ({"message": "User can't be granted this policy"}, ChangeRefusedError),
        ({"message": "Invalid input parameters forest", "errorId": CODE}, ChangeRefusedError),
        ({"message": '[ClientError] : "Idont exist" not found'}, ChangeRefusedError),
        (
            {"message": "[ClientError] : The user was not provisioned successfully."},
            ChangeRefusedError,
        ),
        ({"message": "User does not exist"}, ChangeRefusedError),
        ({"message": "Bad request", "status": 400}, ChangeRefusedError),
        ({"message": "[Forbidden] : Access Denied.", "errorId": CODE}, AccessDeniedError),
        ({"message": "[ClientError] : Too many requests"}, ThrottledError),
        ({"message": "slow down", "status": 429}, ThrottledError),
        ({"message": "Something broke"}, UnavailableError),
        ({"message": "[InternalServerError] : not now"}, UnavailableError),
        ({"message": "Name not found", "kinds": ["SocketException"]}, UnavailableError),
        (
            {"message": "The term is not recognized", "kinds": ["CommandNotFoundException"]},
            AccessDeniedError,
        ),
    ],
)
def test_only_a_refusal_says_that_an_order_changed_nothing(
    fields: dict[str, Any], error: type[GatewayError]
) -> None:
    result = transcript_of({"event": "failed", "stage": "asking", **fields})
    assert type(result.error_after_call(Failure.of_change)) is error


def test_next_transcript_of_a_process_knows_its_mark_and_secrets() -> None:
    first = transcript_of({"event": "answered", "answer": 1})
    following = first.following()
    assert not following.finished
    failed = {"event": "failed", "stage": "asking", "message": f"no {SECRET}"}
    following.feed(f"{MARK} {json.dumps(failed)}\n".encode())
    assert following.failure is not None
    assert SECRET not in following.failure.message
    assert first.failure is None
