"""A small model of one region: two workers, three batches, two slots, an approver, a SIP Gateway.

What a state may become comes from the tables in `bot.signin`, so a change there changes the model. Each
action bears the name of the function that does it, or begins with `gateway:` or `environment:`.

Two facts about time are built in. A lease outlasts a submit, so none runs out while bytes are on their
way, except when a process that is alone with its database ends them all (`expire_all`). And the summaries
are read for longer than a submit takes before an approver is asked. Before it has marked its submit, a
worker need not know that its lease ran out: clocks differ.

A worker of an older version marks nothing, and asks about every intent whose lease ran out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from itertools import count
from typing import Any, NamedTuple

from bot.signin import batch as batch_states
from bot.signin import request as request_states
from bot.signin.batch import SLOT_HOLDING_STATES, TERMINAL_BATCH_STATES, BatchState
from bot.signin.request import TERMINAL_REQUEST_STATES, RequestState
from bot.signin.transition import Transition

BATCHES = 3
SLOTS = 2
WORKERS = (0, 1)
NOBODY = -1
ANY_NUMBER = -1

BatchTransition = Transition[BatchState]


class Task(IntEnum):
    """What a worker knows of the submit that it is making."""

    NONE = 0
    CLAIMED = 1  # nothing has been sent yet
    MARKED = 2  # nor now, but the mark says that it may have been
    LATE = 3  # nor can it be: the lease ran out before
    SENT = 4  # the bytes are on their way
    ACKNOWLEDGED = 5  # from here on the answer is there, and not yet recorded
    REJECTED = 6
    NOT_RUN = 7  # throttled, denied, or no connection
    LOST = 8  # no answer will come


class Submit(NamedTuple):
    task: Task = Task.NONE
    stale: bool = False  #: the batch was claimed again since: its attempt is a newer one


class _Fields(NamedTuple):
    state: BatchState = BatchState.PLANNED
    owner: int = NOBODY  #: who holds a lease that has not run out
    unsent: bool = False  #: of an intent: its claim is recorded as not sent yet
    submits: tuple[Submit, Submit] = (Submit(), Submit())  #: by worker
    orphaned: bool = False  #: bytes are on their way whose sender has died
    accepted: int = 0  #: how often it ran
    accepted_now: bool = False  #: it ran in its latest attempt
    running: int = 0  #: how many of these are not over
    asked: bool = False  #: an approver was asked about the latest attempt
    wrong: int = 0  #: how often an approver said "did not run" although it did


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """Equal batches are one object, so that states compare and hash by identity: that is fast."""

    fields: _Fields
    number: int

    @property
    def state(self) -> BatchState:
        return self.fields.state

    @property
    def owner(self) -> int:
        return self.fields.owner

    @property
    def unsent(self) -> bool:
        return self.fields.unsent

    @property
    def submits(self) -> tuple[Submit, Submit]:
        return self.fields.submits

    @property
    def orphaned(self) -> bool:
        return self.fields.orphaned

    @property
    def accepted(self) -> int:
        return self.fields.accepted

    @property
    def accepted_now(self) -> bool:
        return self.fields.accepted_now

    @property
    def running(self) -> int:
        return self.fields.running

    @property
    def asked(self) -> bool:
        return self.fields.asked

    @property
    def wrong(self) -> int:
        return self.fields.wrong

    def but(self, **changes: Any) -> Batch:
        return _batch(self.fields._replace(**changes))

    @property
    def on_its_way(self) -> bool:
        return self.orphaned or any(submit.task is Task.SENT for submit in self.submits)

    def with_submit(self, worker: int, submit: Submit) -> Batch:
        submits = list(self.submits)
        submits[worker] = submit
        return self.but(submits=(submits[0], submits[1]))

    def unowned(self) -> Batch:
        return self if self.owner == NOBODY else self.but(owner=NOBODY)

    def swapped(self) -> Batch:
        """The same with the workers' names exchanged."""
        owner = self.owner if self.owner == NOBODY else 1 - self.owner
        return self.but(owner=owner, submits=(self.submits[1], self.submits[0]))


