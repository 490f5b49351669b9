"""What all rules share: what there is to choose from, what always holds, and how an example ends."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from bot.phones.region import Region
from bot.signin.batch import BatchState
from bot.signin.request import RequestState
from tests.stateful.databases import ObservedDatabase
from tests.stateful.ledger import Call, Fate, Reads, RemoteBatch
from tests.stateful.process import Process
from tests.stateful.replica import Replica
from tests.stateful.world import World

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
#: Seconds; the last two are more than the SIP Gateway is assumed to need.
LAGS = st.sampled_from([0.0, 60.0, 100.0, 400.0])
#: Fates of a submit whose answer proves something.
PROOFS = [Fate.ACKNOWLEDGED, Fate.THROTTLED, Fate.UNREACHABLE, Fate.DENIED]
FATES = st.sampled_from([Fate.ACKNOWLEDGED, Fate.ACKNOWLEDGED, Fate.LOST, *Fate])


@dataclass(eq=False)
class Tally:
    """What all examples of a test did together."""

    examples: int = 0
    steps: int = 0
    transactions: int = 0
    did: Counter[str] = field(default_factory=Counter[str])
    #: The states before each step, and the step.
    trace: list[tuple[object, ...]] = field(default_factory=list[tuple[object, ...]])
    edges: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])


@dataclass(frozen=True, slots=True)
class Setting:
    """What the examples of a test share."""

    loop: asyncio.AbstractEventLoop
    database: ObservedDatabase
    tally: Tally

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.loop.run_until_complete(_bounded(work))


async def _bounded(work: Coroutine[Any, Any, Result]) -> Result:
    # Nothing here waits for time to pass. This only ends a test that would hang forever, and the end of
    # an example is many transactions in one piece.
    async with asyncio.timeout(300):
        return await work


def pick(items: Sequence[Item], number: int) -> Item:
    return items[number % len(items)]


class Base(RuleBasedStateMachine):
    setting: ClassVar[Setting]  #: of the test, which runs a subclass

    def __init__(self) -> None:
        super().__init__()
        self.world: World
        self._steps = 0
        self._several = True  # replicas on one database
        self._published = 0  # transactions when the publisher ran last

    @initialize(
        submit_timeout=st.sampled_from([60.0, 180.0]),
        regions=REGIONS,
        several=st.booleans(),
        lag=LAGS,
    )
    def begin(
        self, submit_timeout: float, regions: list[Region], several: bool, lag: float
    ) -> None:
        """ConfigAPI and PowerShell differ in how long a submit may take."""
        # In production an SQLite file is locked by the one process that works on it. Here several may,
        # as on PostgreSQL and much faster.
        self._several = several or not self.setting.database.sqlite
        self.world = World(self.setting.database, submit_timeout)
        self.world.ledger.lag_seconds = lag
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

    def _questions(self) -> bool:
        batches = self.world.observer.committed.batches.values() if self._begun else ()
        return any(batch.state is BatchState.NEEDS_PERSON for batch in batches)

    def _did(self, what: str) -> None:
        self._steps += 1
        self.setting.tally.steps += 1
        self.world.did[what] += 1
        image = self.world.observer.committed
        self.setting.tally.trace.append(
            (
                what,
                *((id_, row.state, row.version) for id_, row in image.requests.items()),
                *((id_, row.state, row.attempt, row.owner) for id_, row in image.batches.items()),
            )
        )

    def _start(self) -> None:
        self.world.start(sole=not self._several)

    def _may_start(self) -> bool:
        return self._begun and len(self._replicas()) < (MAX_REPLICAS if self._several else 1)

    def _everybody_works(self, seconds: float) -> None:
        self.setting.run(self.world.work(seconds))

    def _answer_call(self, call: Call, fate: Fate) -> None:
        self.setting.run(self.world.answer(call, fate))

    def _ask(self, regions: list[Region], *, bad_row: bool, approve: bool) -> None:
        self.setting.run(self.world.ask(regions, bad_row=bad_row, approve=approve))

    # What always holds ------------------------------------------------------------------------

    @invariant()
    def nothing_is_wrong(self) -> None:
        if self._begun:
            self.world.oracles.check()
            if self._steps % 3 == 0:  # many queries
                self.setting.run(self.world.oracles.check_cards())

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
                    await world.kill(replica)
                self._start()
            for call in list(self._undecided()):
                ledger.arrive(call, Fate.ACKNOWLEDGED)
            for call in list(self._unanswered()):
                await ledger.deliver(call)
            for replica in self._working():
                await replica.run()
            for remote in self._remotes():
                remote.results |= dict.fromkeys((phone.key for phone in remote.open), "")
            for question in await world.people.questions():
                await world.people.answer_rightly(question)
            world.oracles.check()
            await world.tick(31)
        world.oracles.check()
        assert not world.running(), f"never ends: {world.observer.committed.batches}"
        world.oracles.check_nothing_lost()
        await world.oracles.check_cards()
        # Chosen by what only the example decides: Hypothesis repeats it.
        if world.observer.transactions % 4 == 0:  # many queries
            await world.check_chat()
        world.oracles.check()

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
