"""The rules: what people, the SIP Gateway, the database and the operating system may do next."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from bot.phones.region import Region
from bot.signin.request import NOTHING_RAN, TERMINAL_REQUEST_STATES, RequestState
from tests.stateful.base import (
    DAY,
    FATES,
    LAGS,
    MAX_REQUESTS,
    PICK,
    PROOFS,
    REGIONS,
    SECONDS,
    Base,
    pick,
)
from tests.stateful.databases import Outage
from tests.stateful.ledger import OFFLINE, Fate, Reads
from tests.stateful.people import APPROVAL_TTL


class ProcessRules(Base):
    @precondition(lambda self: self._may_start())
    @rule()
    def start_worker(self) -> None:
        self._did("start")
        self._start()

    @precondition(lambda self: bool(self._working()))
    @rule(seconds=SECONDS, rounds=st.integers(1, 3))
    def work(self, seconds: float, rounds: int) -> None:
        """Time passes, and every worker does all that it can."""
        self._did("work")
        self._everybody_works(seconds)
        for _ in range(1, rounds):
            self._everybody_works(1.0)

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
            self.setting.run(self.world.kill(replica))
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

    @precondition(lambda self: bool(self._working()))
    @rule(number=PICK, fate=st.sampled_from(PROOFS), crash=st.booleans())
    def take_over(self, number: int, fate: Fate, crash: bool) -> None:
        """A process that waits for an answer crashes, or stops until others have taken over."""
        self._did("take over")
        world, run = self.world, self.setting.run
        self._everybody_works(31.0)
        if not (calls := self._unanswered()):
            return
        call = pick(calls, number)
        if call.fate is None:
            world.ledger.arrive(call, fate)
        if crash or not self._may_start():
            for replica in self._working():
                if replica.process is call.process:
                    run(world.kill(replica))
        else:
            call.process.paused = True
        if self._may_start():
            self._start()
        for _ in range(7):
            self._everybody_works(91.0)
        for question in run(world.people.questions()):
            run(world.people.answer_rightly(question))
        self._everybody_works(6.0)
        if call.process.dead:
            return
        call.process.paused = False
        if call in world.ledger.calls:
            run(world.answer(call, fate))
        self._everybody_works(31.0)

    @precondition(lambda self: any(not each.database.outages for each in self._working()))
    @rule(number=PICK, outages=st.lists(st.sampled_from(Outage), min_size=1, max_size=4))
    def lose_database(self, number: int, outages: list[Outage]) -> None:
        self._did("database")
        pick(self._working(), number).database.outages += outages


class GatewayRules(Base):
    @precondition(lambda self: bool(self._remotes()))
    @rule(seconds=st.sampled_from([3700.0, DAY + 60]))
    def silence(self, seconds: float) -> None:
        """Nothing happens for an hour, or for a day."""
        self._did("silence")
        self.world.oracles.may_be_abandoned |= seconds > DAY
        self.setting.run(self.world.tick(seconds))

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
        self.world.oracles.may_be_abandoned = True
        pick(self._remotes(), number).completed = True

    @precondition(lambda self: bool(self._remotes()))
    @rule(reads=st.sampled_from([Reads.HEALTHY, *Reads]))
    def reads_change(self, reads: Reads) -> None:
        self._did(f"reads {reads}")
        self.world.ledger.reads = reads

    @precondition(lambda self: bool(self._remotes()))
    @rule(
        number=PICK,
        lag=LAGS,
        details=st.booleans(),
        omit=st.booleans(),
    )
    def summaries_change(self, number: int, lag: float, details: bool, omit: bool) -> None:
        self._did("summaries")
        ledger = self.world.ledger
        ledger.lag_seconds, ledger.details = lag, details
        ledger.omitted = {pick(self._remotes(), number).id} if omit else set()


class PeopleRules(Base):
    @precondition(lambda self: self._begun and len(self._requests(*RequestState)) < MAX_REQUESTS)
    @rule(regions=REGIONS, bad_row=st.booleans(), approve=st.booleans())
    def ask(self, regions: list[Region], bad_row: bool, approve: bool) -> None:
        self._did("ask")
        self._ask(regions, bad_row=bad_row, approve=approve)

    @precondition(lambda self: bool(self._requests(RequestState.DRAFT, RequestState.WAITING)))
    @rule(number=PICK, how=st.sampled_from(["approve", "reject", "withdraw", "expire"]))
    def decide(self, number: int, how: str) -> None:
        self._did(how)
        world, run = self.world, self.setting.run
        request_id = pick(self._requests(RequestState.DRAFT, RequestState.WAITING), number)
        if how == "withdraw":
            run(world.people.withdraw(request_id))
            return
        run(world.people.request_approval(request_id))  # of a retry; changes nothing otherwise
        if how == "approve":
            run(world.people.approve(request_id))
        elif how == "reject":
            run(world.people.reject(request_id))
        else:
            run(world.tick(APPROVAL_TTL / 2))
            run(world.pass_deadlines())
            run(world.tick(APPROVAL_TTL / 2))
            run(world.people.approve(request_id) if number % 2 else world.pass_deadlines())

    @precondition(lambda self: bool(self._requests(RequestState.RUNNING)))
    @rule(number=PICK)
    def cancel(self, number: int) -> None:
        self._did("cancel")
        request_id = pick(self._requests(RequestState.RUNNING), number)
        self.setting.run(self.world.people.cancel(request_id))

    def _retryable(self) -> list[str]:
        if len(self._requests(*RequestState)) >= MAX_REQUESTS:
            return []
        return self._requests(*(TERMINAL_REQUEST_STATES - NOTHING_RAN))

    @precondition(lambda self: bool(self._retryable()))
    @rule(number=PICK, approve=st.booleans())
    def retry(self, number: int, approve: bool) -> None:
        self._did("retry")
        self.setting.run(self.world.people.retry(pick(self._retryable(), number)))
        if approve:
            for request_id in self._requests(RequestState.DRAFT):
                self.setting.run(self.world.people.request_approval(request_id))
                self.setting.run(self.world.people.approve(request_id))

    @precondition(lambda self: self._questions())
    @rule(
        number=PICK,
        answer=st.sampled_from(["rightly", "rightly", "check", "not_run", "ran as another"]),
        other=PICK,
    )
    def answer(self, number: int, answer: str, other: int) -> None:
        world, run = self.world, self.setting.run
        question = pick(run(world.people.questions()), number)
        self._did(f"answer {answer}")
        if answer == "rightly":
            run(world.people.answer_rightly(question))
        elif answer == "ran as another":
            # Never believed: it is of other phones, or taken, or there is no such batch.
            ours = world.ledger.of((question.id, question.attempt))
            others = [each.id for each in world.ledger.accepted if each is not ours]
            before = world.observer.committed.batches[question.id]
            run(world.people.answer(question, "ran", pick([*others, "no-such-batch"], other)))
            after = world.observer.committed.batches[question.id]
            assert before == after or world.oracles.may_match(question), (
                "a wrong batch id was believed"
            )
        else:
            run(world.people.answer(question, answer))

    def _unpublished(self) -> bool:
        return self._begun and self.world.observer.transactions >= self._published + 10

    @precondition(_unpublished)
    @rule(chat_up=st.sampled_from([True, True, False]))
    def publish(self, chat_up: bool) -> None:
        self._did("publish")
        self._published = self.world.observer.transactions
        self.world.chat.up = chat_up
        self.setting.run(self.world.publish())


class WorkerMachine(ProcessRules, GatewayRules, PeopleRules):
    """All of them."""
