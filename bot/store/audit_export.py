"""The audit for other tools: an event as OCSF's Entity Management, as an object or as a row of a table.

`raw_data` is the link's entry, and `raw_data_hash` its hash: from the objects alone the chain can be
verified, here (`read`) or with any tool that makes SHA-256 sums. `unmapped` has what the chain commits to.

https://schema.ocsf.io/1.6.0/classes/entity_management
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bot import __version__
from bot.phones.formula import escape_formula
from bot.store.chain import Event, Link, timestamp

_CLASS = 3004  # Entity Management
_SHA_256 = 3
_OTHER = 99
_ACTIVITIES = {"drafted": 1, "exported": 2, "list read": 2, "looked": 2, "requests purged": 4}
_FAILURES = frozenset({"denied"})
#: of the table, with the attributes of OCSF's that they have
COLUMNS = (
    "metadata.sequence",
    "time_dt",
    "metadata.tenant_uid",
    "entity.uid",
    "activity_name",
    "status",
    "actor.user.uid",
    "actor.user.name",
    "comment",
    "metadata.correlation_uid",
    "unmapped.detail",
    "raw_data_hash.value",
)


def ocsf(link: Link, event: Event | None) -> dict[str, Any]:
    """`event`: None if it was purged; what the chain itself has is exported then."""
    told = event or event_of(link)
    activity, failed = _ACTIVITIES.get(told.action, _OTHER), told.action in _FAILURES
    return {
        "category_uid": 3,
        "class_uid": _CLASS,
        "type_uid": _CLASS * 100 + activity,
        "activity_id": activity,
        "activity_name": told.action,
        "severity_id": 1,
        "status_id": 2 if failed else 1,
        "status": "Failure" if failed else "Success",
        "time": int(told.at.timestamp() * 1000),
        "time_dt": timestamp(told.at),
        "metadata": {
            "version": "1.6.0",
            "profiles": ["datetime"],
            "product": {"name": "Offhook", "vendor_name": "Offhook", "version": __version__},
            "sequence": link.seq,
            "tenant_uid": told.tenant_id,
            "correlation_uid": told.reference,
        },
        "actor": {"user": {"uid": told.actor_id, "name": told.actor_name}},
        "entity": {"type_id": _OTHER, "type": "Request", "uid": told.request_id}
        if told.request_id is not None
        else {"type_id": _OTHER, "type": "Service", "name": "Offhook"},
        "comment": str(told.detail.get("comment") or told.detail.get("reason") or ""),
        "raw_data": link.entry,
        "raw_data_hash": {
            "algorithm": "SHA-256",
            "algorithm_id": _SHA_256,
            "value": link.hash,
        },
        "unmapped": {
            "detail": dict(told.detail),
            **({"event": event.id, "salts": dict(event.salts)} if event else {"purged": True}),
        },
    }


def row(exported: Mapping[str, Any]) -> Sequence[str]:
    """The cells of `COLUMNS`, safe for spreadsheets."""
    return [escape_formula(_cell(exported, column)) for column in COLUMNS]


def _cell(exported: Any, column: str) -> str:
    value = exported
    for part in column.split("."):
        value = value.get(part, "")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def same(line: str, link: Link, event: Event | None) -> bool:
    """Whether an exported object says in all its fields what its link and event say, once those are checked.
    Only the version of the product is its own."""
    exported = json.loads(line)
    try:
        told = ocsf(link, event)
        told["metadata"]["product"]["version"] = exported["metadata"]["product"]["version"]
    except (ValueError, KeyError, TypeError, OverflowError):
        return False
    return _text(told) == _text(exported)


def _text(value: object) -> str:
    """Unlike equality, this tells `true` from `1`."""
    return json.dumps(value, sort_keys=True)


def event_of(link: Link) -> Event:
    """What a link tells by itself. Raises ValueError or KeyError if it cannot be read."""
    entry = json.loads(link.entry)
    facts = dict(entry["facts"])
    reference = str(facts.pop("reference", ""))
    at = datetime.fromisoformat(entry["at"])
    tenant, request = str(entry["tenant"]), entry["request"]
    return Event(
        entry["event"], at, tenant, request, str(entry["action"]), "", "", reference, facts, {}
    )


def read(line: str) -> tuple[Link, Event | None]:
    """A link and its event from an exported object. Raises ValueError, KeyError, TypeError, or
    AttributeError for anything else."""
    exported = json.loads(line)
    metadata, user, unmapped = exported["metadata"], exported["actor"]["user"], exported["unmapped"]
    link = Link(metadata["sequence"], exported["raw_data"], exported["raw_data_hash"]["value"])
    if "event" not in unmapped:
        return link, None
    return link, Event(
        unmapped["event"],
        datetime.fromisoformat(exported["time_dt"]),
        metadata["tenant_uid"],
        exported["entity"].get("uid"),
        exported["activity_name"],
        user["uid"],
        user["name"],
        metadata["correlation_uid"],
        dict(unmapped["detail"]),
        dict(unmapped["salts"]),
    )