_numbers = count()


@cache
def _batch(fields: _Fields) -> Batch:
    return Batch(fields, next(_numbers))


class State(NamedTuple):
    request: RequestState
    cancelling: bool
    alive: tuple[bool, bool]
    mishaps: int  #: how many more may happen; ANY_NUMBER is never used up
    batches: tuple[Batch, ...]  #: sorted: which is which makes no difference


@dataclass(frozen=True, slots=True)
class Rules:
    """What the model is built from; tests break one part at a time."""

    batch: Mapping[str, BatchTransition]  #: by name of the constant
    slot_holding: frozenset[BatchState] = SLOT_HOLDING_STATES
    fenced: bool = True  #: writes about an older attempt change nothing
    checks_lease: bool = True  #: a worker looks at its lease before it sends
    marks: bool = True  #: a worker marks its submit before it sends
    mark_fenced: bool = True  #: only while it holds the batch
    release_checks_mark: bool = True  #: what may have been sent is not released
    claim_tells_version: bool = True  #: a claim that will not be marked is not recorded as unsent


def tables() -> dict[str, BatchTransition]:
    """The transitions of `bot.signin.batch`, by the names of their constants."""
    return {
        name: value
        for name, value in vars(batch_states).items()
        if isinstance(value, Transition) and name.isupper()
    }


class Edge(NamedTuple):
    """One change of a batch's state, as the table has it."""

    name: str
    before: BatchState
    after: BatchState


class Step(NamedTuple):
    action: str
    batch: Batch
    edges: tuple[Edge, ...] = ()
    touches_request: bool = False  #: it looks whether the request is over
    mishap: bool = False


class Surroundings(NamedTuple):
    """What a batch's next steps depend on besides itself."""

    alive: tuple[bool, bool]
    cancelling: bool
    slot_free: bool
    may_err: bool  #: the approver has not been wrong yet
    may_fail: bool  #: there may be one more mishap


_BATCHES = "bot.lifecycle.batches."
_SUBMISSION = "bot.lifecycle.submission."
_POLLING = "bot.lifecycle.polling."
_RECONCILIATION = "bot.lifecycle.reconciliation."


