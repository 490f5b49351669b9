"""One pass over a mend's changes: read what is there, write what is wanted, read back what was written.

Each write sets a value, so a change that was interrupted is read and, if need be, written again. What was
there before is committed before the first write and never read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot.gateway import (
    AccessDeniedError,
    ChangeRefusedError,
    GatewayError,
    ThrottledError,
)
from bot.gateway.administration import Administration
from bot.gateway.policies import SWITCH
from bot.lifecycle import mend_changes as lifecycle
from bot.mending.change import (
    CREATIONS,
    GRANTS,
    OPEN_BACK,
    OPEN_FORWARD,
    Change,
    ChangeKind,
    ChangeState,
)
from bot.mending.content import Difference, difference
from bot.mending.mend import MendState
from bot.mending.step import GLOBAL, Step, back, forward
from bot.preflight.facts import POLICY_NAME
from bot.store import mends
from bot.store.database import Database, Transaction
from bot.store.mends import Mend

log = structlog.get_logger()

MAX_ACCOUNTS = 4  #: changed at the same time
_FAILURES = 3  #: denials, or calls without an answer, in a row, after which a pass ends
_USABLE = frozenset({ChangeState.SHOWN, ChangeState.KEPT})

Record = Callable[[Transaction], Awaitable[bool]]


class _PassEndedError(Exception):
    """Nothing more can be done in this pass."""


@dataclass(frozen=True, slots=True)
class Outcome:
    progressed: bool  #: some change has come further
    #: Teams' words if it denied access in general; "" if it did not
    denied: str = ""
    #: seconds that Teams wants to be left alone; None if it did not say
    retry_after: float | None = None


@dataclass
class MendPass:
    """Makes one pass. `administration`: None only gives up what took too long."""

    database: Database
    administration: Administration | None
    mend: Mend
    owner: str  #: this replica
    clock: Callable[[], datetime]  #: UTC
    limit: timedelta  #: until a change has to show
    changed: Callable[[], None]  #: wakes the publisher
    _progressed: bool = False
    _denied_in_row: int = 0
    #: in a row
    _unanswered_reads: int = 0
    _unanswered_writes: int = 0
    _denied_tenant: str = ""
    #: whose write was accepted in this pass
    _proved: Change | None = None
    #: what was denied, as it was before this pass, and Teams' words
    _denials: list[tuple[Change, str]] = field(default_factory=list[tuple[Change, str]])
    _retry_after: float | None = None
    _ending: bool = False

    async def run(self) -> Outcome:
        """Raises nothing that Teams may cause. Raises `LookupError` when another replica took over."""
        states = OPEN_FORWARD if self.mend.state is MendState.RUNNING else OPEN_BACK
        async with self.database.read() as tx:
            every = await mends.changes(tx, self.mend.id)
        changes = [each for each in every if each.state in states]
        if self._too_late or self.administration is None:
            changes = await self._end_late(changes)
        if self.administration is not None:
            await self._work(every, changes)
        denied = await self._settle_denials()
        return Outcome(self._progressed, denied, self._retry_after)

    async def _work(self, every: Sequence[Change], changes: Sequence[Change]) -> None:
        try:
            settled = {each.kind: each.state for each in every if not each.account}
            settled |= await self._change_tenant([each for each in changes if not each.account])
            grants = await self._grantable(changes, settled)
        except AccessDeniedError as error:
            self._denied_tenant = error.message
        except GatewayError as error:
            self._stop(error)
        except _PassEndedError:
            pass
        else:
            await self._change_accounts(grants)

    # -- what takes too long ---------------------------------------------------------------------

    @property
    def _too_late(self) -> bool:
        since = self.mend.since
        return since is not None and self.clock() >= since + self.limit

    async def _end_late(self, changes: Sequence[Change]) -> list[Change]:
        """Give up what was not done in time. Returns what still may show: it was written later."""
        waiting: list[Change] = []
        for change in changes:
            match change.state:
                case ChangeState.PLANNED:
                    await self._fail(change, "too-late", "")
                case ChangeState.INTENT:
                    await self._record(partial(self._give_up, change=change))
                case ChangeState.UNDOING:
                    await self._fail_undo(change, "too-late", "")
                case _ if await self._late(change):
                    pass
                case _:
                    waiting.append(change)
        return waiting

    async def _late(self, change: Change) -> bool:
        """Give up a change that was written too long ago. Returns False if there is time left."""
        if change.since is None or self.clock() < change.since + self.limit:
            return False
        if change.state is ChangeState.APPLIED:
            await self._record(partial(self._give_up, change=change))
        else:
            await self._fail_undo(change, "not-shown", "")
        return True

    # -- the tenant ------------------------------------------------------------------------------

    async def _change_tenant(self, changes: Sequence[Change]) -> dict[ChangeKind, ChangeState]:
        """The tenant's changes one after the other. Returns how they stand.

        A policy of our name that is not ours ends all: then nothing is changed.
        """
        stand: dict[ChangeKind, ChangeState] = {}
        found = await self._read_policies(changes)
        for change in changes:
            differs = found.get(change.kind)
            if isinstance(differs, Difference):
                await self._refuse_all(differs)
                raise _PassEndedError
        for change in changes:
            current = found.get(change.kind)
            value = current if isinstance(current, str) else None
            if change.kind is ChangeKind.BULK_SIGN_IN:
                value = await self._switch()
            stand[change.kind] = await self._advance(change, value, "")
        return stand

    async def _read_policies(
        self, changes: Sequence[Change]
    ) -> dict[ChangeKind, str | Difference | None]:
        """Of each policy to be created: its name if there is one like it, what differs, or None."""
        assert self.administration is not None  # noqa: S101
        found: dict[ChangeKind, str | Difference | None] = {}
        for change in changes:
            policy = change.kind.policy_type
            if change.kind in CREATIONS and policy is not None:
                instances = await self.administration.instances(policy.value)
                instance = instances.get(POLICY_NAME.casefold())
                found[change.kind] = (
                    None if instance is None else difference(policy, instance) or POLICY_NAME
                )
        return found

    async def _switch(self) -> str | None:
        assert self.administration is not None  # noqa: S101
        instances = await self.administration.instances(SWITCH)
        value = instances.get(GLOBAL.casefold(), {}).get("bulksignin")
        return value if isinstance(value, str) else None

    async def _refuse_all(self, differs: Difference) -> None:
        detail = f"{differs.field}: {differs.found}"
        async with self.database.read() as tx:
            changes = await mends.changes(tx, self.mend.id, OPEN_FORWARD)
        for change in changes:
            if change.state is ChangeState.PLANNED or change.kind in CREATIONS:
                await self._fail(change, "policy-differs", detail)
            elif change.state is ChangeState.INTENT:  # it may have been written
                await self._record(partial(self._give_up, change=change))

    # -- accounts --------------------------------------------------------------------------------

    async def _grantable(
        self, changes: Sequence[Change], tenant: Mapping[ChangeKind, ChangeState]
    ) -> list[Change]:
        """The grants whose policy exists by now; those of a policy that will not exist fail."""
        by_type = {kind.policy_type: tenant.get(kind) for kind in CREATIONS}
        ready: list[Change] = []
        for change in changes:
            if change.kind not in GRANTS:
                continue
            state = by_type.get(change.kind.policy_type)
            if change.state is not ChangeState.PLANNED or state in _USABLE:
                ready.append(change)
            elif state in (ChangeState.FAILED, ChangeState.UNSHOWN):
                await self._fail(change, "no-policy", "")
        return ready

    async def _change_accounts(self, grants: Iterable[Change]) -> None:
        by_account: dict[str, list[Change]] = {}
        for change in grants:
            by_account.setdefault(change.account.casefold(), []).append(change)
        left = iter(by_account.values())

        async def work() -> None:
            for changes in left:
                if self._ending:
                    return
                await self._change_account(changes)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(MAX_ACCOUNTS, len(by_account))):
                group.create_task(work())

    async def _change_account(self, changes: Sequence[Change]) -> None:
        assert self.administration is not None  # noqa: S101
        account = changes[0].object_id or changes[0].account
        try:
            assigned = await self.administration.assigned(account)
            self._unanswered_reads = 0
        except ChangeRefusedError as error:
            for change in changes:
                await self._refused(change, error.message)
            return
        except AccessDeniedError as error:
            self._deny(changes, error.message)
            return
        except GatewayError as error:
            self._unanswered_reads += 1
            self._stop(error)
            return
        for change in changes:
            policy = change.kind.policy_type
            assert policy is not None  # noqa: S101 - of grants
            try:
                await self._advance(change, assigned.policies[policy], assigned.object_id)
            except AccessDeniedError as error:
                self._deny([change], error.message)
            except GatewayError as error:
                self._unanswered_writes += 1
                self._stop(error)

    # -- one change ------------------------------------------------------------------------------

    async def _advance(self, change: Change, current: str | None, object_id: str) -> ChangeState:
        """Do what is next about a change; returns its state then."""
        if change.state in OPEN_BACK:
            return await self._advance_back(change, current)
        match forward(change, current):
            case Step.KEEP:
                await self._record(partial(self._keep, change=change))
                return ChangeState.KEPT
            case Step.INTEND:
                await self._record(
                    partial(self._intend, change=change, before=current, id_=object_id)
                )
                intended = replace(
                    change, state=ChangeState.INTENT, before=current, object_id=object_id
                )
                return await self._write(intended, fresh=True)
            case Step.WRITE:
                return await self._write(change, fresh=False)
            case Step.SHOWN:
                if change.state is ChangeState.INTENT:  # the answer was lost, or this replica was
                    await self._record(partial(self._apply, change=change))
                await self._record(partial(self._show, change=change))
                return ChangeState.SHOWN
            case Step.CHANGED_SINCE:
                await self._fail(change, "changed-since", current or GLOBAL)
                return ChangeState.FAILED
            case Step.CHANGED_MEANWHILE:
                await self._record(
                    partial(
                        self._give_up,
                        change=change,
                        error="changed-meanwhile",
                        found=current or GLOBAL,
                    )
                )
                return ChangeState.UNSHOWN
            case _:
                return ChangeState.UNSHOWN if await self._late(change) else change.state

    async def _write(self, change: Change, *, fresh: bool) -> ChangeState:
        """Write what is wanted. `fresh`: for the first time, as far as this replica knows."""
        try:
            await self._put(change, change.after)
        except ChangeRefusedError as error:
            return await self._write_refused(change, error.message, fresh=fresh)
        await self._record(partial(self._apply, change=change))
        return ChangeState.APPLIED

    async def _write_refused(self, change: Change, message: str, *, fresh: bool) -> ChangeState:
        if change.kind in CREATIONS:
            # Somebody else, or this mend before it was interrupted, may have created it.
            found = (await self._read_policies([change]))[change.kind]
            if isinstance(found, Difference):
                await self._refuse_all(found)
                raise _PassEndedError
            if found is not None or not fresh:
                await self._record(partial(self._apply, change=change))
                return ChangeState.APPLIED
        elif not fresh:  # what was sent before may have been accepted
            await self._record(partial(self._give_up, change=change))
            return ChangeState.UNSHOWN
        await self._fail(change, "refused", message)
        return ChangeState.FAILED

    async def _advance_back(self, change: Change, current: str | None) -> ChangeState:
        match back(change, current):
            case Step.WRITE:
                try:
                    await self._put(change, change.before)
                except ChangeRefusedError as error:
                    await self._fail_undo(change, "refused", error.message)
                    return ChangeState.UNDO_FAILED
                await self._record(partial(self._restore, change=change))
                return ChangeState.RESTORED
            case Step.SHOWN:
                await self._record(partial(self._show_undone, change=change))
                return ChangeState.UNDONE
            case Step.LEAVE:
                await self._record(partial(self._leave, change=change, found=current or GLOBAL))
                return ChangeState.LEFT
            case _:
                return ChangeState.UNDO_FAILED if await self._late(change) else change.state

    async def _put(self, change: Change, value: str | None) -> None:
        assert self.administration is not None  # noqa: S101
        policy = change.kind.policy_type
        if policy is None:
            await self.administration.switch(value or "")
        elif change.kind in CREATIONS:
            await self.administration.create(policy, change.after)
        else:
            account = change.object_id or change.account
            await self.administration.grant(account, policy, value)
            self._proved = replace(change, before=value)
        self._denied_in_row = self._unanswered_writes = 0

    # -- what Teams refuses ----------------------------------------------------------------------

    async def _refused(self, change: Change, message: str) -> None:
        """One account cannot be read or written. `change`: as it was before this pass."""
        if change.state is ChangeState.PLANNED:
            await self._fail(change, "refused", message)
        elif change.state is ChangeState.INTENT:  # an earlier pass may have written it
            await self._record(partial(self._give_up, change=change))
        elif change.state is ChangeState.UNDOING:
            await self._fail_undo(change, "refused", message)
        else:
            await self._late(change)

    def _deny(self, changes: Sequence[Change], message: str) -> None:
        self._denials += [(change, message) for change in changes]
        self._denied_in_row += 1
        self._ending |= self._denied_in_row >= _FAILURES

    async def _settle_denials(self) -> str:
        """Whether denials are about single accounts: then these fail. Returns Teams' words if they are
        about the access in general.

        What was accepted in this pass is written once more, which changes nothing: if it is accepted
        again, the access is as it was.
        """
        if self._denied_tenant or not self._denials:
            return self._denied_tenant
        if self._proved is None:
            return self._denials[-1][1]
        try:
            await self._put(self._proved, self._proved.before)
        except AccessDeniedError as error:
            return error.message
        except GatewayError as error:
            self._stop(error)
            return ""
        for change, message in self._denials:
            await self._refused(change, message)
        return ""

    def _stop(self, error: GatewayError) -> None:
        """Teams does not answer, or wants to be left alone."""
        log.info("mend.interrupted", mend=self.mend.id, reason=error.message)
        # One account that Teams gives no answer about must not keep the others waiting.
        unanswered = max(self._unanswered_reads, self._unanswered_writes)
        self._ending |= isinstance(error, ThrottledError) or unanswered >= _FAILURES
        if isinstance(error, ThrottledError) and error.retry_after is not None:
            self._retry_after = max(error.retry_after, self._retry_after or 0)

    # -- records ---------------------------------------------------------------------------------

    async def _record(self, write: Record) -> None:
        async with self.database.write() as tx:
            recorded = await write(tx)
        if not recorded:
            raise LookupError(f"mend {self.mend.id} is another replica's")
        self._progressed = True
        self.changed()

    async def _fail(self, change: Change, error: str, detail: str) -> None:
        await self._record(
            lambda tx: lifecycle.fail_change(
                tx, self.mend, change, error, detail, owner=self.owner, now=self.clock()
            )
        )

    async def _fail_undo(self, change: Change, error: str, detail: str) -> None:
        await self._record(
            lambda tx: lifecycle.fail_undo(
                tx, self.mend, change, error, detail, owner=self.owner, now=self.clock()
            )
        )

    async def _keep(self, tx: Transaction, change: Change) -> bool:
        return await lifecycle.keep(tx, self.mend, change, owner=self.owner)

    async def _intend(self, tx: Transaction, change: Change, before: str | None, id_: str) -> bool:
        return await lifecycle.intend(
            tx, self.mend, change, owner=self.owner, before=before, object_id=id_
        )

    async def _apply(self, tx: Transaction, change: Change) -> bool:
        return await lifecycle.apply_change(
            tx, self.mend, change, owner=self.owner, now=self.clock()
        )

    async def _show(self, tx: Transaction, change: Change) -> bool:
        return await lifecycle.show_change(tx, self.mend, change, owner=self.owner)

    async def _give_up(
        self, tx: Transaction, change: Change, error: str = "not-shown", found: str = ""
    ) -> bool:
        return await lifecycle.give_up_change(
            tx, self.mend, change, error, found, owner=self.owner, now=self.clock()
        )

    async def _restore(self, tx: Transaction, change: Change) -> bool:
        return await lifecycle.restore_change(
            tx, self.mend, change, owner=self.owner, now=self.clock()
        )

    async def _show_undone(self, tx: Transaction, change: Change) -> bool:
        return await lifecycle.show_undone(tx, self.mend, change, owner=self.owner)

    async def _leave(self, tx: Transaction, change: Change, found: str) -> bool:
        return await lifecycle.leave_change(
            tx, self.mend, change, found, owner=self.owner, now=self.clock()
        )
