"""Reading what the SIP Gateway writes, without trusting its shape. Pure.

The wire casing of these bodies is not published, so names are read without regard to case and
separators, in singular or plural; fields that nobody knows are left alone. First of each row stand
the names in Microsoft's PowerShell module (the views of its `Sdg…` models, MicrosoftTeams 7.7.0).
This is the one place that guesses. What cannot be read raises `Unreadable`, never anything else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from bot.gateway import BatchReport, BatchSummary, PhoneReport
from bot.phones import region as regions

MAX_TEXT = 500  # characters of any text that is kept
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
_DEVICES = (
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
# A bare string is taken for an id only if it looks like one: "Accepted" does not.
_BARE_ID = re.compile(r"(?=.*\d)[0-9A-Za-z][0-9A-Za-z._~-]{7,127}")
_KEYED_ID = re.compile(r"[!-~]{1,128}")
_HOST = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z.-]{0,251}[0-9A-Za-z])?(?::\d{1,5})?")


class UnreadableResponseError(ValueError):
    """The body does not say what it has to say."""


def clean(text: str) -> str:
    """`text` on one line, without control and direction characters, at most `MAX_TEXT` long."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * MAX_TEXT])
    folded = " ".join(printable.split())
    return folded if len(folded) <= MAX_TEXT else folded[: MAX_TEXT - 1] + "…"


def parse(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableResponseError("the answer is not JSON") from error


def error_text(body: bytes) -> str:
    """The sentence in an error body: `{"error":{"code","message"}}`, `{"Message"}`, or plain text.

    Empty if there is none; a page of HTML is none.
    """
    try:
        return _error_in(parse(body))
    except UnreadableResponseError:
        text = body[: 8 * MAX_TEXT].decode("utf-8", "replace").strip()
        return "" if text.startswith("<") else clean(text)


def batch_id(body: bytes) -> str:
    """The id in an answer to `createbatch`: a field, or nothing but the id itself."""
    try:
        answer = parse(body)
    except UnreadableResponseError:
        answer = body.decode("ascii", "replace").strip()
    if isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    if isinstance(answer, str) and _BARE_ID.fullmatch(answer.strip()):
        return answer.strip()
    found = _id_in(_fields(answer))
    if not found:
        raise UnreadableResponseError(_error_in(answer) or "the answer holds no batch id")
    return found


def report(body: bytes, asked: str) -> BatchReport:
    """An answer to `batchstatus` for the batch `asked`."""
    answer = parse(body)
    if isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    fields = _fields(answer)
    status, items = _first(fields, _STATUS), _first(fields, _ITEMS)
    if status is None and not items:
        raise UnreadableResponseError(_error_in(answer) or "the answer holds no batch status")
    answered = _id_in(fields)
    if answered and _same_id(answered) != _same_id(asked):
        raise UnreadableResponseError("the answer is about another batch")
    rows = items if isinstance(items, list) else [items]
    return BatchReport(
        remote_batch_id=asked,
        status=_text(status),
        items=tuple(_item(_fields(row)) for row in rows if isinstance(row, dict)),
    )


def summaries(body: bytes) -> tuple[Sequence[BatchSummary], str]:
    """An answer to `batchsummaries`, and the link to the rest of the list, or "".

    An entry without an id makes the whole list unreadable: a batch that is not on a list which was
    not read in full cannot be taken as not run.
    """
    answer = parse(body)
    fields = _fields(answer)
    if _id_in(fields):
        rows: object = [answer]
    else:
        rows = answer if isinstance(answer, list) else _first(fields, _LISTS)
    if not isinstance(rows, list):
        raise UnreadableResponseError(_error_in(answer) or "the answer holds no list of batches")
    following = _first(fields, _NEXT)
    return [_summary(_fields(row)) for row in rows], following if isinstance(following, str) else ""


def admin_endpoint(body: bytes) -> str:
    """The host in an answer to the service discovery that later calls are meant for."""
    endpoints = _fields(_fields(parse(body)).get("endpoints"))
    host = endpoints.get("adminserviceendpoint")
    if not isinstance(host, str) or not _HOST.fullmatch(host):
        raise UnreadableResponseError("the answer names no AdminServiceEndpoint")
    return host


def instances(body: bytes) -> Sequence[Mapping[str, object]]:
    """An answer to a read of a configuration: its instances, the names of their fields in lower case.

    One that stands alone need not be in a list.
    """
    answer = parse(body)
    rows = answer if isinstance(answer, list) else [answer]
    found = [_fields(row) for row in rows]
    if not all("identity" in fields for fields in found):
        raise UnreadableResponseError(
            _error_in(answer) or "the answer holds no list of configurations"
        )
    return found


def _fields(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        return {}
    return {str(name).lower().replace("_", "").replace("-", ""): value[name] for name in value}


def _first(fields: Mapping[str, object], names: Iterable[str]) -> object:
    return next((fields[name] for name in names if fields.get(name) is not None), None)


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
    found = _first(fields, names)
    return clean(found) if isinstance(found, str) else ""


def _id_in(fields: Mapping[str, object]) -> str:
    found = _first(fields, _BATCH_ID)
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    return found if isinstance(found, str) and _KEYED_ID.fullmatch(found) else ""


def _same_id(identifier: str) -> str:
    return identifier.strip("{}").casefold()


def _item(fields: Mapping[str, object]) -> PhoneReport:
    return PhoneReport(
        username=_text(_first(fields, ("username", "user", "upn", "userprincipalname"))),
        hardware_id=_text(_first(fields, ("hardwareid", "macaddress", "deviceid"))),
        status=_text(_first(fields, ("status", "itemstatus", "state"))),
        error=_text(_first(fields, ("error", "errormessage", "message"))),
    )


def _summary(fields: Mapping[str, object]) -> BatchSummary:
    identifier = _id_in(fields)
    if not identifier:
        raise UnreadableResponseError("an entry of the list has no batch id")
    region, items = _first(fields, _REGION), _first(fields, _ITEMS)
    counted = _first(fields, _DEVICES)
    if isinstance(counted, list):
        counted = len(counted)
    elif counted is None and isinstance(items, list):
        counted = len(items)
    return BatchSummary(
        remote_batch_id=identifier,
        status=_text(_first(fields, _STATUS)),
        region=regions.parse(region) if isinstance(region, str) else None,
        created_at=_moment(_first(fields, _CREATED)),
        devices=counted if isinstance(counted, int) and not isinstance(counted, bool) else None,
    )


def _moment(value: object) -> datetime | None:
    """ISO 8601; without an offset it is taken as UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
