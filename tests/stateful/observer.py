"""Which changes of the tables a single transaction may make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import select

from bot.signin import batch, outcome, request
from bot.signin.batch import (
    MAX_BATCHES_PER_REGION,
    SLOT_HOLDING_STATES,
    TERMINAL_BATCH_STATES,
    BatchState,
)
from bot.signin.outcome import TERMINAL_PHONE_STATUSES, PhoneStatus
from bot.signin.request import NOTHING_RAN, TERMINAL_REQUEST_STATES, RequestState
from bot.signin.transition import State, Transition
from bot.store.database import Transaction
from bot.store.models.chat import PostRow
from bot.store.models.requests import RequestRow
from tests.stateful.tables import BatchImage, Image, image

Edge = tuple[StrEnum, StrEnum]


def edges(
    transitions: Iterable[Transition[State]], *, then: Transition[State] | None = None
) -> frozenset[Edge]:
    """The changes that these transitions make; `then` may follow in the same transaction."""
    single: set[Edge] = {(before, each.after) for each in transitions for before in each.before}
    if then is not None:
        single |= {(before, then.after) for before, after in single if after in then.before}
    return frozenset(single)


REQUEST_EDGES = edges(request.TRANSITIONS)
BATCH_EDGES = edges(batch.TRANSITIONS, then=batch.CANCEL_PLANNED)
PHONE_EDGES = edges(outcome.TRANSITIONS, then=outcome.LEAVE_OUT)

#: Which statuses a batch's phones have, by the batch's state.
STATUSES_IN: Mapping[BatchState, frozenset[PhoneStatus]] = {
    BatchState.PLANNED: frozenset({PhoneStatus.PENDING}),
    BatchState.INTENT: frozenset({PhoneStatus.IN_PROGRESS}),
    BatchState.UNKNOWN: frozenset({PhoneStatus.IN_PROGRESS}),
    BatchState.NEEDS_PERSON: frozenset({PhoneStatus.IN_PROGRESS}),
    BatchState.SUBMITTED: frozenset(
        {PhoneStatus.IN_PROGRESS, PhoneStatus.SIGNED_IN, PhoneStatus.FAILED}
    ),
    BatchState.DONE: frozenset(
        {PhoneStatus.SIGNED_IN, PhoneStatus.FAILED, PhoneStatus.UNCONFIRMED}
    ),
    BatchState.CANCELLED: frozenset({PhoneStatus.NOT_RUN}),
}


@dataclass(eq=False)
class Observer:
    """Compares what each transaction is about to commit with what was committed before."""

    #: Called with the id of a batch that is about to change its state, before and after.
    on_change: Callable[[int, BatchImage, BatchImage], None]
    committed: Image = field(default_factory=Image)
    violations: list[str] = field(default_factory=list[str])
    #: Batches and attempts about which an approver was ever asked: they may have run without a slot.
    asked_about: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    seen: Counter[Edge] = field(default_factory=Counter[Edge])
    transactions: int = 0

    async def about_to_commit(self, tx: Transaction, changed: Collection[str]) -> None:
        """`changed`: names of tables."""
        self.transactions += 1
        before = self.committed
        after = await image(tx, before, changed)
        self._requests(before, after)
        self._batches(before, after)
        self._phones(before, after)
        self._versions(before, after)
        self._consistent(after)
        self._slots(after)
        if PostRow.__tablename__ in changed:
            await self._posts(tx)
        self.committed = after

    def fail(self, text: str) -> None:
        self.violations.append(text)

    def _edge(self, before: StrEnum, after: StrEnum, allowed: frozenset[Edge], what: str) -> None:
        if before is after:
            return
        self.seen[before, after] += 1
        if (before, after) not in allowed:
            self.fail(f"{what}: {before} -> {after} is in no table")

    def _requests(self, before: Image, after: Image) -> None:
        for request_id, now in after.requests.items():
            was = before.requests.get(request_id)
            if was is None:
                if now.state is not RequestState.DRAFT:
                    self.fail(f"request {request_id} begins as {now.state}")
                continue
            self._edge(was.state, now.state, REQUEST_EDGES, f"request {request_id}")
            if now.version < was.version or now.state_version > now.version:
                self.fail(f"request {request_id}: version {was.version} -> {now.version}")
        if before.requests.keys() - after.requests.keys():
            self.fail("a request is gone")

    def _batches(self, before: Image, after: Image) -> None:
        for batch_id, now in after.batches.items():
            was = before.batches.get(batch_id)
            if was is None:
                if (now.state, now.attempt) != (BatchState.PLANNED, 0):
                    self.fail(f"batch {batch_id} begins as {now.state}, attempt {now.attempt}")
                continue
            self._edge(was.state, now.state, BATCH_EDGES, f"batch {batch_id}")
            claimed = was.state is BatchState.PLANNED and now.state is BatchState.INTENT
            if now.attempt != was.attempt + claimed:
                self.fail(f"batch {batch_id}: attempt {was.attempt} -> {now.attempt}")
            if now.state is not was.state:
                self.on_change(batch_id, was, now)
                if now.state is BatchState.NEEDS_PERSON:
                    self.asked_about.add((batch_id, now.attempt))
        if before.batches.keys() - after.batches.keys():
            self.fail("a batch is gone")

    def _phones(self, before: Image, after: Image) -> None:
        for key, now in after.phones.items():
            was = before.phones.get(key)
            if was is None:
                if now.status is not PhoneStatus.PENDING:
                    self.fail(f"phone {key} begins as {now.status}")
                continue
            self._edge(was.status, now.status, PHONE_EDGES, f"phone {key}")
            if was.batch_id is not None and was.batch_id != now.batch_id:
                self.fail(f"phone {key} changes its batch")
        if before.phones.keys() - after.phones.keys():
            self.fail("a phone is gone")

    def _versions(self, before: Image, after: Image) -> None:
        """Cards follow a request's version: nothing that they show may change without it."""
        changed = {
            after.batches[batch_id].request_id
            for batch_id, was in before.batches.items()
            if was.state is not after.batches[batch_id].state
        }
        changed |= {
            key[0]
            for key, was in before.phones.items()
            if was.status is not after.phones[key].status
        }
        for request_id, now in after.requests.items():
            was = before.requests.get(request_id)
            if was is None:
                continue
            if was.state is not now.state and now.state_version == was.state_version:
                self.fail(f"request {request_id}: {now.state} without a new state_version")
            if (request_id in changed or was.state is not now.state) and (
                now.version == was.version
            ):
                self.fail(f"request {request_id} changed at version {now.version}")

    def _consistent(self, after: Image) -> None:
        for batch_id, row in after.batches.items():
            statuses = {phone.status for phone in after.phones_of(batch_id)}
            if not statuses or statuses - STATUSES_IN[row.state]:
                self.fail(f"batch {batch_id} is {row.state}, its phones are {sorted(statuses)}")
        for request_id, row in after.requests.items():
            of_request = after.batches_of(request_id)
            states = {each.state for each in of_request}
            ran = TERMINAL_REQUEST_STATES - NOTHING_RAN
            if row.state in ran and states - TERMINAL_BATCH_STATES:
                self.fail(f"request {request_id} is {row.state}, its batches are {sorted(states)}")
            if row.state not in ran | {RequestState.RUNNING} and of_request:
                self.fail(f"request {request_id} is {row.state} and has batches")
            if row.state is RequestState.RUNNING and not states - TERMINAL_BATCH_STATES:
                self.fail(f"request {request_id} is over and still running")
            ready = [p for key, p in after.phones.items() if key[0] == request_id and p.ready]
            if row.state in ran and {p.status for p in ready} - TERMINAL_PHONE_STATUSES:
                self.fail(f"request {request_id} is {row.state} and lost a phone")

    def _slots(self, after: Image) -> None:
        holding = Counter(
            row.region
            for batch_id, row in after.batches.items()
            if row.state in SLOT_HOLDING_STATES and (batch_id, row.attempt) not in self.asked_about
        )
        if holding and max(holding.values()) > MAX_BATCHES_PER_REGION:
            self.fail(f"slots: {dict(holding)}")

    async def _posts(self, tx: Transaction) -> None:
        ahead = await tx.execute(
            select(PostRow.id)
            .join(RequestRow, RequestRow.id == PostRow.request_id)
            .where(PostRow.shown_version > RequestRow.version)
        )
        if posts := list(ahead.scalars()):
            self.fail(f"posts {posts} show a version that does not exist")