@dataclass(frozen=True, eq=False)
class Model:
    rules: Rules
    alone: bool = False  #: one worker at a time, whose start ends all leases, as on SQLite
    older: frozenset[int] = frozenset()  #: workers of a version that knows of no mark
    approver_errs: bool = False  #: once
    mishaps: int = ANY_NUMBER  #: crashes, pauses, and answers or submits that are lost
    batches: int = BATCHES
    slots: int = SLOTS
    _steps: dict[tuple[Batch, Surroundings], tuple[Step, ...]] = field(
        default_factory=dict[tuple[Batch, Surroundings], tuple[Step, ...]]
    )

    def initial(self) -> State:
        return State(RequestState.DRAFT, False, (True, not self.alone), self.mishaps, ())

    # One batch --------------------------------------------------------------------------------

    def _become(self, name: str, batch: Batch) -> tuple[Batch, tuple[Edge, ...]] | None:
        """The batch after a transition of the table, None if the table has none from its state."""
        transition = self.rules.batch[name]
        if batch.state not in transition.before:
            return None
        after = transition.after
        return batch.but(state=after), (Edge(name, batch.state, after),)

    def _steps_of(self, batch: Batch, around: Surroundings) -> tuple[Step, ...]:
        key = (batch, around)
        if key not in self._steps:
            steps = self._local(batch, around)
            self._steps[key] = tuple(
                step._replace(batch=_relevant(step.batch))
                for step in steps
                if around.may_fail or not step.mishap
            )
        return self._steps[key]

    def _local(self, batch: Batch, around: Surroundings) -> Iterator[Step]:
        for worker in WORKERS:
            if around.alive[worker]:
                yield from self._claim(batch, worker, around)
                yield from self._submit(batch, worker, around)
                yield from self._follow(batch, worker)
        yield from self._gateway(batch)
        yield from self._approver(batch, around)
        if batch.owner != NOBODY and not batch.on_its_way:
            submits = batch.submits[batch.owner].task is not Task.NONE
            paused = around.alive[batch.owner] and submits
            yield Step("environment: lease runs out", _lapsed(batch, self.older), mishap=paused)

    def _claim(self, batch: Batch, worker: int, around: Surroundings) -> Iterator[Step]:
        claimed = self._become("CLAIM", batch)
        if claimed is None or not around.slot_free:
            return
        after, edges = claimed
        submits = [submit._replace(stale=submit.task is not Task.NONE) for submit in batch.submits]
        if submits[worker].task is Task.NONE:  # else its older submit is still under way
            submits[worker] = Submit(Task.CLAIMED)
        yield Step(
            _BATCHES + "claim",
            after.but(
                owner=worker,
                unsent=worker not in self.older or not self.rules.claim_tells_version,
                submits=(submits[0], submits[1]),
                accepted_now=False,
                asked=False,
            ),
            edges,
        )

    def _submit(self, batch: Batch, worker: int, around: Surroundings) -> Iterator[Step]:
        submit = batch.submits[worker]
        done = batch.with_submit(worker, Submit())
        match submit.task:
            case Task.NONE:
                if batch.state is BatchState.INTENT and batch.owner == NOBODY:
                    yield from self._lapsed_intent(batch, worker, around)
            case Task.CLAIMED:
                yield from self._mark_sending(batch, worker, around)
            case Task.MARKED:
                yield self._send(batch, worker)
            case Task.LATE if not self.rules.checks_lease:
                yield self._send(batch, worker)
            case Task.SENT:
                pass
            case Task.ACKNOWLEDGED:
                yield from self._acknowledge(done, worker, stale=submit.stale)
            case Task.REJECTED:
                after, edges = self._recorded("REJECT", done, stale=submit.stale)
                after = after.unowned() if edges else after
                yield Step(_SUBMISSION + "reject", after, edges, bool(edges))
            case Task.NOT_RUN | Task.LATE:
                yield from self._requeue(done, around, stale=submit.stale)
            case Task.LOST:
                yield from self._mark_unknown(done, stale=submit.stale)

    def _mark_sending(self, batch: Batch, worker: int, around: Surroundings) -> Iterator[Step]:
        submit = batch.submits[worker]
        held = batch.state is BatchState.INTENT and batch.owner == worker and not submit.stale
        if worker in self.older or not self.rules.marks:
            yield self._send(batch, worker)
        elif held or not self.rules.mark_fenced:
            marked = batch.but(unsent=False)
            marked = marked.with_submit(worker, submit._replace(task=Task.MARKED))
            yield Step(_SUBMISSION + "mark_sending", marked)
        else:
            yield from self._requeue(
                batch.with_submit(worker, Submit()), around, stale=submit.stale
            )

    @staticmethod
    def _send(batch: Batch, worker: int) -> Step:
        sent = batch.with_submit(worker, batch.submits[worker]._replace(task=Task.SENT))
        return Step("bot.runner.submission.Submission.submit", sent)

    def _lapsed_intent(self, batch: Batch, worker: int, around: Surroundings) -> Iterator[Step]:
        unsent = batch.unsent or not self.rules.release_checks_mark
        if worker in self.older or not unsent:
            yield from self._mark_unknown(batch)
            return
        released = self._become("RELEASE_UNSENT", batch)
        if released is not None:
            after, edges = self._left_out(*released, around.cancelling)
            yield Step(_SUBMISSION + "release_unsent", after, edges, True)

    def _recorded(self, name: str, batch: Batch, *, stale: bool) -> tuple[Batch, tuple[Edge, ...]]:
        """The batch after an answer, unchanged if the answer comes too late."""
        if stale and self.rules.fenced:
            return batch, ()
        return self._become(name, batch) or (batch, ())

    def _mark_unknown(self, batch: Batch, *, stale: bool = False) -> Iterator[Step]:
        after, edges = self._recorded("MARK_UNKNOWN", batch, stale=stale)
        yield Step(_SUBMISSION + "mark_unknown", after.unowned() if edges else after, edges)

    def _acknowledge(self, batch: Batch, worker: int, *, stale: bool) -> Iterator[Step]:
        after, edges = self._recorded("ACKNOWLEDGE", batch, stale=stale)
        if edges:
            after = after.but(owner=worker)
        yield Step(_SUBMISSION + "acknowledge", after, edges)

    def _requeue(self, batch: Batch, around: Surroundings, *, stale: bool) -> Iterator[Step]:
        after, edges = self._recorded("REQUEUE", batch, stale=stale)
        if edges:
            after = after.unowned()
            after, edges = self._left_out(after, edges, around.cancelling)
        yield Step(_SUBMISSION + "requeue", after, edges, bool(edges))

    def _left_out(
        self, batch: Batch, edges: tuple[Edge, ...], cancelling: bool
    ) -> tuple[Batch, tuple[Edge, ...]]:
        """What goes back to `planned` is left out if the request was cancelled meanwhile."""
        cancelled = self._become("CANCEL_PLANNED", batch) if cancelling else None
        return (batch, edges) if cancelled is None else (cancelled[0], edges + cancelled[1])

    def _follow(self, batch: Batch, worker: int) -> Iterator[Step]:
        if batch.state not in (BatchState.SUBMITTED, BatchState.UNKNOWN):
            return
        if batch.owner == NOBODY:
            yield Step("bot.store.leases.acquire", batch.but(owner=worker))
        if batch.owner != worker:
            return
        if batch.state is BatchState.SUBMITTED:
            completed = self._become("COMPLETE", batch)
            if completed is not None and not batch.running:
                yield Step(_POLLING + "complete", completed[0].unowned(), completed[1], True)
            return
        if batch.accepted:
            yield from self._acknowledge(batch, worker, stale=False)  # found in the summaries
        asked = self._become("ASK_APPROVER", batch)
        if asked is not None and not batch.on_its_way:
            after = asked[0].unowned().but(asked=True)
            yield Step(_RECONCILIATION + "ask_approver", after, asked[1])

    # The others -------------------------------------------------------------------------------

    def _gateway(self, batch: Batch) -> Iterator[Step]:
        if batch.running:
            yield Step("gateway: a batch ends", batch.but(running=batch.running - 1))
        if batch.orphaned:
            gone = batch.but(orphaned=False)
            yield Step("gateway: accepts from the dead", _accepted(gone, stale=False))
            yield Step("gateway: never hears of it", gone)
        for worker in WORKERS:
            submit = batch.submits[worker]
            if submit.task is not Task.SENT:
                continue

            def answered(task: Task, worker: int = worker, submit: Submit = submit) -> Batch:
                return batch.with_submit(worker, submit._replace(task=task))

            stale = submit.stale
            yield Step("gateway: accepts", _accepted(answered(Task.ACKNOWLEDGED), stale=stale))
            unheard = _accepted(answered(Task.LOST), stale=stale)
            yield Step("gateway: accepts, answer lost", unheard, mishap=True)
            yield Step("gateway: submit lost", answered(Task.LOST), mishap=True)
            yield Step("gateway: rejects", answered(Task.REJECTED))
            yield Step("gateway: throttles", answered(Task.NOT_RUN))

    def _approver(self, batch: Batch, around: Surroundings) -> Iterator[Step]:
        if batch.state is not BatchState.NEEDS_PERSON:
            return
        if (again := self._become("CHECK_AGAIN", batch)) is not None:
            yield Step(_RECONCILIATION + "check_again", again[0].unowned(), again[1])
        ran = self._become("CONFIRM_RAN", batch)
        if ran is not None and batch.accepted_now:  # believed only if the SIP Gateway has it
            yield Step(_RECONCILIATION + "confirm_ran", ran[0].unowned(), ran[1])
        not_run = self._become("CONFIRM_NOT_RUN", batch)
        if not_run is not None and (around.may_err or not batch.accepted_now):
            after = not_run[0].unowned().but(wrong=batch.wrong + batch.accepted_now)
            after, edges = self._left_out(after, not_run[1], around.cancelling)
            yield Step(_RECONCILIATION + "confirm_not_run", after, edges, True)

    # Everything -------------------------------------------------------------------------------

    def steps(self, state: State) -> Iterator[tuple[str, State, tuple[Edge, ...]]]:
        """All that can happen next: the action, the state after it, and what batches became."""
        yield from self._requests(state)
        if not state.batches:
            return
        holding = sum(batch.state in self.rules.slot_holding for batch in state.batches)
        around = Surroundings(
            state.alive,
            state.cancelling,
            holding < self.slots,
            self.approver_errs and not any(batch.wrong for batch in state.batches),
            state.mishaps != 0,
        )
        for number, batch in enumerate(state.batches):
            if number and batch is state.batches[number - 1]:
                continue  # like the one before
            for step in self._steps_of(batch, around):
                batches = list(state.batches)
                batches[number] = step.batch
                after = state._replace(batches=tuple(batches))
                if step.mishap:
                    after = _mishap(after)
                yield step.action, self._ended(after) if step.touches_request else after, step.edges
        yield from self._processes(state)

    def _requests(self, state: State) -> Iterator[tuple[str, State, tuple[Edge, ...]]]:
        functions: Mapping[str, Transition[RequestState]] = {
            "request_approval": request_states.REQUEST_APPROVAL,
            "withdraw": request_states.WITHDRAW,
            "approve": request_states.APPROVE,
            "reject": request_states.REJECT,
            "expire": request_states.EXPIRE,
            "cancel": request_states.CANCEL,
        }
        for name, transition in functions.items():
            if state.request not in transition.before or (name == "cancel" and state.cancelling):
                continue
            after = state._replace(request=transition.after)
            edges: tuple[Edge, ...] = ()
            if name == "approve":
                after = after._replace(batches=(_batch(_Fields()),) * self.batches)
            if name == "cancel":
                left = [self._become("CANCEL_PLANNED", batch) for batch in after.batches]
                pairs = zip(after.batches, left, strict=True)
                batches = tuple(batch if out is None else out[0] for batch, out in pairs)
                edges = tuple(edge for out in left if out for edge in out[1])
                after = self._ended(after._replace(cancelling=True, batches=batches))
            module = "asking" if name == "request_approval" else "requests"
            yield f"bot.lifecycle.{module}.{name}", after, edges
        if state.request is RequestState.RUNNING:
            followed = (BatchState.SUBMITTED, BatchState.UNKNOWN)
            batches = tuple(b.unowned() if b.state in followed else b for b in state.batches)
            yield "bot.lifecycle.delegations.grant", state._replace(batches=batches), ()

    @staticmethod
    def _ended(state: State) -> State:
        """`end_if_over`, which is part of every transition that may have been the last."""
        states = {batch.state for batch in state.batches}
        if state.request is not RequestState.RUNNING or states - TERMINAL_BATCH_STATES:
            return state
        cancelled = BatchState.CANCELLED in states
        end = request_states.END_CANCELLED if cancelled else request_states.END_FINISHED
        return state._replace(request=end.after)

    def _processes(self, state: State) -> Iterator[tuple[str, State, tuple[Edge, ...]]]:
        for worker in WORKERS:
            if state.alive[worker] and state.mishaps:
                batches = tuple(_crashed(batch, worker) for batch in state.batches)
                yield "environment: crash", _mishap(_alive(state, worker, False, batches)), ()
            elif state.alive[worker]:
                pass
            elif not self.alone:
                yield "environment: start", _alive(state, worker, True, state.batches), ()
            elif not any(state.alive):
                batches = tuple(_lapsed(batch, self.older) for batch in state.batches)
                yield "bot.store.leases.expire_all", _alive(state, worker, True, batches), ()


