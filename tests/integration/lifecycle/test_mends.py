"""Transitions of mends on both databases: what is listed changes, and nothing else does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from bot.lifecycle import drafts, mend_changes, mending
from bot.lifecycle import mends as lifecycle
from bot.lifecycle import preflight as preflight_lifecycle
from bot.lifecycle import requests as request_lifecycle
from bot.lifecycle.mends import MendConflictError, MendDigestMismatchError
from bot.mending import change as change_states
from bot.mending import mend as states
from bot.mending.change import Change, ChangeState
from bot.mending.mend import MendState
from bot.preflight.verdict import AccountReport, Check, Result, Verdict
from bot.signin.digest import Digests
from bot.store import account_checks, due_mends, mend_snapshots, mends
from bot.store.database import Database, Transaction
from bot.store.mends import Mend
from bot.store.models.accounts import MendChangeRow, MendRow
from bot.store.models.audit import EventRow
from bot.words import Words
from tests.support import jobs
from tests.support.jobs import ADMIN, APPROVER, NOTIFY, utc_now

OWNER = "replica"
FAILING = Verdict(
    Check.IP_PHONE_POLICY, Result.FAILED, "no-common-area-policy", {"policy": "Global"}
)


async def checked_draft(database: Database, phones: int = 2) -> str:
    """A draft whose accounts all need an IP phone policy."""
    now = utc_now()
    request_id = await drafts.draft(
        database, NOTIFY, jobs.new_request(), jobs.roster(phones), lambda: now, check_accounts=True
    )
    until = now + timedelta(minutes=1)
    async with database.write() as tx:
        names = await account_checks.unchecked(tx, request_id, 100)
        reports = [AccountReport(each, (FAILING,)) for each in names]
        assert await account_checks.renew(tx, request_id, owner=OWNER, now=now, until=until)
        await preflight_lifecycle.record(tx, request_id, reports, owner=OWNER, now=now, until=until)
        assert await preflight_lifecycle.complete(tx, request_id, (), Words(), owner=OWNER, now=now)
    return request_id


async def drafted(database: Database, request_id: str) -> Mend:
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        mend_id = await lifecycle.draft_mend(
            tx,
            NOTIFY,
            request,
            conversation_id=jobs.CHAT,
            four_eyes=True,
            actor=ADMIN,
            now=utc_now(),
        )
    assert mend_id is not None
    return await load(database, mend_id)


async def load(database: Database, mend_id: int) -> Mend:
    async with database.read() as tx:
        mend = await mends.load(tx, mend_id)
    assert mend is not None
    return mend


async def ask(database: Database, mend: Mend, *, ttl: timedelta = timedelta(hours=1)) -> bool:
    request = await jobs.load(database, mend.request_id)
    async with database.write() as tx:
        return await lifecycle.request_mend(
            tx, NOTIFY, request, mend, reason="lobby", ttl=ttl, actor=ADMIN, now=utc_now()
        )


async def approve(database: Database, mend: Mend, digests: Digests | None = None) -> bool:
    mend = await load(database, mend.id)
    async with database.write() as tx:
        return await lifecycle.approve_mend(
            tx,
            mend,
            comment="",
            actor=APPROVER,
            now=utc_now(),
            owner=OWNER,
            lease_until=utc_now() + timedelta(minutes=1),
            digests=digests or Digests(),
        )


async def waiting(database: Database, phones: int = 2) -> Mend:
    mend = await drafted(database, await checked_draft(database, phones))
    assert await ask(database, mend)
    return await load(database, mend.id)


async def reject(database: Database, mend: Mend) -> bool:
    request = await jobs.load(database, mend.request_id)
    async with database.write() as tx:
        return await lifecycle.reject_mend(
            tx, NOTIFY, request, mend, comment="", actor=APPROVER, now=utc_now()
        )


async def withdraw(database: Database, mend: Mend) -> bool:
    async with database.write() as tx:
        return await lifecycle.withdraw_mend(tx, mend, actor=ADMIN, now=utc_now())


async def expire(database: Database, mend: Mend) -> bool:
    request = await jobs.load(database, mend.request_id)
    later = utc_now() + timedelta(hours=2)
    async with database.write() as tx:
        return await lifecycle.expire_mend(tx, NOTIFY, request, mend, later)


async def undo(database: Database, mend: Mend) -> bool:
    async with database.write() as tx:
        return await lifecycle.undo_mend(
            tx,
            mend,
            actor=APPROVER,
            now=utc_now(),
            switch_off=False,
            owner=OWNER,
            lease_until=None,
        )


async def settle(database: Database, mend: Mend, state: ChangeState) -> None:
    """Put all changes into a state."""
    async with database.write() as tx:
        await tx.execute(
            update(MendChangeRow).where(MendChangeRow.mend_id == mend.id).values(state=state.value)
        )


async def end(database: Database, mend: Mend, *, undone: bool) -> bool:
    settled = ChangeState.UNDONE if undone else ChangeState.SHOWN
    await settle(database, mend, settled)
    request = await jobs.load(database, mend.request_id)
    async with database.write() as tx:
        await tx.execute(update(MendRow).where(MendRow.id == mend.id).values(owner=OWNER))
        finish = mending.finish_undo if undone else mending.finish_mend
        return await finish(tx, NOTIFY, request, mend, owner=OWNER, now=utc_now())


Make = Callable[[Database, Mend], Awaitable[bool]]
MAKE: dict[str, tuple[states.Transition[MendState], Make]] = {
    "request": (states.REQUEST, ask),
    "approve": (states.APPROVE, approve),
    "reject": (states.REJECT, reject),
    "withdraw": (states.WITHDRAW, withdraw),
    "expire": (states.EXPIRE, expire),
    "finish": (states.FINISH, lambda database, mend: end(database, mend, undone=False)),
    "undo": (states.UNDO, undo),
    "finish-undo": (states.FINISH_UNDO, lambda database, mend: end(database, mend, undone=True)),
}


def test_every_transition_of_mends_is_made_here() -> None:
    assert {transition for transition, _ in MAKE.values()} == set(states.TRANSITIONS)


@pytest.mark.parametrize("name", MAKE)
async def test_transition_of_mend_changes_only_the_states_that_it_lists(
    database: Database, name: str
) -> None:
    transition, make = MAKE[name]
    mend = await waiting(database)
    for state in MendState:
        async with database.write() as tx:
            await tx.execute(
                update(MendRow).where(MendRow.id == mend.id).values(state=state.value, owner="")
            )
        changed = await make(database, await load(database, mend.id))
        after = (await load(database, mend.id)).state
        assert changed is (state in transition.before), state
        assert after is (transition.after if changed else state)


Change_ = Callable[[Transaction, Mend, Change, str], Awaitable[object]]
CHANGES: dict[str, tuple[states.Transition[ChangeState], Change_]] = {
    "intend": (
        change_states.INTEND,
        lambda tx, mend, change, owner: mend_changes.intend(
            tx, mend, change, owner=owner, before="Sales", object_id="id"
        ),
    ),
    "keep": (
        change_states.KEEP,
        lambda tx, mend, change, owner: mend_changes.keep(tx, mend, change, owner=owner),
    ),
    "apply": (
        change_states.APPLY,
        lambda tx, mend, change, owner: mend_changes.apply_change(
            tx, mend, change, owner=owner, now=utc_now()
        ),
    ),
    "show": (
        change_states.SHOW,
        lambda tx, mend, change, owner: mend_changes.show_change(tx, mend, change, owner=owner),
    ),
    "fail": (
        change_states.FAIL,
        lambda tx, mend, change, owner: mend_changes.fail_change(
            tx, mend, change, "refused", "no", owner=owner, now=utc_now()
        ),
    ),
    "give-up": (
        change_states.GIVE_UP,
        lambda tx, mend, change, owner: mend_changes.give_up_change(
            tx, mend, change, "not-shown", "", owner=owner, now=utc_now()
        ),
    ),
    "restore": (
        change_states.RESTORE,
        lambda tx, mend, change, owner: mend_changes.restore_change(
            tx, mend, change, owner=owner, now=utc_now()
        ),
    ),
    "show-undone": (
        change_states.SHOW_UNDONE,
        lambda tx, mend, change, owner: mend_changes.show_undone(tx, mend, change, owner=owner),
    ),
    "leave": (
        change_states.LEAVE,
        lambda tx, mend, change, owner: mend_changes.leave_change(
            tx, mend, change, "Other", owner=owner, now=utc_now()
        ),
    ),
    "fail-undo": (
        change_states.FAIL_UNDO,
        lambda tx, mend, change, owner: mend_changes.fail_undo(
            tx, mend, change, "refused", "no", owner=owner, now=utc_now()
        ),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_transition_of_change_changes_only_the_states_that_it_lists(
    database: Database, name: str
) -> None:
    transition, make = CHANGES[name]
    mend = await waiting(database)
    assert await approve(database, mend)
    for state in ChangeState:
        await settle(database, mend, state)
        async with database.write() as tx:
            [first, *others] = await mends.changes(tx, mend.id)
            changed = await make(tx, mend, first, OWNER)
        async with database.read() as tx:
            [now, *rest] = await mends.changes(tx, mend.id)
        assert bool(changed) is (state in transition.before), state
        assert now.state is (transition.after if changed else state)
        assert rest == others


async def test_replica_without_the_lease_changes_nothing(database: Database) -> None:
    mend = await waiting(database)
    assert await approve(database, mend)
    async with database.write() as tx:
        [first, *_] = await mends.changes(tx, mend.id)
        assert not await mend_changes.intend(
            tx, mend, first, owner="stale", before="x", object_id=""
        )
    async with database.read() as tx:
        assert (await mends.changes(tx, mend.id))[0] == first


@pytest.mark.parametrize("step", [ask, approve])
async def test_mend_of_a_withdrawn_request_is_neither_asked_for_nor_approved(
    database: Database, step: Make
) -> None:
    mend = await drafted(database, await checked_draft(database))
    if step is approve:
        assert await ask(database, mend)
    request = await jobs.load(database, mend.request_id)
    async with database.write() as tx:
        assert await request_lifecycle.withdraw(tx, request, actor=ADMIN, now=utc_now())
    before = (await load(database, mend.id)).state

    assert not await step(database, await load(database, mend.id))

    assert (await load(database, mend.id)).state is before


async def test_two_approvals_of_mends_of_one_account_at_the_same_time_let_one_through(
    database: Database,
) -> None:
    one = await waiting(database)
    other = await drafted(database, await checked_draft(database))
    with pytest.raises(MendConflictError):
        await ask(database, other)
    # As if both had been asked for before either was there.
    async with database.write() as tx:
        changes = await mends.changes(tx, other.id)
        parts = [[each.kind.value, each.account, each.replaces, each.after] for each in changes]
        digest = Digests().mend(parts, tenant_id=other.tenant_id, request_id=other.request_id)
        await tx.execute(
            update(MendRow)
            .where(MendRow.id == other.id)
            .values(
                state=MendState.WAITING.value,
                digest=digest,
                expires_at=utc_now() + timedelta(hours=1),
            )
        )

    outcomes = await asyncio.gather(
        approve(database, one), approve(database, other), return_exceptions=True
    )

    assert sorted(map(str, (type(each).__name__ for each in outcomes))) == [
        "MendConflictError",
        "bool",
    ]
    found = {(await load(database, each.id)).state for each in (one, other)}
    assert found == {MendState.RUNNING, MendState.WAITING}


async def test_approval_is_refused_when_changes_are_not_those_that_were_asked_for(
    database: Database,
) -> None:
    mend = await waiting(database)
    async with database.write() as tx:
        await tx.execute(
            update(MendChangeRow).where(MendChangeRow.mend_id == mend.id).values(after="Other")
        )

    with pytest.raises(MendDigestMismatchError):
        await approve(database, mend)

    assert (await load(database, mend.id)).state is MendState.WAITING


async def finished(database: Database, mend: Mend) -> None:
    assert await approve(database, mend)
    assert await end(database, await load(database, mend.id), undone=False)


@pytest.mark.parametrize("drafted_first", ["earlier", "later"])
async def test_undo_of_a_mend_waits_for_the_undo_of_one_approved_later(
    database: Database, drafted_first: str
) -> None:
    requests = [await checked_draft(database), await checked_draft(database)]
    mends_ = [await drafted(database, each) for each in requests]
    earlier, later = mends_ if drafted_first == "earlier" else reversed(mends_)
    for each in (earlier, later):
        assert await ask(database, each)
        await finished(database, each)

    with pytest.raises(MendConflictError):
        await undo(database, await load(database, earlier.id))

    assert await undo(database, await load(database, later.id))
    assert await end(database, await load(database, later.id), undone=True)
    assert await undo(database, await load(database, earlier.id))


async def test_accounts_are_checked_again_after_a_mend_without_doubling_what_was_found(
    database: Database,
) -> None:
    mend = await waiting(database)
    assert await approve(database, mend)
    assert await end(database, await load(database, mend.id), undone=False)
    now = utc_now()
    until = now + timedelta(minutes=1)

    async with database.write() as tx:
        names = await account_checks.unchecked(tx, mend.request_id, 100)
        assert len(names) == 2
        await account_checks.renew(tx, mend.request_id, owner=OWNER, now=now, until=until)
        reports = [
            AccountReport(names[0], (FAILING,)),
            AccountReport(names[1], (Verdict(Check.EXISTS, Result.PASSED),)),
        ]
        await preflight_lifecycle.record(
            tx, mend.request_id, reports, owner=OWNER, now=now, until=until
        )
        assert await preflight_lifecycle.complete(
            tx, mend.request_id, (), Words(), owner=OWNER, now=now
        )

    request = await jobs.load(database, mend.request_id)
    assert request.ready_rows == 1
    async with database.read() as tx:
        offer = await mend_snapshots.offer(tx, mend.request_id)
        assert await due_mends.rechecked(tx) == [mend.id]
    assert offer is not None
    assert offer.found.accounts == 1


async def test_each_decision_about_a_mend_is_audited(database: Database) -> None:
    mend = await waiting(database)
    assert await approve(database, mend)
    async with database.read() as tx:
        actions = await tx.execute(
            select(EventRow.action).where(EventRow.action.startswith("mend")).order_by(EventRow.id)
        )
    assert list(actions.scalars()) == ["mend drafted", "mend asked", "mend approved"]


async def test_overdue_mend_waits_for_its_next_pass(database: Database) -> None:
    mend = await waiting(database)
    assert await approve(database, mend)
    now = utc_now() + timedelta(days=1)
    due_at = now + timedelta(minutes=5)

    async def overdue(when: datetime) -> list[int]:
        async with database.read() as tx:
            return await due_mends.overdue(tx, owner=OWNER, now=when, before=now)

    assert await overdue(now) == [mend.id]
    async with database.write() as tx:
        await mending.end_pass(tx, mend, owner=OWNER, due_at=due_at, progressed=False, refused="")
    assert await overdue(now) == []
    assert await overdue(due_at) == [mend.id]


async def test_access_that_another_replica_vouches_for_is_not_asked_for(
    database: Database,
) -> None:
    mend = await waiting(database)
    assert await approve(database, mend)
    request = await jobs.load(database, mend.request_id)

    async def lose_access(when: datetime) -> bool:
        async with database.write() as tx:
            return await mending.lose_access(tx, NOTIFY, request, mend, when, reason="")

    assert not await lose_access(utc_now())
    assert (await load(database, mend.id)).access_wanted_since is None
    assert await lose_access(utc_now() + timedelta(minutes=2))


async def test_access_that_teams_denies_is_asked_for_while_the_lease_lasts(
    database: Database,
) -> None:
    mend = await waiting(database)
    assert await approve(database, mend)
    request = await jobs.load(database, mend.request_id)
    async with database.write() as tx:
        assert await mending.lose_access(tx, NOTIFY, request, mend, utc_now(), reason="no")
