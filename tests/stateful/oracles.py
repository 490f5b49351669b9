"""What must be true of every submit, every question and every card, whatever happened before."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import func, select

from bot.signin.batch import MAX_BATCHES_PER_REGION, BatchState
from bot.signin.request import RequestState
from bot.store import batches, snapshots
from bot.store.batches import Batch
from bot.store.models.batches import BatchRow
from bot.store.models.requests import PhoneRow
from tests.stateful.databases import DatabaseLostError, ObservedDatabase
from tests.stateful.ledger import MAX_LAG_SECONDS, Call, ClientBugError, Ledger
from tests.stateful.observer import Observer
from tests.stateful.replica import Clock
from tests.stateful.tables import BatchImage

_UNSETTLED = frozenset({BatchState.INTENT, BatchState.UNKNOWN, BatchState.NEEDS_PERSON})


@dataclass(eq=False)
class Oracles:
    database: ObservedDatabase
    clock: Clock
    submit_timeout: float  #: seconds
    #: Batches and attempts that ran although an approver said that they did not.
    denied_wrongly: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    may_be_abandoned: bool = False  #: a day went by, or a batch was complete with open phones
    did: Counter[str] = field(default_factory=Counter[str])
    #: The version of each request whose snapshot was checked last.
    _checked: dict[str, int] = field(default_factory=dict[str, int])

    def __post_init__(self) -> None:
        self.observer = Observer(self._change)
        self.ledger = Ledger(self.clock, self.submit_timeout, self._submit, self._accept)

    def watch(self, _: object, __: str, entry: MutableMapping[str, Any]) -> str:
        """Errors that end a task are only logged: none but those made here may happen."""
        if entry.get("exc_info"):
            error = sys.exc_info()[1]
            if not isinstance(error, DatabaseLostError | ClientBugError):
                self.observer.fail(f"{entry.get('event')}: {error!r}")
        if entry.get("event") == "batch.submitted" and not entry.get("recorded"):
            self.did["acknowledgment not recorded"] += 1
        raise structlog.DropEvent

    def _submit(self, call: Call) -> None:
        """A submit leaves: its intent is committed and marked, and held until its answer is due."""
        row = self.observer.committed.batches[call.batch.id]
        answer_by = call.called_at + timedelta(seconds=self.ledger.submit_timeout)
        if (
            (row.state, row.attempt, row.owner)
            != (BatchState.INTENT, call.batch.attempt, call.process.name)
            or row.lease_until is None
            or row.lease_until <= answer_by
        ):
            self.observer.fail(f"{call.process.name} submits a batch that it does not hold: {row}")
        if row.unsent_attempt == row.attempt:
            self.observer.fail(f"batch {call.batch.id} is submitted and recorded as unsent")
        if self.observer.committed.requests[row.request_id].state is not RequestState.RUNNING:
            self.observer.fail(f"batch {call.batch.id} is submitted without an approval")

    def _accept(self, call: Call) -> None:
        self.did["accepted"] += 1
        image = self.observer.committed
        ready = {
            (phone.username, phone.hardware_id)
            for phone in image.phones_of(call.batch.id)
            if phone.ready
        }
        if ready != {(phone.username, phone.hardware_id) for phone in call.phones}:
            self.observer.fail(f"batch {call.batch.id} was submitted with other phones")
        before = [each for each in self.ledger.accepted if each.batch.id == call.batch.id]
        for remote in before:
            if (remote.batch.id, remote.batch.attempt) not in self.denied_wrongly:
                self.observer.fail(f"batch {call.batch.id} was accepted twice")
            self.did["accepted again on an approver's word"] += 1
        ours = {phone.key for phone in call.phones}
        for remote in self.ledger.accepted:
            another = remote.batch.request_id == call.batch.request_id and remote not in before
            if another and ours & {phone.key for phone in remote.phones}:
                self.observer.fail(f"a phone is in batches {remote.batch.id}, {call.batch.id}")
        running = [
            remote
            for remote in self.ledger.accepted
            if remote.open
            and remote.batch.region is call.batch.region
            # Without a slot, by design: an approver was asked, or the batch was given up after a day.
            and (remote.batch.id, remote.batch.attempt) not in self.observer.asked_about
            and image.batches[remote.batch.id].state is not BatchState.DONE
        ]
        if len(running) >= MAX_BATCHES_PER_REGION:
            self.observer.fail(f"a fourth batch runs in {call.batch.region}")

    def _change(self, batch_id: int, was: BatchImage, now: BatchImage) -> None:
        """A batch is about to change its state: the ledger knows whether it may."""
        key = (batch_id, now.attempt)
        ran = self.ledger.of(key)
        match now.state:
            case BatchState.PLANNED | BatchState.CANCELLED | BatchState.DONE if (
                was.state in _UNSETTLED
            ):
                if was.state is BatchState.INTENT and was.unsent_attempt == was.attempt:
                    self.did["intent ended unsent"] += 1
                if ran is not None and key not in self.denied_wrongly:
                    self.observer.fail(f"batch {batch_id} ran and becomes {now.state}")
                if self.ledger.in_doubt(key):
                    self.observer.fail(f"batch {batch_id} may run and becomes {now.state}")
            case BatchState.UNKNOWN if was.state is BatchState.INTENT:
                held = was.lease_until is not None and was.lease_until > self.clock()
                if held and self.ledger.waits(key):
                    self.observer.fail(f"batch {batch_id} is given up while its submit is waiting")
            case BatchState.SUBMITTED:
                self._followed(batch_id, now.remote_batch_id)
            case BatchState.NEEDS_PERSON:
                self._question(key)
            case _:
                pass

    def _followed(self, batch_id: int, remote_batch_id: str) -> None:
        phones = self.observer.committed.phones_of(batch_id)
        ours = {(phone.username, phone.hardware_id) for phone in phones}
        for remote in self.ledger.accepted:
            if remote.id == remote_batch_id:
                if ours != {(phone.username, phone.hardware_id) for phone in remote.phones}:
                    self.observer.fail(f"batch {batch_id} follows {remote.id}: not its phones")
                return
        self.observer.fail(f"batch {batch_id} follows {remote_batch_id!r}, which does not exist")

    def _question(self, key: tuple[int, int]) -> None:
        self.did["question"] += 1
        if self.ledger.in_doubt(key):
            self.observer.fail(f"an approver is asked about batch {key} while it may arrive")
        ran = self.ledger.of(key)
        soon = timedelta(seconds=MAX_LAG_SECONDS)
        if ran is not None and self.clock() - ran.accepted_at < soon:
            self.observer.fail(f"an approver is asked about batch {key} before it can be listed")

    def check(self) -> None:
        assert not self.observer.violations, "\n".join(self.observer.violations)

    async def check_cards(self) -> None:
        """Snapshots agree with the tables."""
        for request_id, row in self.observer.committed.requests.items():
            if self._checked.get(request_id) == row.version:
                continue
            async with self.database.read() as tx:
                snapshot = await snapshots.load(tx, request_id)
                phones = await tx.execute(
                    select(PhoneRow.region, PhoneRow.status, func.count())
                    .where(PhoneRow.request_id == request_id, PhoneRow.ready)
                    .group_by(PhoneRow.region, PhoneRow.status)
                )
                states = await tx.execute(
                    select(BatchRow.region, BatchRow.state, func.count())
                    .where(BatchRow.request_id == request_id)
                    .group_by(BatchRow.region, BatchRow.state)
                )
                asked = await batches.needing_person(tx, request_id)
            assert snapshot is not None
            assert (snapshot.state, snapshot.version) == (row.state, row.version)
            assert {
                (region.region, status, number)
                for region in snapshot.regions
                for status, number in _numbers(region.phones).items()
            } == {tuple(each) for each in phones}
            if row.state is RequestState.RUNNING:
                assert {
                    (region.region, state, number)
                    for region in snapshot.regions
                    for state, number in region.batches.items()
                } == {tuple(each) for each in states}
            assert [question.batch_id for question in snapshot.questions] == asked
            self._checked[request_id] = row.version

    def may_match(self, question: Batch) -> bool:
        """True if another batch has the same phones, which only wrong answers and retries lead to."""
        ours = {(p.username, p.hardware_id) for p in self.observer.committed.phones_of(question.id)}
        return any(
            ours == {(phone.username, phone.hardware_id) for phone in remote.phones}
            for remote in self.ledger.accepted
            if (remote.batch.id, remote.batch.attempt) != (question.id, question.attempt)
        )

    def is_tainted(self, batch_id: int) -> bool:
        """A wrong answer was given about this batch, or about phones that it has."""
        tainted = {
            phone.key
            for remote in self.ledger.accepted
            if (remote.batch.id, remote.batch.attempt) in self.denied_wrongly
            for phone in remote.phones
        }
        rows = self.observer.committed.phones_of(batch_id)
        return any((row.username.casefold(), row.hardware_id.upper()) in tainted for row in rows)

    def check_nothing_lost(self) -> None:
        """Every phone has the status that the ledger gives it."""
        image = self.observer.committed
        for batch_id, row in image.batches.items():
            if image.requests[row.request_id].state is RequestState.RUNNING:
                continue
            if self.is_tainted(batch_id):
                continue
            remotes = [each for each in self.ledger.accepted if each.batch.id == batch_id]
            assert len(remotes) <= 1, f"batch {batch_id} ran as {[each.id for each in remotes]}"
            for phone in image.phones_of(batch_id):
                key = (phone.username.casefold(), phone.hardware_id.upper())
                expected = "not accepted"
                if remotes:
                    result = remotes[0].results.get(key)
                    expected = {None: "open", "": "signed_in"}.get(result, "failed")
                allowed = {
                    "not accepted": {"not_run", "failed"},
                    "open": {"unconfirmed"},
                    "signed_in": {"signed_in"},
                    "failed": {"failed"},
                }[expected]
                if remotes and self.may_be_abandoned:
                    allowed = allowed | {"unconfirmed"}
                assert phone.status.value in allowed, (
                    f"{phone.username}: {phone.status}, in the ledger {expected}"
                )


def _numbers(tally: object) -> Mapping[str, int]:
    names = ("pending", "in_progress", "signed_in", "failed", "not_run", "unconfirmed")
    return {name: getattr(tally, name) for name in names if getattr(tally, name)}
