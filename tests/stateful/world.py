"""Everything around one example: a clock, replicas, a SIP Gateway, a chat, and people who click."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import structlog
from sqlalchemy import func, select

from bot.commands import approval, cancel, reconcile, retry
from bot.commands.context import Context, Rules, Turn
from bot.commands.inputs import Inputs
from bot.lifecycle import requests as lifecycle
from bot.phones.region import Region
from bot.phones.roster import Roster, RosterRow
from bot.runner.context import WorkerContext
from bot.runner.deadlines import Deadlines
from bot.runner.messenger import ChatUnavailableError, Message, Sent
from bot.runner.projection import Projection
from bot.runner.publisher import Publisher
from bot.runner.worker import Worker
from bot.settings.model import Exports
from bot.signin.batch import BatchState
from bot.signin.policy import Actor
from bot.signin.request import Person, RequestState
from bot.signin.timing import Timing
from bot.store import batches, conversations, posts, requests, snapshots
from bot.store.batches import Batch
from bot.store.conversations import ConversationKind, ConversationReference
from bot.store.models import BatchRow, PhoneRow
from bot.store.posts import Post
from bot.store.requests import Request
from bot.words import Words
from tests.stateful.databases import DatabaseLostError, ObservedDatabase, ReplicaDatabase
from tests.stateful.ledger import Call, ClientBugError, Ledger, LedgerGateway, LedgerGateways
from tests.stateful.process import AnyTask, Process
from tests.stateful.tables import Observer
from tests.support.jobs import ADMIN, APPROVER, CHAT, NOTIFY, TENANT, new_request

BEGIN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
#: Production's intervals; a task that failed does not pause, since that would be real time.
TIMING = replace(Timing(), idle_seconds=0.0)
APPROVAL_TTL = 7200.0
WORDS = Words()
_REFERENCE = ConversationReference(
    TENANT, CHAT, ConversationKind.PERSONAL, "https://smba.test", "28:bot", "Offhook"
)


@dataclass(slots=True)
class Clock:
    now: datetime = BEGIN

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return (self.now - BEGIN).total_seconds()


class Replica:
    """A worker in a process of its own."""

    def __init__(self, name: str, world: World) -> None:
        self._round_task: AnyTask | None = None
        self._shutdown: AnyTask | None = None
        self.process = Process(name, self._tasks)
        self.database = ReplicaDatabase(world.database, self.process)
        self.worker = Worker(
            WorkerContext(
                self.database,
                LedgerGateways(world.ledger, self.process),
                NOTIFY,
                TIMING,
                owner=name,
                clock=world.clock,
                changed=lambda: None,
            )
        )

    def _tasks(self) -> Iterable[AnyTask]:
        # The endless loop is left out, since it waits in real time: its rounds are called one by one.
        of_worker = self.worker._tasks.values()  # pyright: ignore[reportPrivateUsage]
        return of_worker if self._round_task is None else (self._round_task, *of_worker)

    @property
    def alive(self) -> bool:
        return not self.process.dead

    @property
    def working(self) -> bool:
        return self.alive and not self.process.paused

    async def begin_round(self) -> None:
        """Start the loop's next round, unless one is under way."""
        if self.draining or (self._round_task is not None and not self._round_task.done()):
            return
        self._round_task = asyncio.ensure_future(self._round())
        await self.process.settle()

    async def _round(self) -> None:
        # As in `Loop`: a round that fails ends nothing.
        with suppress(DatabaseLostError):
            await self.worker._round()  # pyright: ignore[reportPrivateUsage]

    @property
    def draining(self) -> bool:
        return self._shutdown is not None

    async def begin_drain(self) -> None:
        """Stop as the service does: submits in flight finish, the rest is cancelled."""
        if self._round_task is not None:
            self._round_task.cancel()
            await asyncio.gather(self._round_task, return_exceptions=True)
        self._shutdown = asyncio.ensure_future(self.worker._drain())  # pyright: ignore[reportPrivateUsage]
        await asyncio.sleep(0)  # it cancels, and waits for the others
        await self.process.settle()
        await self.notice_end()

    async def notice_end(self) -> None:
        if self._shutdown is not None and not list(self._unfinished()):
            await self._shutdown
            self.process.dead = True

    def _unfinished(self) -> Iterable[AnyTask]:
        return (task for task in self._tasks() if not task.done())

    async def kill(self) -> None:
        await self.process.kill()
        if self._shutdown is not None:
            self._shutdown.cancel()
            await asyncio.gather(self._shutdown, return_exceptions=True)

    async def run(self) -> None:
        """Do all that can be done now."""
        await self.begin_round()
        await self.process.run()
        await self.notice_end()


@dataclass(eq=False)
class Chatroom:
    """A Messenger that keeps what people see."""

    up: bool = True
    sent: dict[str, Message] = field(default_factory=dict[str, Message])

    async def send(self, conversation: ConversationReference, message: Message) -> Sent:
        if not self.up:
            raise ChatUnavailableError("down")
        activity_id = str(len(self.sent) + 1)
        self.sent[activity_id] = message
        return Sent(conversation.conversation_id, activity_id)

    async def update(
        self, conversation: ConversationReference, activity_id: str, message: Message
    ) -> None:
        if not self.up:
            raise ChatUnavailableError("down")
        assert conversation.conversation_id == CHAT
        self.sent[activity_id] = message


