"""Every transition from every state: it happens exactly if the tables of `bot.signin` list it.

Rows are put into a state by raw SQL, with every other condition of the transition met, so only the
table decides. A transition that is not listed must change nothing at all, in no table.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
from sqlalchemy import bindparam, select, text

from bot.lifecycle import asking, ending, polling, reconciliation, submission
from bot.lifecycle import batches as batch_lifecycle
from bot.lifecycle import phones as phone_lifecycle
from bot.lifecycle import requests as request_lifecycle
from bot.phones.region import Region
from bot.signin import batch as batch_states
from bot.signin import outcome as phone_states
from bot.signin import request as request_states
from bot.signin.batch import BatchState
from bot.signin.outcome import PhoneResult, PhoneStatus
from bot.signin.request import Hold, RequestState, phone_key
from bot.signin.transition import State, Transition
from bot.store import batches, leases, requests, transitions
from bot.store.batches import Batch
from bot.store.database import Database, Transaction
from bot.store.models.base import UtcDateTime
from bot.store.models.batches import BatchRow
from bot.store.models.requests import PhoneRow
from bot.store.requests import Request
from tests.support import jobs, rows
from tests.support.rows import Tables

OWNER = "a"
MINUTE = timedelta(minutes=1)
PHONES = 2


def every_pair(
    transitions: Iterable[Transition[State]], states: type[State]
) -> pytest.MarkDecorator:
    pairs = [(transition, state) for transition in transitions for state in states]
    names = [f"{transition.name}_{transition.after}-from_{state}" for transition, state in pairs]
    return pytest.mark.parametrize(("transition", "before"), pairs, ids=names)


@dataclass(frozen=True, slots=True)
class Subject:
    """The request under test, and another one like it that must stay as it is."""

    request: Request
    bystander_id: str

    def split(self, tables: Tables) -> tuple[Tables, Tables]:
        """The rows of the bystander, and all others."""
        bystander: Tables = {}
        others: Tables = {}
        for name, table in tables.items():
            key = "id" if name == "requests" else "request_id"
            bystander[name] = [row for row in table if row.get(key) == self.bystander_id]
            others[name] = [row for row in table if row.get(key) != self.bystander_id]
        return bystander, others


SubjectOf = Callable[..., Awaitable[Subject]]


async def execute(tx: Transaction, statement: str, **values: Any) -> None:
    times = [
        bindparam(name, type_=UtcDateTime())
        for name, value in values.items()
        if isinstance(value, datetime)
    ]
    await tx.execute(text(statement).bindparams(*times), values)


async def load(tx: Transaction, request_id: str) -> Request:
    request = await requests.load(tx, request_id)
    assert request is not None
    return request


@dataclass(frozen=True, slots=True)
class Pair:
    """Two approved requests of two phones in one batch each, and all their rows.

    The bystander's phones are in another region, so that nobody claims its batch.
    """

    request_id: str
    bystander_id: str
    tables: Tables


Pairs = dict[str, Pair]


@pytest.fixture(scope="session")
def pairs() -> Pairs:
    """By kind of database: made by the first test, and inserted by all others, since they are many."""
    return {}


@pytest.fixture
def subject_of(database: Database, kind: str, pairs: Pairs) -> SubjectOf:
    """Puts two requests, their batches and their phones into the given states."""

    async def make(
        *,
        request: RequestState = RequestState.RUNNING,
        batch: BatchState = BatchState.SUBMITTED,
        phone: PhoneStatus = PhoneStatus.IN_PROGRESS,
        expires_at: datetime | None = None,
        hold: Hold = Hold.NONE,
    ) -> Subject:
        later = jobs.utc_now() + MINUTE
        known = kind in pairs
        if not known:
            first = await jobs.approved(database, PHONES, Region.EMEA)
            bystander = await jobs.approved(database, PHONES, Region.NOAM, first=PHONES)
            pairs[kind] = Pair(first, bystander, await rows.dump(database))
        pair = pairs[kind]
        async with database.write() as tx:
            if known:
                await rows.insert_in(tx, pair.tables)
            await execute(
                tx,
                "UPDATE requests SET state = :state, expires_at = :expires_at, hold = :hold",
                state=request.value,
                hold=hold.value,
                expires_at=expires_at or later,
            )
            await execute(
                tx,
                "UPDATE batches SET state = :state, attempt = 1, unsent_attempt = 1, "
                "owner = :owner, lease_until = :later, sent_at = :later, due_at = :later",
                state=batch.value,
                owner=OWNER,
                later=later,
            )
            await execute(tx, "UPDATE phones SET status = :status", status=phone.value)
            return Subject(await load(tx, pair.request_id), pair.bystander_id)

    return make


async def batch_of(database: Database, subject: Subject) -> Batch:
    async with database.read() as tx:
        (batch_id,) = await tx.scalars(
            select(BatchRow.id).where(BatchRow.request_id == subject.request.id)
        )
        batch = await batches.load(tx, batch_id)
    assert batch is not None
    return batch


@dataclass(frozen=True, slots=True)
class Effect:
    """What a call changed."""

    before: Tables
    after: Tables

    @property
    def changed_tables(self) -> set[str]:
        return {name for name, table in self.after.items() if table != self.before[name]}

    def values(self, table: str, column: str) -> list[Any]:
        return rows.column(self.after[table], column)


async def effect_of(
    database: Database, subject: Subject, call: Callable[[], Awaitable[bool | None]]
) -> tuple[bool | None, Effect]:
    """What the call returns and changes. The bystander must stay as it is."""
    bystander_before, before = subject.split(await rows.dump(database))
    returned = await call()
    bystander_after, after = subject.split(await rows.dump(database))
    assert bystander_after == bystander_before
    return returned, Effect(before, after)


# -- requests ------------------------------------------------------------------------------------------

#: Returns what the lifecycle function returned; None if it does not tell whether it changed anything.
RequestCall = Callable[[Transaction, Request], Awaitable[bool | None]]


async def _request_approval(tx: Transaction, request: Request) -> bool:
    return await asking.request_approval(
        tx,
        jobs.NOTIFY,
        request,
        region=None,
        reason="new lobby",
        ttl=MINUTE,
        actor=jobs.ADMIN,
        now=jobs.utc_now(),
    )


async def _approve(tx: Transaction, request: Request) -> bool:
    return await request_lifecycle.approve(
        tx, jobs.NOTIFY, request, comment="", actor=jobs.APPROVER, now=jobs.utc_now()
    )


async def _reject_request(tx: Transaction, request: Request) -> bool:
    return await request_lifecycle.reject(
        tx, jobs.NOTIFY, request, comment="no", actor=jobs.APPROVER, now=jobs.utc_now()
    )


async def _withdraw(tx: Transaction, request: Request) -> bool:
    return await request_lifecycle.withdraw(tx, request, actor=jobs.ADMIN, now=jobs.utc_now())


async def _withdraw_scheduled(tx: Transaction, request: Request) -> bool:
    return await request_lifecycle.withdraw_scheduled(
        tx, jobs.NOTIFY, request, actor=jobs.ADMIN, now=jobs.utc_now()
    )


async def _expire(tx: Transaction, request: Request) -> bool:
    return await request_lifecycle.expire(tx, jobs.NOTIFY, request, jobs.utc_now())


async def _cancel(tx: Transaction, request: Request) -> bool:
    return await request_lifecycle.cancel(
        tx, jobs.NOTIFY, request, actor=jobs.ADMIN, now=jobs.utc_now()
    )


async def _end_if_over(tx: Transaction, request: Request) -> None:
    state = await ending.end_if_over(tx, jobs.NOTIFY, request.id, jobs.utc_now())
    assert state is (await load(tx, request.id)).state


REQUEST_CALLS: Mapping[Transition[RequestState], RequestCall] = MappingProxyType(
    {
        request_states.REQUEST_APPROVAL: _request_approval,
        request_states.APPROVE: _approve,
        request_states.REJECT: _reject_request,
        request_states.WITHDRAW: _withdraw,
        request_states.WITHDRAW_SCHEDULED: _withdraw_scheduled,
        request_states.EXPIRE: _expire,
        request_states.CANCEL: _cancel,
        request_states.END_FINISHED: _end_if_over,
        request_states.END_CANCELLED: _end_if_over,
    }
)
#: The state of the request's batch that the transition takes; any other would do for the rest.
BATCH_OF_REQUEST: Mapping[Transition[RequestState], BatchState] = MappingProxyType(
    {
        request_states.END_FINISHED: BatchState.DONE,
        request_states.END_CANCELLED: BatchState.CANCELLED,
    }
)


def test_every_request_transition_is_tested() -> None:
    assert list(REQUEST_CALLS) == list(request_states.TRANSITIONS)


@every_pair(request_states.TRANSITIONS, RequestState)
async def test_request_changes_state_only_as_listed(
    database: Database,
    subject_of: SubjectOf,
    transition: Transition[RequestState],
    before: RequestState,
) -> None:
    over = transition is request_states.EXPIRE
    scheduled = transition is request_states.WITHDRAW_SCHEDULED
    subject = await subject_of(
        request=before,
        batch=BATCH_OF_REQUEST.get(transition, BatchState.SUBMITTED),
        expires_at=jobs.utc_now() + (-MINUTE if over else MINUTE),
        hold=Hold.SCHEDULED if scheduled else Hold.NONE,
    )

    async def call() -> bool | None:
        async with database.write() as tx:
            return await REQUEST_CALLS[transition](tx, subject.request)

    returned, effect = await effect_of(database, subject, call)
    if before in transition.before:
        assert returned in (True, None)
        assert effect.values("requests", "state") == [transition.after.value]
        version = subject.request.version
        assert effect.values("requests", "version") == [version + 1]
        assert effect.values("requests", "state_version") == [version + 1]
        assert "events" in effect.changed_tables
    else:
        assert returned in (False, None)
        assert effect.after == effect.before


@pytest.mark.parametrize("hold", Hold)
async def test_running_request_is_withdrawn_only_before_its_start(
    database: Database, subject_of: SubjectOf, hold: Hold
) -> None:
    subject = await subject_of(hold=hold)

    async def call() -> bool:
        async with database.write() as tx:
            return await _withdraw_scheduled(tx, subject.request)

    returned, effect = await effect_of(database, subject, call)
    assert returned is hold.before_start
    assert (effect.after != effect.before) is hold.before_start


@pytest.mark.parametrize(
    "batch", [state for state in BatchState if state not in batch_states.TERMINAL_BATCH_STATES]
)
async def test_request_does_not_end_while_batch_is_open(
    database: Database, subject_of: SubjectOf, batch: BatchState
) -> None:
    subject = await subject_of(batch=batch)

    async def call() -> None:
        async with database.write() as tx:
            await _end_if_over(tx, subject.request)

    _, effect = await effect_of(database, subject, call)
    assert effect.after == effect.before


# -- batches -------------------------------------------------------------------------------------------

BatchCall = Callable[[Database, Batch], Awaitable[bool | None]]


async def _claim(database: Database, batch: Batch) -> bool:
    now = jobs.utc_now()
    claimed = await batch_lifecycle.claim(
        database, batch.tenant_id, batch.region, owner="b", now=now, lease_until=now + MINUTE
    )
    assert [each.id for each in claimed] in ([], [batch.id])
    return bool(claimed)


async def _acknowledge(database: Database, batch: Batch) -> bool:
    now = jobs.utc_now()
    async with database.write() as tx:
        return await submission.acknowledge(
            tx, batch, "remote", owner=OWNER, lease_until=now + MINUTE, due_at=now, now=now
        )


async def _reject_batch(database: Database, batch: Batch) -> bool:
    async with database.write() as tx:
        return await submission.reject(tx, jobs.NOTIFY, batch, "no", jobs.utc_now())


async def _requeue(database: Database, batch: Batch) -> bool:
    now = jobs.utc_now()
    async with database.write() as tx:
        return await submission.requeue(
            tx, jobs.NOTIFY, batch, not_before=now, error="429", now=now
        )


async def _release_unsent(database: Database, batch: Batch) -> bool:
    async with database.write() as tx:
        return await submission.release_unsent(tx, jobs.NOTIFY, batch, now=jobs.utc_now())


async def _mark_unknown(database: Database, batch: Batch) -> bool:
    async with database.write() as tx:
        return await submission.mark_unknown(
            tx, batch, due_at=jobs.utc_now(), error="timeout", now=jobs.utc_now()
        )


async def _ask_approver(database: Database, batch: Batch) -> bool:
    async with database.write() as tx:
        return await reconciliation.ask_approver(
            tx, jobs.NOTIFY, batch, owner=OWNER, error="", now=jobs.utc_now()
        )


async def _check_again(database: Database, batch: Batch) -> bool:
    async with database.write() as tx:
        return await reconciliation.check_again(tx, batch, actor=jobs.APPROVER, now=jobs.utc_now())


async def _confirm_ran(database: Database, batch: Batch) -> bool:
    async with database.write() as tx:
        return await reconciliation.confirm_ran(
            tx, batch, "remote", actor=jobs.APPROVER, now=jobs.utc_now()
        )


async def _confirm_not_run(database: Database, batch: Batch) -> bool:
    async with database.write() as tx:
        return await reconciliation.confirm_not_run(
            tx, jobs.NOTIFY, batch, actor=jobs.APPROVER, now=jobs.utc_now()
        )


async def _complete(database: Database, batch: Batch) -> bool:
    async with database.write() as tx:
        return await polling.complete(tx, jobs.NOTIFY, batch, owner=OWNER, now=jobs.utc_now())


async def _cancel_planned(database: Database, batch: Batch) -> None:
    async with database.write() as tx:
        await batch_lifecycle.cancel_planned(tx, batch.request_id)


BATCH_CALLS: Mapping[Transition[BatchState], BatchCall] = MappingProxyType(
    {
        batch_states.CLAIM: _claim,
        batch_states.ACKNOWLEDGE: _acknowledge,
        batch_states.REJECT: _reject_batch,
        batch_states.REQUEUE: _requeue,
        batch_states.RELEASE_UNSENT: _release_unsent,
        batch_states.MARK_UNKNOWN: _mark_unknown,
        batch_states.ASK_APPROVER: _ask_approver,
        batch_states.CHECK_AGAIN: _check_again,
        batch_states.CONFIRM_RAN: _confirm_ran,
        batch_states.CONFIRM_NOT_RUN: _confirm_not_run,
        batch_states.COMPLETE: _complete,
        batch_states.CANCEL_PLANNED: _cancel_planned,
    }
)
#: The status of a batch's phones while the batch is in a state.
PHONES_IN: Mapping[BatchState, PhoneStatus] = MappingProxyType(
    {
        BatchState.PLANNED: PhoneStatus.PENDING,
        BatchState.INTENT: PhoneStatus.IN_PROGRESS,
        BatchState.UNKNOWN: PhoneStatus.IN_PROGRESS,
        BatchState.NEEDS_PERSON: PhoneStatus.IN_PROGRESS,
        BatchState.SUBMITTED: PhoneStatus.IN_PROGRESS,
        BatchState.DONE: PhoneStatus.SIGNED_IN,
        BatchState.CANCELLED: PhoneStatus.NOT_RUN,
    }
)
#: The status of the phones after a transition ended their batch without results of their own.
PHONES_AFTER: Mapping[Transition[BatchState], PhoneStatus] = MappingProxyType(
    {
        batch_states.REJECT: PhoneStatus.FAILED,
        batch_states.COMPLETE: PhoneStatus.UNCONFIRMED,
    }
)


#: All others change nothing when called about an older attempt.
NOT_ABOUT_ATTEMPT = frozenset({batch_states.CLAIM, batch_states.CANCEL_PLANNED})


def test_every_batch_transition_is_tested() -> None:
    assert list(BATCH_CALLS) == list(batch_states.TRANSITIONS)


@every_pair(batch_states.TRANSITIONS, BatchState)
async def test_batch_changes_state_only_as_listed(
    database: Database,
    subject_of: SubjectOf,
    transition: Transition[BatchState],
    before: BatchState,
) -> None:
    subject = await subject_of(batch=before, phone=PHONES_IN[before])
    batch = await batch_of(database, subject)
    assert batch.state is before
    if transition not in NOT_ABOUT_ATTEMPT:
        older = replace(batch, attempt=batch.attempt - 1)
        returned, effect = await effect_of(
            database, subject, lambda: BATCH_CALLS[transition](database, older)
        )
        assert returned is False
        assert effect.after == effect.before
    returned, effect = await effect_of(
        database, subject, lambda: BATCH_CALLS[transition](database, batch)
    )
    if before in transition.before:
        assert returned in (True, None)
        assert effect.values("batches", "state") == [transition.after.value]
        phones = PHONES_AFTER.get(transition, PHONES_IN[transition.after])
        assert effect.values("phones", "status") == [phones.value] * PHONES
        attempts = 1 + (transition is batch_states.CLAIM)
        assert effect.values("batches", "attempt") == [attempts]
        if transition is not batch_states.CANCEL_PLANNED:  # part of a request's transition
            assert effect.values("requests", "version") > [subject.request.version]
    else:
        assert returned in (False, None)
        assert effect.after == effect.before


# -- phones --------------------------------------------------------------------------------------------

PhoneCall = Callable[[Transaction, Batch], Awaitable[object]]


async def _results(
    tx: Transaction, batch: Batch, status: PhoneStatus
) -> Mapping[tuple[str, str], PhoneResult]:
    phones = await batches.phones(tx, batch)
    assert len(phones) == PHONES
    return {
        phone_key(phone.username, phone.hardware_id): PhoneResult(status, "Device is offline.")
        for phone in phones
    }


def _reporting(status: PhoneStatus) -> PhoneCall:
    async def call(tx: Transaction, batch: Batch) -> object:
        return await phone_lifecycle.report(tx, batch, await _results(tx, batch, status))

    return call


def _looking_up(status: PhoneStatus) -> PhoneCall:
    async def call(tx: Transaction, batch: Batch) -> object:
        return await phone_lifecycle.look_up(tx, batch, await _results(tx, batch, status))

    return call


PHONE_CALLS: Mapping[Transition[PhoneStatus], PhoneCall] = MappingProxyType(
    {
        phone_states.SEND: phone_lifecycle.send,
        phone_states.TAKE_BACK: phone_lifecycle.take_back,
        phone_states.REPORT_SIGNED_IN: _reporting(PhoneStatus.SIGNED_IN),
        phone_states.REPORT_FAILED: _reporting(PhoneStatus.FAILED),
        phone_states.FAIL_ALL: lambda tx, batch: phone_lifecycle.fail_all(tx, batch, "no"),
        phone_states.LEAVE_OUT: lambda tx, batch: phone_lifecycle.leave_out(
            tx, PhoneRow.batch_id == batch.id
        ),
        phone_states.LEAVE_UNCONFIRMED: phone_lifecycle.leave_unconfirmed,
        phone_states.LOOK_UP_SIGNED_IN: _looking_up(PhoneStatus.SIGNED_IN),
        phone_states.LOOK_UP_FAILED: _looking_up(PhoneStatus.FAILED),
    }
)


def test_every_phone_transition_is_tested() -> None:
    assert list(PHONE_CALLS) == list(phone_states.TRANSITIONS)


@every_pair(phone_states.TRANSITIONS, PhoneStatus)
async def test_phones_change_status_only_as_listed(
    database: Database,
    subject_of: SubjectOf,
    transition: Transition[PhoneStatus],
    before: PhoneStatus,
) -> None:
    subject = await subject_of(phone=before)
    batch = await batch_of(database, subject)
    returned: list[object] = []

    async def call() -> None:
        async with database.write() as tx:
            returned.append(await PHONE_CALLS[transition](tx, batch))

    _, effect = await effect_of(database, subject, call)
    listed = before in transition.before
    if listed:
        assert effect.values("phones", "status") == [transition.after.value] * PHONES
        assert effect.changed_tables == {"phones"}
    else:
        assert effect.after == effect.before
    if transition.name == "report":
        ended = listed or before in phone_states.TERMINAL_PHONE_STATUSES
        assert returned == [(PHONES if listed else 0, PHONES if ended else 0)]
    elif transition.name == "look_up":
        signed_in = listed and transition.after is PhoneStatus.SIGNED_IN
        found = (PHONES, PHONES * signed_in, PHONES * (not signed_in)) if listed else (0, 0, 0)
        assert returned == [phone_lifecycle.Found(*found)]
    else:
        assert returned == [None]


# -- all of them ---------------------------------------------------------------------------------------


async def test_apply_sets_state_of_transition_whatever_columns_are_given(
    database: Database, subject_of: SubjectOf
) -> None:
    await subject_of()
    async with database.write() as tx:
        changed = await transitions.apply(
            tx, BatchRow, batch_states.COMPLETE, polls=7, state=BatchState.PLANNED.value
        )
    assert changed == 2
    batches_after = (await rows.dump(database))["batches"]
    assert rows.column(batches_after, "state") == [BatchState.DONE.value] * 2
    assert rows.column(batches_after, "polls") == [7] * 2


async def test_apply_to_rows_of_a_batch_sets_a_column_to_another(
    database: Database, subject_of: SubjectOf
) -> None:
    await subject_of()
    async with database.write() as tx:
        first, *_ = await batches.select_where(tx)
        changed = await transitions.apply(
            tx,
            BatchRow,
            batch_states.COMPLETE,
            rows=leases.same_attempt(first),
            ended=BatchRow.size,
        )
    assert changed == 1
    batch, *_ = (await rows.dump(database))["batches"]
    assert batch["ended"] == first.size
