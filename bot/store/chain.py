"""The chain of the audit: each link commits to one event and to the link before it. Nothing here reads or
writes.

A link is a text, its entry, and the SHA-256 of that text. The entry is canonical JSON (RFC 8785), so it
can be made anew from the event and compared. What can name a person, or was typed by one, is in no
entry: only a commitment to it is, the SHA-256 of a random salt and the value. With value and salt deleted,
the chain still holds, and nobody can find out the value by trying names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import rfc8785

#: The way entries are made and hashed. It is part of each entry.
FORMAT = "offhook-audit-1"
#: `prev` of the first link.
NOTHING = ""
#: Actions that tell of values deleted from the audit: the chain accepts that those are missing.
PURGED = "audit purged"
ERASED = "person erased"


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the audit."""

    id: int
    at: datetime  #: UTC
    tenant_id: str  #: "" if it is about no tenant
    request_id: str | None
    action: str
    actor_id: str  #: object ID; "" for what Offhook did by itself, and once erased
    actor_name: str  #: at that time
    reference: str  #: of the turn in chat, also in the log and in answers; "" without one
    detail: Mapping[str, Any]
    #: by name of a value to which the entry only commits: its salt, in hexadecimal
    salts: Mapping[str, str]

    @property
    def values(self) -> Mapping[str, Any]:
        """Who, in which turn, and the detail, by name."""
        own = {
            "actor_id": self.actor_id,
            "actor_name": self.actor_name,
            "reference": self.reference,
        }
        return {name: value for name, value in own.items() if value} | dict(self.detail)

    @property
    def facts(self) -> Mapping[str, Any]:
        """The values that the chain has in full."""
        return {name: value for name, value in self.values.items() if name not in self.salts}


@dataclass(frozen=True, slots=True)
class Link:
    seq: int  #: counts from 1
    entry: str  #: canonical JSON
    hash: str  #: SHA-256 of the entry, in hexadecimal


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where the chain was once, as noted outside of the database."""

    seq: int
    hash: str


def canonical(value: Any) -> str:
    """RFC 8785. Raises rfc8785.CanonicalizationError for what JSON cannot hold exactly."""
    return rfc8785.dumps(value).decode()


def digest(entry: str) -> str:
    return hashlib.sha256(entry.encode("utf-8", "surrogatepass")).hexdigest()


def commitment(salt: str, value: Any) -> str:
    return hashlib.sha256(bytes.fromhex(salt) + rfc8785.dumps(value)).hexdigest()


def timestamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def entry_of(seq: int, prev: str, event: Event, *, erased: Mapping[str, str] | None = None) -> str:
    """The entry of an event's link. `erased`: commitments to values that the event no longer has."""
    values = event.values
    sealed = {name: commitment(salt, values.get(name)) for name, salt in event.salts.items()}
    return canonical(
        {
            "chain": FORMAT,
            "seq": seq,
            "prev": prev,
            "event": event.id,
            "at": timestamp(event.at),
            "tenant": event.tenant_id,
            "request": event.request_id,
            "action": event.action,
            "facts": event.facts,
            "sealed": {**sealed, **(erased or {})},
        }
    )


def appended(head: Anchor | None, events: Iterable[Event]) -> Iterator[Link]:
    """The links of these events, after the head of the chain."""
    seq, prev = (head.seq, head.hash) if head else (0, NOTHING)
    for event in events:
        seq += 1
        entry = entry_of(seq, prev, event)
        prev = digest(entry)
        yield Link(seq, entry, prev)


class Fault(StrEnum):
    CHANGED = "its entry was changed"
    UNREADABLE = "its entry cannot be read"
    OUT_OF_ORDER = "it does not follow the link before it: one was deleted, added, or moved"
    EVENT_CHANGED = "its event was changed"
    EVENT_DELETED = "its event was deleted, and no purge tells of it"
    VALUE_DELETED = "values of its event were deleted, and no erasure tells of it"
    NOT_CHAINED = "an event was added that the chain does not have"
    CUT_OFF = "the chain ends before an anchor: its newest links were deleted"
    NOT_ANCHORED = "an anchor has another hash: the chain was rewritten"


@dataclass(frozen=True, slots=True)
class Break:
    seq: int  #: of the link
    fault: Fault
    event_id: int | None = None