class World:
    def __init__(self, database: ObservedDatabase, submit_timeout: float) -> None:
        self.database = database
        self.clock = Clock()
        self.observer = Observer(self._question)
        database.observer = self.observer
        self.ledger = Ledger(self.clock, submit_timeout, self._submit, self._accept)
        self.replicas: list[Replica] = []
        self.chat = Chatroom()
        projection = Projection(WORDS)
        self.publisher = Publisher(
            database,
            self.chat,
            projection,
            NOTIFY,
            timing=TIMING,
            owner="publisher",
            clock=self.clock,
            monotonic=self.clock.monotonic,
        )
        self.deadlines = Deadlines(
            database, NOTIFY, timing=TIMING, clock=self.clock, changed=lambda: None
        )
        self.commands = Context(
            database,
            LedgerGateway(self.ledger, None),
            projection,
            NOTIFY,
            roles=cast(Any, None),  # resolved already: who acts is in the turn
            files=cast(Any, None),
            words=WORDS,
            rules=Rules(True, APPROVAL_TTL, Exports.CONSENT),
            clock=self.clock,
            changed=lambda: None,
            run_checks=cast(Any, None),
            link=cast(Any, None),
        )
        #: Batches and attempts that ran although an approver said that they did not.
        self.denied_wrongly: set[tuple[int, int]] = set()
        self.may_be_abandoned = False  # a day went by, or a batch was complete with open phones
        self.did: Counter[str] = Counter()
        self._rows = 0
        self._checked: dict[str, int] = {}  # the version of each request's snapshot checked last
        self._log = structlog.get_config()

    async def open(self) -> None:
        structlog.configure(
            processors=[self._watch],
            wrapper_class=structlog.make_filtering_bound_logger(0),
            cache_logger_on_first_use=False,
        )
        await self.database.empty()
        async with self.database.write() as tx:
            await conversations.remember(tx, _REFERENCE, self.clock())

    async def close(self) -> None:
        for replica in self.replicas:
            await replica.kill()
        self.database.observer = None
        structlog.configure(**self._log)

    def _watch(self, _: object, __: str, entry: MutableMapping[str, Any]) -> str:
        """Errors that end a task are only logged there: none but those made here may happen."""
        if entry.get("exc_info"):
            error = sys.exc_info()[1]
            if not isinstance(error, DatabaseLostError | ClientBugError):
                self.observer.fail(f"{entry.get('event')}: {error!r}")
        if entry.get("event") == "batch.submitted" and not entry.get("recorded"):
            self.did["acknowledgment not recorded"] += 1
        raise structlog.DropEvent

    # The oracles ------------------------------------------------------------------------------

    def _submit(self, call: Call) -> None:
        """A submit leaves: its intent is committed, and held for as long as an answer may take."""
        row = self.observer.committed.batches[call.batch.id]
        answer_by = self.clock() + timedelta(seconds=self.ledger.submit_timeout)
        if (
            (row.state, row.attempt, row.owner)
            != (BatchState.INTENT, call.batch.attempt, call.process.name)
            or row.lease_until is None
            or row.lease_until <= answer_by
        ):
            self.observer.fail(f"{call.process.name} submits a batch that it does not hold: {row}")
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
        if len(running) >= 3:
            self.observer.fail(f"a fourth batch runs in {call.batch.region}")

    def _question(self, batch_id: int, attempt: int) -> None:
        self.did["question"] += 1
        if self.ledger.in_doubt((batch_id, attempt)):
            self.observer.fail(f"an approver is asked about batch {batch_id} while it may arrive")

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

    # People -----------------------------------------------------------------------------------

    async def draft(self, regions: list[Region], *, with_bad_row: bool) -> str:
        rows = [self._row(region, ready=True) for region in regions]
        if with_bad_row:
            rows.append(self._row(regions[0], ready=False))
        async with self.database.write() as tx:
            return await lifecycle.draft(
                tx,
                NOTIFY,
                new_request(),
                Roster("phones.csv", rows, (), ()),
                self.clock(),
            )

    def _row(self, region: Region, *, ready: bool) -> RosterRow:
        self._rows += 1
        return RosterRow(
            self._rows + 1,
            f"lobby{self._rows}@contoso.com",
            f"80-5E-C0-00-00-{self._rows:02X}",
            region,
            ready,
        )

    async def load(self, request_id: str) -> Request:
        async with self.database.read() as tx:
            request = await requests.load(tx, request_id)
        assert request is not None
        return request

    async def request_approval(self, request_id: str) -> None:
        request = await self.load(request_id)
        await approval.request_approval(self.commands, _turn(ADMIN), request, _inputs())

    async def approve(self, request_id: str) -> None:
        request = await self.load(request_id)
        await approval.approve(self.commands, _turn(APPROVER), request, _inputs(acknowledge=True))

    async def reject(self, request_id: str) -> None:
        await approval.reject(
            self.commands, _turn(APPROVER), await self.load(request_id), _inputs()
        )

    async def withdraw(self, request_id: str) -> None:
        await approval.withdraw(self.commands, _turn(ADMIN), await self.load(request_id), _inputs())

    async def cancel(self, request_id: str) -> None:
        await cancel.cancel(self.commands, _turn(ADMIN), await self.load(request_id), _inputs())

    async def retry(self, request_id: str) -> None:
        await retry.retry_failed(
            self.commands, _turn(ADMIN), await self.load(request_id), _inputs()
        )

    async def questions(self) -> list[Batch]:
        async with self.database.read() as tx:
            return await batches.select_where(tx, BatchRow.state == BatchState.NEEDS_PERSON.value)

    async def answer(self, question: Batch, answer: str, remote_batch_id: str = "") -> None:
        """An approver answers, as on the card."""
        ran = self.ledger.of((question.id, question.attempt))
        if answer == "not_run" and ran is not None:
            self.denied_wrongly.add((question.id, question.attempt))
        await reconcile.reconcile(
            self.commands,
            _turn(APPROVER),
            await self.load(question.request_id),
            _inputs(
                batch=question.id,
                attempt=question.attempt,
                answer=answer,
                batch_id=remote_batch_id,
            ),
        )

    async def answer_rightly(self, question: Batch) -> None:
        """As an approver does who looks at what the SIP Gateway has."""
        ran = self.ledger.of((question.id, question.attempt))
        if ran is None:
            await self.answer(question, "not_run")
            return
        async with self.database.read() as tx:
            taken = await batches.known_remote_batch_ids(tx, question.tenant_id)
        if ran.id not in taken:
            await self.answer(question, "ran", ran.id)
            return
        # Only after a wrong answer: the batch that ran was found for another attempt since.
        if not self._is_tainted(question.id):
            self.observer.fail(f"{ran.id} of batch {question.id} was taken for another batch")
        await self.answer(question, "not_run")

    def may_match(self, question: Batch) -> bool:
        """True if another batch has the same phones, which only wrong answers and retries lead to."""
        ours = {(p.username, p.hardware_id) for p in self.observer.committed.phones_of(question.id)}
        return any(
            ours == {(phone.username, phone.hardware_id) for phone in remote.phones}
            for remote in self.ledger.accepted
            if (remote.batch.id, remote.batch.attempt) != (question.id, question.attempt)
        )

    # Time -------------------------------------------------------------------------------------

    async def tick(self, seconds: float) -> None:
        self.clock.now += timedelta(seconds=seconds)
        await self.ledger.time_passed()

    async def pass_deadlines(self) -> None:
        await self.deadlines._round()  # pyright: ignore[reportPrivateUsage]

    async def publish(self) -> None:
        """One round of the publisher, and the deliveries that it starts."""
        await self.publisher._round()  # pyright: ignore[reportPrivateUsage]
        deliveries = self.publisher._deliveries  # pyright: ignore[reportPrivateUsage]
        await asyncio.gather(*deliveries.values())

    # The end ----------------------------------------------------------------------------------

    def _is_tainted(self, batch_id: int) -> bool:
        """A wrong answer was given about this batch, or about phones that it has."""
        tainted = {
            phone.key
            for remote in self.ledger.accepted
            if (remote.batch.id, remote.batch.attempt) in self.denied_wrongly
            for phone in remote.phones
        }
        rows = self.observer.committed.phones_of(batch_id)
        return any((row.username.casefold(), row.hardware_id.upper()) in tainted for row in rows)

    def running(self) -> list[str]:
        images = self.observer.committed.requests
        return [id_ for id_, row in images.items() if row.state is RequestState.RUNNING]

    def check_nothing_lost(self) -> None:
        """Every phone has the status that the ledger gives it."""
        image = self.observer.committed
        for batch_id, row in image.batches.items():
            if image.requests[row.request_id].state is RequestState.RUNNING:
                continue
            if self._is_tainted(batch_id):
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

    async def check_chat(self) -> None:
        """With time, every card shows its request as it is."""
        self.chat.up = True
        due: list[Post] = []
        for _ in range(200):
            async with self.database.read() as tx:
                due = await posts.due(tx)
            if not due:
                return
            await self.publish()
            self.clock.now += timedelta(seconds=TIMING.card_seconds)
        raise AssertionError(f"{len(due)} posts are never delivered")


def _turn(person: Person) -> Turn:
    actor = Actor(person, TENANT, may_request=True, may_approve=person is APPROVER)
    return Turn(actor, _REFERENCE)


def _inputs(**data: object) -> Inputs:
    return Inputs(data)


def _numbers(tally: object) -> Mapping[str, int]:
    names = ("pending", "in_progress", "signed_in", "failed", "not_run", "unconfirmed")
    return {name: getattr(tally, name) for name in names if getattr(tally, name)}