@cache
def _lapsed(batch: Batch, older: frozenset[int]) -> Batch:
    """The lease ran out; a worker that had not sent by then was paused."""
    for worker in WORKERS:
        submit = batch.submits[worker]
        if submit.task is Task.MARKED or (submit.task is Task.CLAIMED and worker in older):
            batch = batch.with_submit(worker, submit._replace(task=Task.LATE))
    return batch.unowned()


def _relevant(batch: Batch) -> Batch:
    """Without what makes no difference any more."""
    if batch.unsent and batch.state is not BatchState.INTENT:
        batch = batch.but(unsent=False)
    if batch.asked and not batch.running:
        batch = batch.but(asked=False)
    if batch.state in TERMINAL_BATCH_STATES and batch.accepted_now:
        batch = batch.but(accepted_now=False)
    return batch


def _accepted(batch: Batch, *, stale: bool) -> Batch:
    return batch.but(
        accepted=batch.accepted + 1,
        running=batch.running + 1,
        accepted_now=batch.accepted_now or not stale,
    )


@cache
def _crashed(batch: Batch, worker: int) -> Batch:
    sent = batch.submits[worker].task is Task.SENT
    return batch.with_submit(worker, Submit()).but(orphaned=batch.orphaned or sent)


def _mishap(state: State) -> State:
    return state._replace(mishaps=state.mishaps - 1) if state.mishaps > 0 else state


