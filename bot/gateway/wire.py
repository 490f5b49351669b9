"""Tolerant parsers for SIP Gateway responses. Pure.

The casing and names of these fields are not published, so names match in any case, with or without
separators, singular or plural; unknown fields are ignored. The first name in each tuple is the one in
Microsoft's PowerShell module (the views of its `Sdg…` models, MicrosoftTeams 7.7.0). All assumptions
about field names are in this module. Unreadable bodies raise `UnreadableResponseError`, nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from bot.gateway import BatchReport, BatchSummary, PhoneReport
from bot.phones import region as regions
from bot.preflight.facts import PolicyType
from bot.text import MAX_TEXT, clean

_MAX_FIELD_NAME = 100  # characters; no known one is nearly as long
_BATCH_ID = ("batchid", "batchidentifier", "id")
_STATUS = ("batchstatus", "status", "state")
_ITEMS = ("batchitem", "batchitems", "item", "items")
_REGION = ("region", "targetregion", "batchregion")
_CREATED = (
    "requesttime",
    "createdat",
    "createdtime",
    "createddatetime",
    "creationtime",
    "createdon",
    "created",
    "submittedat",
    "submittedtime",
    "starttime",
    "timestamp",
)
_PHONE_COUNT = (
    "batchitemscount",
    "devicecount",
    "devicescount",
    "totaldevices",
    "devices",
    "itemcount",
    "total",
    "count",
)
_LISTS = ("batchsummaries", "batchsummary", "summaries", "batches", "value", "items", "results")
_NEXT = ("nextlink", "@odata.nextlink", "odata.nextlink")
# A bare string counts as an ID only if it looks like one; "Accepted" does not.
_BARE_ID = re.compile(r"(?=.*\d)[0-9A-Za-z][0-9A-Za-z._~-]{7,127}")
_KEYED_ID = re.compile(r"[!-~]{1,128}")
_HOST = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z.-]{0,251}[0-9A-Za-z])?(?::\d{1,5})?")


class UnreadableResponseError(ValueError):
    """The response lacks a required field, or is not JSON."""


def parse(body: bytes) -> object:
    """`body` as JSON. Raises `UnreadableResponseError`."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableResponseError("the response is not JSON") from error


def error_text(body: bytes) -> str:
    """The message in an error body: `{"error":{"code","message"}}`, `{"Message"}`, or plain text.

    Returns "" when there is none, or when the body is HTML.
    """
    try:
        return _error_in(parse(body))
    except UnreadableResponseError:
        text = body[: 8 * MAX_TEXT].decode("utf-8", "replace").strip()
        return "" if text.startswith("<") else clean(text)


def batch_id(body: bytes) -> str:
    """The batch ID in a `createbatch` response: a field, or the bare ID.

    Raises `UnreadableResponseError` when there is none.
    """
    try:
        content = parse(body)
    except UnreadableResponseError:
        content = body.decode("ascii", "replace").strip()
    if isinstance(content, list) and len(content) == 1:
        content = content[0]
    if isinstance(content, str) and _BARE_ID.fullmatch(content.strip()):
        return content.strip()
    identifier = _id_in(_fields(content))
    if not identifier:
        raise UnreadableResponseError(_error_in(content) or "the response contains no batch id")
    return identifier


def report(body: bytes, remote_batch_id: str) -> BatchReport:
    """A `batchstatus` response.

    Raises `UnreadableResponseError`, also when it describes a batch other than `remote_batch_id`.
    """
    content = parse(body)
    if isinstance(content, list) and len(content) == 1:
        content = content[0]
    fields = _fields(content)
    status, items = _first(fields, _STATUS), _first(fields, _ITEMS)
    if status is None and not items:
        raise UnreadableResponseError(_error_in(content) or "the response contains no batch status")
    response_id = _id_in(fields)
    if response_id and _normalize_id(response_id) != _normalize_id(remote_batch_id):
        raise UnreadableResponseError("the response is for another batch")
    rows = items if isinstance(items, list) else [items]
    return BatchReport(
        remote_batch_id=remote_batch_id,
        status=_text(status),
        items=tuple(_phone_report(_fields(row)) for row in rows if isinstance(row, dict)),
    )


def summaries(body: bytes) -> tuple[Sequence[BatchSummary], str]:
    """A `batchsummaries` response: its entries, and the link to the next page ("" on the last).

    An entry without an ID makes the whole list unreadable: absence from an incomplete list does not
    prove that a batch did not run. Raises `UnreadableResponseError`.
    """
    content = parse(body)
    fields = _fields(content)
    if _id_in(fields):
        rows: object = [content]
    else:
        rows = content if isinstance(content, list) else _first(fields, _LISTS)
    if not isinstance(rows, list):
        raise UnreadableResponseError(
            _error_in(content) or "the response contains no list of batches"
        )
    next_link = _first(fields, _NEXT)
    return [_summary(_fields(row)) for row in rows], next_link if isinstance(next_link, str) else ""


