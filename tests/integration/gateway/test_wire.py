"""Parsers return a value or raise `UnreadableResponseError`, whatever the body."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.gateway import BatchReport, wire
from bot.phones.region import Region

NAMES = st.sampled_from(
    [
        "batchId",
        "BATCHID",
        "id",
        "batchStatus",
        "status",
        "batchItem",
        "BatchItems",
        "items",
        "error",
        "message",
        "userName",
        "HardwareId",
        "value",
        "createdAt",
        "region",
        "deviceCount",
        "nextLink",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)
BODIES = st.binary() | VALUES.map(lambda value: json.dumps(value).encode())


def read_report(body: bytes) -> BatchReport:
    return wire.report(body, "batch")


@pytest.mark.parametrize("read", [wire.batch_id, wire.summaries, wire.admin_endpoint, read_report])
@given(body=BODIES)
def test_parsers_raise_only_unreadable_response_error(
    read: Callable[[bytes], object], body: bytes
) -> None:
    with contextlib.suppress(wire.UnreadableResponseError):
        read(body)


@given(body=BODIES)
def test_error_text_is_one_bounded_printable_line(body: bytes) -> None:
    text = wire.error_text(body)
    assert len(text) <= wire.MAX_TEXT
    assert text.isprintable()
    assert text == text.strip()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('"7d0b1f9e-53a1-4c55-9d5c-0123456789ab"', "7d0b1f9e-53a1-4c55-9d5c-0123456789ab"),
        ("7d0b1f9e-53a1-4c55-9d5c-0123456789ab\r\n", "7d0b1f9e-53a1-4c55-9d5c-0123456789ab"),
        ('{"BatchId": "x"}', "x"),
        ('{"batch_id": "x"}', "x"),
        ('{"BATCHID": 17}', "17"),
        ('[{"batchId": "x", "other": []}]', "x"),
    ],
)
def test_batch_id_is_found_in_any_known_shape(body: str, expected: str) -> None:
    assert wire.batch_id(body.encode()) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("Device is offline.", "Device is offline."),
        (None, ""),
        ({"code": "X", "message": "Device is offline."}, "Device is offline."),
        (17, "17"),
        (["a"], ""),
        ("two\nlines\u200b", "two lines"),
    ],
)
def test_report_reads_item_error_in_any_shape(error: object, expected: str) -> None:
    body = {
        "batchStatus": 3,
        "batchItems": [{"USERNAME": "a", "hardware_id": "b", "error": error}, 5],
    }
    report = wire.report(json.dumps(body).encode(), "batch")
    assert report.status == "3"
    (item,) = report.items
    assert (item.username, item.hardware_id, item.status, item.error) == ("a", "b", "", expected)


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ({"batchStatus": "Queued"}, 0),
        ({"batchStatus": "Queued", "batchItem": None}, 0),
        ({"batchItem": {"userName": "a"}}, 1),
        ([{"batchStatus": "Queued", "batchItem": [{"userName": "a"}, {"userName": "b"}]}], 2),
    ],
)
def test_report_reads_items_in_any_shape(body: object, count: int) -> None:
    assert len(wire.report(json.dumps(body).encode(), "batch").items) == count


@pytest.mark.parametrize(
    "entry",
    [
        {
            "BatchId": "x",
            "Region": "emea",
            "CreatedDateTime": "2026-11-22T10:11:12.1234567Z",
            "Count": 5,
        },
        {
            "batchId": "x",
            "targetRegion": " EMEA ",
            "createdAt": "2026-11-22T10:11:12.123456",
            "items": [1] * 5,
        },
        {
            "BatchId": "x",
            "BatchItemsCount": 5,
            "BatchStatus": "Completed",
            "Region": "EMEA",
            "RequestTime": "2026-11-22T10:11:12.1234567+00:00",
            "UserId": "00000000-0000-0000-0000-000000000001",
        },
        {
            "id": "x",
            "region": "EMEA",
            "startTime": "2026-11-22T11:11:12.123456+01:00",
            "devices": [1] * 5,
        },
    ],
)
def test_summaries_read_known_field_names(entry: object) -> None:
    for body in ([entry], {"value": [entry]}, {"BatchSummaries": [entry]}, entry):
        (summary,), next_link = wire.summaries(json.dumps(body).encode())
        assert (summary.remote_batch_id, summary.region, summary.phone_count) == (
            "x",
            Region.EMEA,
            5,
        )
        assert summary.created_at == datetime(2026, 11, 22, 10, 11, 12, 123456, UTC)
        assert next_link == ""


def test_summary_fields_are_none_when_unreadable() -> None:
    entry = {"batchId": "x", "region": "Mars", "createdAt": "soon", "deviceCount": "many"}
    (summary,), _ = wire.summaries(json.dumps([entry]).encode())
    assert (summary.status, summary.region, summary.created_at, summary.phone_count) == (
        "",
        None,
        None,
        None,
    )


def test_field_names_longer_than_any_known_one_are_ignored() -> None:
    body = {"batchStatus": "Completed", "status".ljust(101, "-"): "InProgress"}
    assert wire.report(json.dumps(body).encode(), "batch").status == "Completed"
    assert wire.report(b'{"' + b"-" * 94 + b'status": "Running"}', "batch").status == "Running"
    with pytest.raises(wire.UnreadableResponseError):
        wire.report(b'{"' + b"-" * 95 + b'status": "Running"}', "batch")
