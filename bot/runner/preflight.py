"""Check the accounts of drafts, and of approved requests once more; any replica resumes where another
left off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from bot.lifecycle import holds
from bot.lifecycle import preflight as lifecycle
from bot.lifecycle.notifications import Notifications
from bot.preflight import checks
from bot.preflight.facts import AccountFacts, TenantFacts, Unknown, UnknownReason
from bot.preflight.reader import FactReader
from bot.runner.facts import ApproverReaders
from bot.runner.loop import Loop
from bot.settings.scope import AccountScope
from bot.signin.digest import UNKEYED, Digests
from bot.signin.request import Hold
from bot.store import account_checks
from bot.store.account_checks import Job
from bot.store.database import UNUSABLE, Database
from bot.words import Words

log = structlog.get_logger()

#: Requests that are checked at the same time, so that a large one does not hold up small ones.
MAX_JOBS = 3
#: For how long a replica may check a request without a sign of life before another takes over.
LEASE = timedelta(seconds=60)
#: For how long what a tenant's settings say is used again.
TENANT_FACTS_KEPT = timedelta(minutes=10)
_ALL = 20_000  # accounts: as many as a file has rows
_OUT_OF_REACH = Unknown(UnknownReason.APPROVER)
_FAULT = Unknown(UnknownReason.UNREADABLE)


@dataclass(frozen=True, slots=True)
class _Kept:
    facts: TenantFacts
    read_at: datetime


@dataclass
class Preflight:
    """Reads facts with the app's own permissions; once more after the approval, with the rights of the
    approver where they are needed. What it cannot read is not known, and said."""

    database: Database
    #: facts of a tenant; None for a tenant that the app's own permissions do not reach
    reader_of: Callable[[str], FactReader | None]
    scope: AccountScope
    words: Words  #: without escaping
    owner: str  #: this replica
    idle_seconds: float  #: between looks at the database while nothing is to be checked
    clock: Callable[[], datetime]  #: UTC
    changed: Callable[[], None]  #: wakes the publisher
    notifications: Notifications
    started: Callable[[], None]  #: wakes the worker: there are batches to send
    digests: Digests = UNKEYED  #: what an approved request is compared with before it starts
    approvers: ApproverReaders | None = None  #: None: requests run as the app
    lease: timedelta = LEASE
    #: None: a third of the lease
    heartbeat_seconds: float | None = None
    _tenants: dict[str, _Kept] = field(default_factory=dict[str, _Kept])
    _under_way: dict[str, asyncio.Task[None]] = field(
        default_factory=dict[str, "asyncio.Task[None]"]
    )

    def __post_init__(self) -> None:
        self._loop = Loop("preflight", pause_seconds=self.idle_seconds)

    def wake(self) -> None:
        self._loop.wake()

    async def run(self) -> None:
        try:
            await self._loop.run(self._round)
        finally:
            for task in self._under_way.values():
                task.cancel()
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _round(self) -> float:
        """Start to check the next requests."""
        while len(self._under_way) < MAX_JOBS:
            now = self.clock()
            async with self.database.read() as tx:
                job = await account_checks.next_to_check(
                    tx,
                    owner=self.owner,
                    now=now,
                    under_way=self._under_way,
                    delegated=self.approvers.held() if self.approvers else (),
                )
            if job is None:
                break
            if await self._renew(job):
                task = asyncio.create_task(self._check(job), name=f"preflight {job.request_id}")
                self._under_way[job.request_id] = task
        return self.idle_seconds

    async def _check(self, job: Job) -> None:
        try:
            async with self._heartbeat(job):
                reader = self._reader(job)
                tenant = await self._tenant(job, reader)
                if await self._check_accounts(job, reader, tenant):
                    await (self._decide if job.again else self._complete)(job, tenant)
        except Exception:
            log.exception("preflight.failed", request=job.request_id)
        finally:
            del self._under_way[job.request_id]
            self._loop.wake()

    async def _renew(self, job: Job) -> bool:
        now = self.clock()
        async with self.database.write() as tx:
            return await account_checks.renew(
                tx, job.request_id, owner=self.owner, now=now, until=now + self.lease
            )

    @asynccontextmanager
    async def _heartbeat(self, job: Job) -> AsyncGenerator[None]:
        """Keep the lease while remote services take their time."""

        pause = self.heartbeat_seconds or self.lease.total_seconds() / 3

        async def renew() -> None:
            while True:
                await asyncio.sleep(pause)
                try:
                    await self._renew(job)
                except UNUSABLE:  # the next verdicts find out
                    log.warning("preflight.heartbeat_failed", request=job.request_id)

        task = asyncio.create_task(renew())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def _reader(self, job: Job) -> FactReader | None:
        if job.again and self.approvers is not None:
            return self.approvers.reader_of(job)
        return self.reader_of(job.tenant_id)

    async def _check_accounts(
        self, job: Job, reader: FactReader | None, tenant: TenantFacts
    ) -> bool:
        """Returns False when another replica checks them now, or nobody needs to."""
        async with self.database.read() as tx:
            usernames = await account_checks.unchecked(tx, job.request_id, _ALL)
        left = dict.fromkeys(usernames)
        if reader is not None:
            try:
                async with aclosing(reader.accounts(usernames, self.scope)) as chunks:
                    async for chunk in chunks:
                        if not await self._record(job, chunk, tenant):
                            return False
                        for facts in chunk:
                            left.pop(facts.username, None)
            except UNUSABLE:
                raise  # the request is taken up again when the database is back
            except Exception:
                # A fault of ours must not keep a request waiting forever: it is told as not known.
                log.exception("preflight.read_failed", request=job.request_id)
        if not left:
            return True
        why = _FAULT if reader else _OUT_OF_REACH
        return await self._record(job, [AccountFacts(each, why) for each in left], tenant)

    async def _record(self, job: Job, facts: Sequence[AccountFacts], tenant: TenantFacts) -> bool:
        now = self.clock()
        reports = [checks.account(each, tenant, self.scope, now) for each in facts]
        async with self.database.write() as tx:
            stored = await lifecycle.record(
                tx, job.request_id, reports, owner=self.owner, now=now, until=now + self.lease
            )
        if stored:
            self.changed()
        return stored

    async def _complete(self, job: Job, tenant: TenantFacts) -> None:
        async with self.database.write() as tx:
            completed = await lifecycle.complete(
                tx,
                job.request_id,
                checks.tenant(tenant),
                self.words,
                owner=self.owner,
                now=self.clock(),
            )
        if completed:
            log.info("accounts.checked", request=job.request_id)
            self.changed()

    async def _decide(self, job: Job, tenant: TenantFacts) -> None:
        async with self.database.write() as tx:
            hold = await holds.complete(
                tx,
                self.notifications,
                job.request_id,
                checks.tenant(tenant),
                self.words,
                owner=self.owner,
                now=self.clock(),
                digests=self.digests,
            )
        if hold is not None:
            log.info("accounts.checked_again", request=job.request_id, held=hold is Hold.HELD)
            self.changed()
            self.started()

    async def _tenant(self, job: Job, reader: FactReader | None) -> TenantFacts:
        """The tenant's settings; after the approval as they are now, and with the approver's rights."""
        if reader is None:
            return TenantFacts()
        if job.again:
            return await reader.tenant()
        now = self.clock()
        kept = self._tenants.get(job.tenant_id)
        if kept is not None and now - kept.read_at < TENANT_FACTS_KEPT:
            stale = job.facts_stale_at is not None and kept.read_at <= job.facts_stale_at
            if not stale:
                return kept.facts
        facts = await reader.tenant()
        self._tenants[job.tenant_id] = _Kept(facts, now)
        return facts