def _alive(state: State, worker: int, alive: bool, batches: tuple[Batch, ...]) -> State:
    both = list(state.alive)
    both[worker] = alive
    return state._replace(alive=(both[0], both[1]), batches=batches)


# What must hold in every state ----------------------------------------------------------------


def never_twice(state: State) -> bool:
    """A batch runs once, and once more for each time that an approver wrongly said it did not."""
    return all(batch.accepted <= 1 + batch.wrong for batch in state.batches)


def slots_kept(state: State) -> bool:
    """Not counting batches about which an approver was asked: they hold no slot."""
    busy = [batch for batch in state.batches if not (batch.asked or batch.wrong)]
    return sum(bool(batch.running or batch.on_its_way) for batch in busy) <= SLOTS


def cancelled_did_not_run(state: State) -> bool:
    return all(
        not batch.accepted or batch.wrong
        for batch in state.batches
        if batch.state is BatchState.CANCELLED
    )


def nothing_runs_unseen(state: State) -> bool:
    """No batch is over, or up to be sent, while it runs or may arrive."""
    settled = TERMINAL_BATCH_STATES | {BatchState.PLANNED}
    return all(
        batch.wrong or not (batch.running or batch.on_its_way)
        for batch in state.batches
        if batch.state in settled
    )


def ended_means_over(state: State) -> bool:
    """A request has ended exactly if none of its batches is open."""
    states = {batch.state for batch in state.batches}
    over = bool(states) and not states - TERMINAL_BATCH_STATES
    return not states or over == (state.request in TERMINAL_REQUEST_STATES)


INVARIANTS: tuple[Callable[[State], bool], ...] = (
    never_twice,
    slots_kept,
    cancelled_did_not_run,
    nothing_runs_unseen,
    ended_means_over,
)


def is_terminal(state: State) -> bool:
    return state.request in TERMINAL_REQUEST_STATES


def violated(state: State, only: Collection[str] = ()) -> list[str]:
    """Names of the invariants that do not hold; `only`: of these, () for all."""
    return [
        holds.__name__
        for holds in INVARIANTS
        if (not only or holds.__name__ in only) and not holds(state)
    ]