@dataclass(slots=True)
class Verifier:
    """Checks links in their order, each with its event if that is still there."""

    anchors: Sequence[Anchor] = ()
    #: whether events are there to be compared: an export may have none
    with_events: bool = True
    #: the link before the first one to be checked; None to begin with whatever comes first
    head: Anchor | None = field(default_factory=lambda: Anchor(0, NOTHING))
    links: int = 0  #: checked
    anchored: int = 0  #: anchors that were compared, and hold
    erased: int = 0  #: events some of whose values were deleted
    purged: int = 0  #: events that were deleted
    _first: int = 0  # link that was checked; 0 before there is one
    _found: list[Break] = field(default_factory=list)
    _missing: dict[int, tuple[int, str]] = field(default_factory=dict)  # event -> seq, time
    _incomplete: dict[int, int] = field(default_factory=dict)  # event -> seq
    _purged_before: str = ""
    _erased_events: set[int] = field(default_factory=set)

    def add(self, link: Link, event: Event | None) -> bool:
        """Checks the next link. Returns False once the chain is broken: the rest would tell nothing."""
        if (fault := self._fault(link, event)) is not None:
            self._found.append(Break(link.seq, fault, event.id if event else None))
            return False
        self.head = Anchor(link.seq, link.hash)
        self.links += 1
        self._first = self._first or link.seq
        for anchor in self.anchors:
            if anchor.seq != link.seq:
                continue
            if anchor.hash != link.hash:
                self._found.append(Break(link.seq, Fault.NOT_ANCHORED))
                return False
            self.anchored += 1
        return True

    @property
    def passed_over(self) -> int:
        """Anchors from before the first link that was checked: nothing is known of them."""
        return sum(anchor.seq < self._first for anchor in self.anchors)

    def misreported(self, link: Link, event: Event | None) -> None:
        """What an export says beside the last link, which was checked, is not what its event says."""
        self._found.append(
            Break(link.seq, Fault.EVENT_CHANGED, event.id if event is not None else None)
        )

    def not_chained(self, event_id: int) -> None:
        """There is an event without a link."""
        seq = self.head.seq if self.head else 0
        self._found.append(Break(seq + 1, Fault.NOT_CHAINED, event_id))

    def end(self) -> Break | None:
        """The first broken link, None if the chain is whole."""
        for event_id, (seq, at) in self._missing.items():
            if at < self._purged_before:
                self.purged += 1
            else:
                self._found.append(Break(seq, Fault.EVENT_DELETED, event_id))
        for event_id, seq in self._incomplete.items():
            if event_id in self._erased_events:
                self.erased += 1
            else:
                self._found.append(Break(seq, Fault.VALUE_DELETED, event_id))
        head = self.head.seq if self.head else 0
        if not self._found and any(anchor.seq > head for anchor in self.anchors):
            self._found.append(Break(head + 1, Fault.CUT_OFF))
        return min(self._found, key=lambda each: each.seq, default=None)

    def _fault(self, link: Link, event: Event | None) -> Fault | None:
        if digest(link.entry) != link.hash:
            return Fault.CHANGED
        try:
            entry = _Entry.read(link.entry)
        except (ValueError, KeyError, TypeError):
            return Fault.UNREADABLE
        head = self.head or Anchor(entry.seq - 1, entry.prev)
        if (entry.seq, entry.prev) != (head.seq + 1, head.hash) or link.seq != entry.seq:
            return Fault.OUT_OF_ORDER
        self._purged_before = max(self._purged_before, entry.purged_before)
        self._erased_events |= entry.erased_events
        if event is None:
            if self.with_events:
                self._missing[entry.event_id] = (entry.seq, entry.at)
            return None
        erased = {name: value for name, value in entry.sealed.items() if name not in event.salts}
        if erased:
            self._incomplete[event.id] = entry.seq
        try:
            same = link.entry == entry_of(entry.seq, head.hash, event, erased=erased)
        except ValueError:
            same = False
        return None if same else Fault.EVENT_CHANGED


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the verifier asks of an entry."""

    seq: int
    prev: str
    event_id: int
    at: str
    sealed: Mapping[str, str]
    purged_before: str  #: a time; "" unless it tells of a purge
    erased_events: frozenset[int]  #: empty unless it tells of an erasure

    @classmethod
    def read(cls, text: str) -> _Entry:
        """Raises ValueError, KeyError, or TypeError for what is no entry."""
        entry = json.loads(text)
        action, facts = entry["action"], entry["facts"]
        return cls(
            entry["seq"],
            entry["prev"],
            entry["event"],
            entry["at"],
            dict(entry["sealed"]),
            str(facts["before"]) if action == PURGED else "",
            frozenset(facts["events"]) if action == ERASED else frozenset(),
        )
