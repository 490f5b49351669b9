"""The chain of the audit: whatever is changed, deleted, added, or moved, the first broken link is named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.store import chain
from bot.store.chain import Anchor, Break, Event, Fault, Link, Verifier

START = datetime(2026, 1, 1, tzinfo=UTC)
Stored = list[tuple[Link, Event | None]]

values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.lists(st.integers(0, 9), max_size=3),
)
details = st.dictionaries(st.sampled_from(["digest", "rows", "comment", "accounts"]), values)


@st.composite
def chains(draw: st.DrawFn) -> Stored:
    """Between one and eight links, each with an event some of whose values are sealed."""
    events: list[Event] = []
    for number in range(draw(st.integers(1, 8))):
        detail = draw(details)
        names = st.sets(st.sampled_from(["actor_id", "actor_name", *detail]))
        sealed = draw(names)
        events.append(
            Event(
                3 * number + 1,
                START + timedelta(seconds=number),
                "tenant",
                draw(st.sampled_from([None, "REQ1"])),
                draw(st.sampled_from(["drafted", "approved", "denied"])),
                "ada",
                "Ada",
                draw(st.sampled_from(["", "0a1b2c3d"])),
                detail,
                {name: f"{number:032x}{place:032x}" for place, name in enumerate(sorted(sealed))},
            )
        )
    return list(zip(chain.appended(None, events), events, strict=True))


def verified(stored: Stored, *anchors: Anchor) -> Break | None:
    verifier = Verifier(anchors)
    for link, event in stored:
        if not verifier.add(link, event):
            break
    return verifier.end()


def heads(stored: Stored) -> list[Anchor]:
    return [Anchor(link.seq, link.hash) for link, _ in stored]


@given(chains())
def test_whole_chain_has_no_break_and_meets_its_anchors(stored: Stored) -> None:
    assert verified(stored, *heads(stored)) is None


@given(chains())
def test_hash_of_a_link_is_the_sha256_of_its_entry_in_canonical_json(stored: Stored) -> None:
    for link, _ in stored:
        entry = json.loads(link.entry)
        assert link.hash == hashlib.sha256(link.entry.encode()).hexdigest()
        assert link.entry == chain.canonical(entry)


@given(chains(), st.data())
def test_changed_character_of_an_entry_is_found(stored: Stored, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(stored) - 1))
    link, event = stored[at]
    place = data.draw(st.integers(0, len(link.entry) - 1))
    other = data.draw(st.characters(exclude_categories=["Cs"]))
    changed = link.entry[:place] + other + link.entry[place + 1 :]
    stored[at] = (replace(link, entry=changed), event)
    found = verified(stored)
    assert found == (
        None if changed == link.entry else Break(at + 1, Fault.CHANGED, stored_id(event))
    )


@given(chains(), st.data())
def test_rewritten_entry_with_its_new_hash_breaks_the_next_link(
    stored: Stored, data: st.DataObject
) -> None:
    anchors = heads(stored)
    at = data.draw(st.integers(0, len(stored) - 1))
    link, event = stored[at]
    assert event is not None
    forged = replace(event, action="forged")
    entry = chain.entry_of(link.seq, json.loads(link.entry)["prev"], forged)
    stored[at] = (Link(link.seq, entry, chain.digest(entry)), forged)
    found = verified(stored)
    if at + 1 < len(stored):
        assert found is not None
        assert (found.seq, found.fault) == (at + 2, Fault.OUT_OF_ORDER)
    else:
        assert found is None  # only an anchor tells
    assert verified(stored, *anchors) == Break(at + 1, Fault.NOT_ANCHORED)


@given(chains(), st.data())
def test_changed_event_is_found(stored: Stored, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(stored) - 1))
    link, event = stored[at]
    assert event is not None
    name = data.draw(st.sampled_from([*event.detail, "new"]))
    changed = data.draw(
        st.sampled_from(
            [
                replace(event, at=event.at + timedelta(microseconds=1)),
                replace(event, tenant_id="other"),
                replace(event, request_id="REQ2"),
                replace(event, action="other"),
                replace(event, actor_id="eve"),
                replace(event, actor_name="Eve"),
                replace(event, actor_id=""),
                replace(event, detail={**event.detail, name: "changed by hand"}),
                replace(event, detail={**event.detail, name: ["changed by hand"]}),
                replace(event, salts={**event.salts, "actor_id": "ff" * 32}),
                replace(event, salts={**event.salts, "new": "not a salt"}),
            ]
        )
    )
    stored[at] = (link, changed)
    assert verified(stored) == Break(at + 1, Fault.EVENT_CHANGED, event.id)


@given(chains(), st.data())
def test_deleted_link_is_found(stored: Stored, data: st.DataObject) -> None:
    anchors = heads(stored)
    at = data.draw(st.integers(0, len(stored) - 1))
    del stored[at]
    found = verified(stored)
    if at < len(stored):
        assert found is not None
        assert (found.seq, found.fault) == (at + 2, Fault.OUT_OF_ORDER)
    else:
        assert found is None  # the newest: only an anchor tells
    found = verified(stored, *anchors)
    assert found is not None
    assert found.fault in {Fault.OUT_OF_ORDER, Fault.CUT_OFF}


@given(chains(), st.data())
def test_added_link_is_found(stored: Stored, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(stored) - 1))
    copied = data.draw(st.sampled_from(stored))
    stored.insert(at, copied)
    found = verified(stored)
    assert found is not None
    assert found.fault is Fault.OUT_OF_ORDER


@given(chains(), st.data())
def test_moved_links_are_found(stored: Stored, data: st.DataObject) -> None:
    moved = data.draw(st.permutations(stored))
    found = verified(moved)
    assert (found is None) is (moved == stored)


@given(chains(), st.data())
def test_deleted_event_is_found_unless_a_purge_tells_of_it(
    stored: Stored, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(stored) - 1))
    link, event = stored[at]
    assert event is not None
    stored[at] = (link, None)
    assert verified(stored) == Break(at + 1, Fault.EVENT_DELETED, event.id)
    after = event.at + timedelta(microseconds=1)
    assert verified(stored + told(stored, chain.PURGED, before=chain.timestamp(after))) is None
    too_early = told(stored, chain.PURGED, before=chain.timestamp(event.at))
    assert verified(stored + too_early) == Break(at + 1, Fault.EVENT_DELETED, event.id)


@given(chains(), st.data())
def test_deleted_values_are_found_unless_an_erasure_tells_of_them(
    stored: Stored, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(stored) - 1))
    link, event = stored[at]
    assert event is not None
    if "actor_name" not in event.salts:
        return
    salts = {name: salt for name, salt in event.salts.items() if name != "actor_name"}
    erased = replace(event, actor_name="", salts=salts)
    stored[at] = (link, erased)
    assert verified(stored) == Break(at + 1, Fault.VALUE_DELETED, event.id)
    assert verified(stored + told(stored, chain.ERASED, events=[event.id])) is None
    stored[at] = (link, replace(erased, actor_name="Somebody else"))
    found = verified(stored + told(stored, chain.ERASED, events=[event.id]))
    assert found == Break(at + 1, Fault.EVENT_CHANGED, event.id)


def test_event_that_the_chain_does_not_have_is_found() -> None:
    verifier = Verifier()
    verifier.not_chained(7)
    assert verifier.end() == Break(1, Fault.NOT_CHAINED, 7)


@pytest.mark.parametrize("entry", ["", "[]", "{}", '{"seq": 1}', "null"])
def test_link_that_is_no_entry_is_found(entry: str) -> None:
    link = Link(1, entry, chain.digest(entry))
    assert verified([(link, None)]) == Break(1, Fault.UNREADABLE)


def stored_id(event: Event | None) -> int | None:
    return event.id if event else None


def told(stored: Sequence[tuple[Link, Event | None]], action: str, **detail: Any) -> Stored:
    """One more link, which tells of a deletion."""
    at = START + timedelta(days=1)
    event = Event(1000, at, "", None, action, "", "", "", detail, {})
    newest = stored[-1][0]
    links = chain.appended(Anchor(newest.seq, newest.hash), [event])
    return [(link, event) for link in links]
