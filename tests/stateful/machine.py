"""The rules: what people, the SIP Gateway, the database and the operating system may do next."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.phones.region import Region
from bot.signin.request import NOTHING_RAN, TERMINAL_REQUEST_STATES, RequestState
from tests.stateful.databases import ObservedDatabase, Outage
from tests.stateful.ledger import OFFLINE, Call, Fate, Reads, RemoteBatch
from tests.stateful.process import Process
from tests.stateful.world import APPROVAL_TTL, Replica, World

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_REQUESTS = 4
MAX_REPLICAS = 3
DAY = 86400.0
#: Chosen around what the intervals make a difference between.
SECONDS = st.sampled_from([0.0, 6.0, 31.0, 61.0, 91.0, 121.0, 301.0])
PICK = st.integers(0, 7)
#: Of the phones of a request; a batch has two phones here, so there is often more than one region fits.
REGIONS = st.lists(
    st.sampled_from([Region.EMEA, Region.EMEA, Region.EMEA, Region.NOAM]), min_size=3, max_size=10
)
FATES = st.sampled_from([Fate.ACKNOWLEDGED, Fate.ACKNOWLEDGED, Fate.LOST, *Fate])


@dataclass(eq=False)
class Tally:
    """What all examples of a test did together."""

    examples: int = 0
    steps: int = 0
    transactions: int = 0
    did: Counter[str] = field(default_factory=Counter[str])
    edges: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])


@dataclass(frozen=True, slots=True)
class Setting:
    """What the examples of a test share."""

    loop: asyncio.AbstractEventLoop
    database: ObservedDatabase
    tally: Tally

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.loop.run_until_complete(work)


def pick(items: Sequence[Item], number: int) -> Item:
    return items[number % len(items)]


class WorkerMachine(RuleBasedStateMachine):
    setting: ClassVar[Setting]  #: of the test, which runs a subclass

    def __init__(self) -> None:
        super().__init__()
        self.world: World
        self._names = 0
        self._published = 0  # transactions when the publisher ran last

    @initialize(submit_timeout=st.sampled_from([60.0, 180.0]), regions=REGIONS)
    def begin(self, submit_timeout: float, regions: list[Region]) -> None:
        """ConfigAPI and PowerShell differ in how long a submit may take."""
        self.world = World(self.setting.database, submit_timeout)
        self.setting.run(self.world.open())
        self._start()
        self._ask(regions, bad_row=False, approve=True)

    # What there is ----------------------------------------------------------------------------

    def _requests(self, *states: RequestState) -> list[str]:
        if not hasattr(self, "world"):
            return []
        images = self.world.observer.committed.requests
        return [id_ for id_, row in images.items() if row.state in states]

    def _replicas(self) -> list[Replica]:
        return [each for each in self.world.replicas if each.alive] if self._begun else []

    @property
    def _begun(self) -> bool:
        return hasattr(self, "world")

    def _working(self) -> list[Replica]:
        return [each for each in self._replicas() if each.working]

    def _paused(self) -> list[Process]:
        return [each.process for each in self._replicas() if each.process.paused]

    def _undecided(self) -> list[Call]:
        calls = self.world.ledger.calls if self._begun else []
        return [call for call in calls if call.fate is None]

    def _unanswered(self) -> list[Call]:
        calls = self.world.ledger.calls if self._begun else []
        return [call for call in calls if not (call.process.dead or call.process.paused)]

    def _remotes(self) -> list[RemoteBatch]:
        accepted = self.world.ledger.accepted if self._begun else []
        return [remote for remote in accepted if remote.open]

    def _did(self, what: str) -> None:
        self.setting.tally.steps += 1
        self.world.did[what] += 1

    # Processes --------------------------------------------------------------------------------

    def _start(self) -> None:
        self._names += 1
        self.world.replicas.append(Replica(f"replica-{self._names}", self.world))

    def _may_start(self) -> bool:
        # An SQLite file is locked by the one process that works on it.
        most = 1 if self.setting.database.sqlite else MAX_REPLICAS
        return self._begun and len(self._replicas()) < most

    @precondition(_may_start)
    @rule()
    def start_worker(self) -> None:
        self._did("start")
        self._start()

    @precondition(lambda self: bool(self._working()))
    @rule(seconds=SECONDS)
    def work(self, seconds: float) -> None:
        """Time passes, and every worker does all that it can."""
        self._did("work")
        self._everybody_works(seconds)

    def _everybody_works(self, seconds: float) -> None:
        self.setting.run(self.world.tick(seconds))
        for replica in self._working():
            self.setting.run(replica.run())

    @precondition(lambda self: bool(self._working()))
    @rule(seconds=SECONDS, fates=st.lists(FATES, min_size=1, max_size=3), phones=st.integers(0, 2))
    def life_goes_on(self, seconds: float, fates: list[Fate], phones: int) -> None:
        """The same, and the SIP Gateway does something about everything that it was sent."""
        self._did("life goes on")
        self._everybody_works(seconds)
        for number, call in enumerate(self._unanswered()):
            self._answer_call(call, pick(fates, number))
        for remote in self._remotes():
            for phone in remote.open[:phones]:
                remote.results[phone.key] = ""
        self._everybody_works(6.0)

    @precondition(lambda self: bool(self._working()))
    @rule(seconds=st.sampled_from([91.0, 121.0]), times=st.integers(1, 4))
    def time_passes(self, seconds: float, times: int) -> None:
        """Enough for questions to come up."""
        self._did("time passes")
        for _ in range(times):
            self._everybody_works(seconds)

    @precondition(lambda self: bool(self._working()))
    @rule(number=PICK, stop=PICK, steps=st.integers(1, 6))
    def step(self, number: int, stop: int, steps: int) -> None:
        """One worker goes on a little, its tasks in any order."""
        self._did("step")
        replica = pick(self._working(), number)
        self.setting.run(replica.begin_round())
        for _ in range(steps):
            if replica.process.ready:
                self.setting.run(replica.process.release(pick(replica.process.ready, stop)))
        self.setting.run(replica.notice_end())

    @precondition(lambda self: bool(self._replicas()))
    @rule(number=PICK, gracefully=st.sampled_from([False, False, True]), restart=st.booleans())
    def end_process(self, number: int, gracefully: bool, restart: bool) -> None:
        replica = pick(self._replicas(), number)
        if not gracefully or replica.process.paused:
            self._did("crash")
            self.setting.run(replica.kill())
            self.world.ledger.forget(replica.process)
        elif not replica.draining:
            self._did("stop")
            self.setting.run(replica.begin_drain())
        if restart and self._may_start():
            self._start()

    @precondition(lambda self: bool(self._working()))
    @rule(number=PICK, seconds=st.sampled_from([0.0, 121.0, 301.0]))
    def pause(self, number: int, seconds: float) -> None:
        """The process is stopped where it is; time goes on for everybody else."""
        self._did("pause")
        pick(self._working(), number).process.paused = True
        self.setting.run(self.world.tick(seconds))

    @precondition(lambda self: bool(self._paused()))
    @rule(number=PICK)
    def resume(self, number: int) -> None:
        self._did("resume")
        pick(self._paused(), number).paused = False

    @precondition(lambda self: any(not each.database.outages for each in self._working()))
    @rule(number=PICK, outages=st.lists(st.sampled_from(Outage), min_size=1, max_size=4))
    def lose_database(self, number: int, outages: list[Outage]) -> None:
        self._did("database")
        pick(self._working(), number).database.outages += outages

    # Time -------------------------------------------------------------------------------------

    @precondition(lambda self: bool(self._remotes()))
    @rule(seconds=st.sampled_from([3700.0, DAY + 60]))
    def silence(self, seconds: float) -> None:
        """Nothing happens for an hour, or for a day."""
        self._did("silence")
        self.world.may_be_abandoned |= seconds > DAY
        self.setting.run(self.world.tick(seconds))

    # The SIP Gateway --------------------------------------------------------------------------

    @precondition(lambda self: bool(self._undecided()))
    @rule(number=PICK, fate=FATES)
    def submit_arrives(self, number: int, fate: Fate) -> None:
        """The answer is still on its way."""
        self._did("arrive")
        self.world.ledger.arrive(pick(self._undecided(), number), fate)

    @precondition(lambda self: bool(self._unanswered()))
    @rule(number=PICK, fate=FATES)
    def submit_is_answered(self, number: int, fate: Fate) -> None:
        self._did("answer")
        self._answer_call(pick(self._unanswered(), number), fate)

    def _answer_call(self, call: Call, fate: Fate) -> None:
        if call.fate is None:
            self.world.ledger.arrive(call, fate)
        self.world.did[f"submit {call.fate}"] += 1
        self.setting.run(self.world.ledger.deliver(call))

    @precondition(lambda self: bool(self._remotes()))
    @rule(number=PICK, phones=st.integers(1, 2), fails=st.booleans())
    def phones_end(self, number: int, phones: int, fails: bool) -> None:
        self._did("phones end")
        remote = pick(self._remotes(), number)
        for phone in remote.open[:phones]:
            remote.results[phone.key] = OFFLINE if fails else ""

    @precondition(lambda self: bool(self._remotes()))
    @rule(number=PICK)
    def completed_too_early(self, number: int) -> None:
        """The batch is called complete while phones of it are open."""
        self._did("completed too early")
        self.world.may_be_abandoned = True
        pick(self._remotes(), number).completed = True

    @precondition(lambda self: bool(self._remotes()))
    @rule(reads=st.sampled_from([Reads.HEALTHY, *Reads]))
    def reads_change(self, reads: Reads) -> None:
        self._did(f"reads {reads}")
        self.world.ledger.reads = reads

    @precondition(lambda self: bool(self._remotes()))
    @rule(
        number=PICK,
        lag=st.sampled_from([0.0, 100.0, 400.0]),
        details=st.booleans(),
        omit=st.booleans(),
    )
    def summaries_change(self, number: int, lag: float, details: bool, omit: bool) -> None:
        self._did("summaries")
        ledger = self.world.ledger
        ledger.lag_seconds, ledger.details = lag, details
        ledger.omitted = {pick(self._remotes(), number).id} if omit else set()

    # People -----------------------------------------------------------------------------------

    @precondition(lambda self: self._begun and len(self._requests(*RequestState)) < MAX_REQUESTS)
    @rule(regions=REGIONS, bad_row=st.booleans(), approve=st.booleans())
    def ask(self, regions: list[Region], bad_row: bool, approve: bool) -> None:
        self._did("ask")
        self._ask(regions, bad_row=bad_row, approve=approve)

    def _ask(self, regions: list[Region], *, bad_row: bool, approve: bool) -> None:
        request_id = self.setting.run(self.world.draft(regions, with_bad_row=bad_row))
        self.setting.run(self.world.request_approval(request_id))
        if approve:
            self.setting.run(self.world.approve(request_id))

    @precondition(lambda self: bool(self._requests(RequestState.DRAFT, RequestState.WAITING)))
    @rule(number=PICK, how=st.sampled_from(["approve", "reject", "withdraw", "expire"]))
    def decide(self, number: int, how: str) -> None:
        self._did(how)
        world, run = self.world, self.setting.run
        request_id = pick(self._requests(RequestState.DRAFT, RequestState.WAITING), number)
        if how == "withdraw":
            run(world.withdraw(request_id))
            return
        run(world.request_approval(request_id))  # of a retry; changes nothing otherwise
        if how == "approve":
            run(world.approve(request_id))
        elif how == "reject":
            run(world.reject(request_id))
        else:
            run(world.tick(APPROVAL_TTL / 2))
            run(world.pass_deadlines())
            run(world.tick(APPROVAL_TTL / 2))
            run(world.approve(request_id) if number % 2 else world.pass_deadlines())

    @precondition(lambda self: bool(self._requests(RequestState.RUNNING)))
    @rule(number=PICK)
    def cancel(self, number: int) -> None:
        self._did("cancel")
        request_id = pick(self._requests(RequestState.RUNNING), number)
        self.setting.run(self.world.cancel(request_id))

    def _retryable(self) -> list[str]:
        if len(self._requests(*RequestState)) >= MAX_REQUESTS:
            return []
        return self._requests(*(TERMINAL_REQUEST_STATES - NOTHING_RAN))

    @precondition(lambda self: bool(self._retryable()))
    @rule(number=PICK, approve=st.booleans())
    def retry(self, number: int, approve: bool) -> None:
        self._did("retry")
        self.setting.run(self.world.retry(pick(self._retryable(), number)))
        if approve:
            for request_id in self._requests(RequestState.DRAFT):
                self.setting.run(self.world.request_approval(request_id))
                self.setting.run(self.world.approve(request_id))

    @precondition(lambda self: self._begun and bool(self.setting.run(self.world.questions())))
    @rule(
        number=PICK,
        answer=st.sampled_from(["rightly", "rightly", "check", "not_run", "ran as another"]),
        other=PICK,
    )
    def answer(self, number: int, answer: str, other: int) -> None:
        world, run = self.world, self.setting.run
        question = pick(run(world.questions()), number)
        self._did(f"answer {answer}")
        if answer == "rightly":
            run(world.answer_rightly(question))
        elif answer == "ran as another":
            # Never believed: it is of other phones, or taken, or there is no such batch.
            ours = world.ledger.of((question.id, question.attempt))
            others = [each.id for each in world.ledger.accepted if each is not ours]
            before = world.observer.committed.batches[question.id]
            run(world.answer(question, "ran", pick([*others, "no-such-batch"], other)))
            after = world.observer.committed.batches[question.id]
            assert before == after or world.may_match(question), "a wrong batch id was believed"
        else:
            run(world.answer(question, answer))

    def _unpublished(self) -> bool:
        return self._begun and self.world.observer.transactions >= self._published + 10

    @precondition(_unpublished)
    @rule(chat_up=st.sampled_from([True, True, False]))
    def publish(self, chat_up: bool) -> None:
        self._did("publish")
        self._published = self.world.observer.transactions
        self.world.chat.up = chat_up
        self.setting.run(self.world.publish())

    # What always holds ------------------------------------------------------------------------

    @invariant()
    def nothing_is_wrong(self) -> None:
        if self._begun:
            self.world.check()
            self.setting.run(self.world.check_cards())

    def teardown(self) -> None:
        if not self._begun:
            return
        try:
            if not self.world.observer.violations:
                self.setting.run(self._until_all_is_over())
                self._record()
        finally:
            self.setting.run(self.world.close())

    async def _until_all_is_over(self) -> None:
        """Once everything works again, every request ends, and ends as the ledger says."""
        world = self.world
        ledger = world.ledger
        ledger.reads, ledger.lag_seconds, ledger.omitted = Reads.HEALTHY, 0.0, set()
        for replica in self._replicas():
            replica.process.paused = False
            replica.database.outages.clear()
        for _ in range(80):
            if not world.running():
                break
            if not any(not replica.draining for replica in self._working()):
                for replica in self._replicas():
                    await replica.kill()
                    ledger.forget(replica.process)
                self._start()
            for call in list(self._undecided()):
                ledger.arrive(call, Fate.ACKNOWLEDGED)
            for call in list(self._unanswered()):
                await ledger.deliver(call)
            for replica in self._working():
                await replica.run()
            for remote in self._remotes():
                remote.results |= dict.fromkeys((phone.key for phone in remote.open), "")
            for question in await world.questions():
                await world.answer_rightly(question)
            world.check()
            await world.tick(31)
        world.check()
        assert not world.running(), f"never ends: {world.observer.committed.batches}"
        world.check_nothing_lost()
        await world.check_cards()
        if self.setting.tally.examples % 4 == 0:  # many queries
            await world.check_chat()
        world.check()

    def _record(self) -> None:
        tally, world = self.setting.tally, self.world
        tally.examples += 1
        tally.transactions += world.observer.transactions
        tally.did += world.did
        tally.edges += Counter(
            {(str(before), str(after)): n for (before, after), n in world.observer.seen.items()}
        )
        for what in ("question", "accepted", "crash"):
            event(f"{what}: {min(world.did[what], 3)}")
