"""Snapshots of one mend in every state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.mending.change import ChangeKind, ChangeState
from bot.mending.mend import MendState
from bot.mending.plan import Mendable
from bot.mending.snapshot import Line, MendOffer, MendSnapshot
from bot.preflight.facts import POLICY_NAME
from bot.signin.request import Person
from bot.signin.snapshot import Page

ASKED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MENDABLE = Mendable(accounts=12, ip_phone=12, calling=7, switch=True)
STATES_OF_CHANGES = {
    MendState.RUNNING: (ChangeState.SHOWN, ChangeState.APPLIED, ChangeState.FAILED),
    MendState.FINISHED: (ChangeState.SHOWN, ChangeState.UNSHOWN, ChangeState.FAILED),
    MendState.UNDOING: (ChangeState.UNDOING, ChangeState.RESTORED, ChangeState.UNDO_FAILED),
    MendState.UNDONE: (ChangeState.UNDONE, ChangeState.LEFT, ChangeState.UNDO_FAILED),
}
_ERRORS = {
    ChangeState.FAILED: "refused",
    ChangeState.UNSHOWN: "not-shown",
    ChangeState.LEFT: "changed-after",
    ChangeState.UNDO_FAILED: "refused",
}


def snapshot(state: MendState, *, text: str = "", page: int = 1) -> MendSnapshot:
    """12 accounts and the tenant. `text`: for what people and Teams wrote, and for names."""
    found = STATES_OF_CHANGES.get(state, (ChangeState.PLANNED,))
    lines = [
        Line(
            ChangeKind.IP_PHONE_POLICY,
            text or f"lobby{number}@contoso.com",
            text or "Global",
            None,
            POLICY_NAME,
            each,
            _ERRORS.get(each, ""),
            text or "Denied by Teams",
        )
        for number in range(10)
        for each in [found[number % len(found)]]
    ]
    counts = {(ChangeKind.IP_PHONE_POLICY, each): 12 // len(found) for each in found}
    counts |= {
        (ChangeKind.BULK_SIGN_IN, found[0]): 1,
        (ChangeKind.CREATE_IP_PHONE_POLICY, found[0]): 1,
    }
    decided = state not in (MendState.DRAFT, MendState.WAITING, MendState.EXPIRED)
    megan = Person("megan", text or "Megan Bowen")
    undone = state in (MendState.UNDOING, MendState.UNDONE)
    return MendSnapshot(
        id=7,
        state=state,
        requester=Person("alex", text or "Alex Wilber"),
        four_eyes=True,
        reason="" if state is MendState.DRAFT else text or "New lobby",
        digest="" if state is MendState.DRAFT else "a" * 64,
        accounts=12,
        counts=counts,
        lines=Page(lines, page, 10, 14),
        asked_at=ASKED,
        expires_at=ASKED + timedelta(days=1),
        decided_by=megan if decided else None,
        decided_at=ASKED + timedelta(hours=1) if decided else None,
        comment=text or "Go ahead",
        undo_by=megan if undone else None,
        undo_asked_at=ASKED + timedelta(hours=2) if undone else None,
        refused=text or "Access denied" if state is MendState.RUNNING else "",
        access_wanted_since=ASKED if state in (MendState.RUNNING, MendState.UNDOING) else None,
        guard_unknown=("lobby9@contoso.com",),
        nameable=1 if state is MendState.DRAFT else 0,
    )


def offer(under_way: MendState | None = None) -> MendOffer:
    return MendOffer(MENDABLE, under_way)
