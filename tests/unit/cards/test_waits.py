"""The progress card says why a region waits, and names no request that its viewer may not see."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.phones.region import Region
from bot.signin.request import RequestState
from bot.signin.snapshot import RegionWait, SlotHolder
from bot.words import Words
from cards.render import render
from cards.types import CardKind, View
from tests.support import reading, snapshots

OWN = SlotHolder("AAAA2222", snapshots.ALEX.object_id, signed_out=False, asks=False)
FOREIGN = SlotHolder("BBBB3333", "somebody else", signed_out=True, asks=False)
ASKING = SlotHolder("CCCC4444", "somebody else", signed_out=False, asks=True)


def text_of(*holders: SlotHolder, for_approvers: bool = False) -> str:
    running = snapshots.snapshot(RequestState.RUNNING)
    waiting = replace(running, waits=[RegionWait(Region.EMEA, holders)])
    view = View(for_approvers=for_approvers)
    card = render(CardKind.PROGRESS, waiting, view, Words(), tenant_id=snapshots.TENANT).card
    return reading.text(card)


def test_progress_names_the_requesters_own_request() -> None:
    text = text_of(OWN)
    assert "Waiting: the three slots of EMEA are taken by request AAAA2222." in text
    assert "Sending starts when one of their batches ends." in text


@pytest.mark.parametrize("for_approvers", [False, True])
def test_progress_names_requests_of_others_to_approvers_only(*, for_approvers: bool) -> None:
    text = text_of(OWN, FOREIGN, for_approvers=for_approvers)
    foreign = "request BBBB3333" if for_approvers else "another request"
    assert f"EMEA are taken by request AAAA2222, {foreign}." in text
    assert f"Nobody is signed in for {foreign}. Someone who can approve it" in text
    assert ("BBBB3333" in text) is for_approvers
    assert "somebody else" not in text


def test_progress_counts_requests_that_it_does_not_name() -> None:
    text = text_of(FOREIGN, ASKING)
    assert "EMEA are taken by 2 other requests." in text
    assert "An approver has to answer a card about another request." in text