def admin_endpoint(body: bytes) -> str:
    """The host that later calls target, from a service discovery response.

    Raises `UnreadableResponseError` when there is none.
    """
    endpoints = _fields(_fields(parse(body)).get("endpoints"))
    host = endpoints.get("adminserviceendpoint")
    if not isinstance(host, str) or not _HOST.fullmatch(host):
        raise UnreadableResponseError("the response contains no AdminServiceEndpoint")
    return host


def instances(body: bytes) -> Sequence[Mapping[str, object]]:
    """The instances in a configuration response, with lowercase field names.

    A single instance need not be in a list. Raises `UnreadableResponseError`.
    """
    content = parse(body)
    rows = content if isinstance(content, list) else [content]
    instances = [_fields(row) for row in rows]
    if not all("identity" in fields for fields in instances):
        raise UnreadableResponseError(
            _error_in(content) or "the response contains no list of configurations"
        )
    return instances


def rows(body: bytes) -> Sequence[Mapping[str, object]]:
    """The instances in a configuration response, with field names as they came."""
    content = parse(body)
    return [
        row
        for row in (content if isinstance(content, list) else [content])
        if isinstance(row, dict)
    ]


def assigned(body: bytes) -> tuple[str, Mapping[PolicyType, str | None]]:
    """Of a user: the object ID ("" if there is none), and by type the name of the assigned policy.

    A policy is a name or an object with one; nothing means that none is assigned. Raises
    `UnreadableResponseError`, also if the answer has none of the types: then nothing is known.
    """
    content = parse(body)
    fields = _fields(content[0] if isinstance(content, list) and len(content) == 1 else content)
    if not any(policy.lower() in fields for policy in PolicyType):
        raise UnreadableResponseError(_error_in(content) or "the response contains no policies")
    identity = _text(_first(fields, ("identity", "objectid", "id")))
    names = {policy: _policy_name(fields.get(policy.lower())) for policy in PolicyType}
    return identity, names


def _policy_name(value: object) -> str | None:
    if isinstance(value, dict):
        value = _first(_fields(value), ("name", "policyname", "displayname", "identity"))
    name = clean(value) if isinstance(value, str) else ""
    if name[:4].casefold() == "tag:":
        name = name[4:]
    return name if name and name.casefold() != "global" else None


def _fields(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        return {}
    return {
        _field_name(name): content
        for name, content in value.items()
        if len(name) <= _MAX_FIELD_NAME
    }


@lru_cache  # every row of a report has the same ones
def _field_name(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _first(fields: Mapping[str, object], names: Iterable[str]) -> object:
    for name in names:
        if (value := fields.get(name)) is not None:
            return value
    return None


def _text(value: object) -> str:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return _error_in(value)
    return "" if value is None or isinstance(value, list) else str(value)[:MAX_TEXT]


def _error_in(value: object) -> str:
    if isinstance(value, str):
        return clean(value)
    fields = _fields(value)
    inner = fields.get("error")
    if isinstance(inner, dict):
        return _error_in(inner)
    names = ("message", "error", "errormessage", "detail", "title", "code", "errorcode")
    text = _first(fields, names)
    return clean(text) if isinstance(text, str) else ""


def _id_in(fields: Mapping[str, object]) -> str:
    value = _first(fields, _BATCH_ID)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and _KEYED_ID.fullmatch(value) else ""


def _normalize_id(identifier: str) -> str:
    return identifier.strip("{}").casefold()


def _phone_report(fields: Mapping[str, object]) -> PhoneReport:
    return PhoneReport(
        username=_text(_first(fields, ("username", "user", "upn", "userprincipalname"))),
        hardware_id=_text(_first(fields, ("hardwareid", "macaddress", "deviceid"))),
        status=_text(_first(fields, ("status", "itemstatus", "state"))),
        error=_text(_first(fields, ("error", "errormessage", "message"))),
    )


def _summary(fields: Mapping[str, object]) -> BatchSummary:
    identifier = _id_in(fields)
    if not identifier:
        raise UnreadableResponseError("an entry in the list has no batch id")
    region, items = _first(fields, _REGION), _first(fields, _ITEMS)
    count = _first(fields, _PHONE_COUNT)
    if isinstance(count, list):
        count = len(count)
    elif count is None and isinstance(items, list):
        count = len(items)
    return BatchSummary(
        remote_batch_id=identifier,
        status=_text(_first(fields, _STATUS)),
        region=regions.parse(region) if isinstance(region, str) else None,
        created_at=_timestamp(_first(fields, _CREATED)),
        phone_count=count if isinstance(count, int) and not isinstance(count, bool) else None,
    )


def _timestamp(value: object) -> datetime | None:
    """An ISO 8601 timestamp in UTC; one without an offset is assumed to be UTC.

    Returns None when missing or unreadable.
    """
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
