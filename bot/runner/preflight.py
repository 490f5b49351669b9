"""Check the accounts of drafts, some at a time; any replica resumes where another left off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from bot.lifecycle import preflight as lifecycle
from bot.preflight import checks
from bot.preflight.facts import AccountFacts, TenantFacts, Unknown, UnknownReason
from bot.preflight.reader import FactReader
from bot.runner.loop import Loop
from bot.settings.scope import AccountScope
from bot.store import account_checks
from bot.store.account_checks import Draft
from bot.store.database import UNUSABLE, Database
from bot.words import Words

log = structlog.get_logger()

#: Drafts that are checked at the same time, so that a large one does not hold up small ones.
MAX_DRAFTS = 3
#: For how long a replica may check a draft without a sign of life before another takes over.
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
    """Reads facts with the app's own permissions. What it cannot read is not known, and said."""

    database: Database
    #: facts of a tenant; None for a tenant that the app's own permissions do not reach
    reader_of: Callable[[str], FactReader | None]
    scope: AccountScope
    words: Words  #: without escaping
    owner: str  #: this replica
    idle_seconds: float  #: between looks at the database while nothing is to be checked
    clock: Callable[[], datetime]  #: UTC
    changed: Callable[[], None]  #: wakes the publisher
    heartbeat_seconds: float = LEASE.total_seconds() / 3
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
        """Start to check the next drafts."""
        while len(self._under_way) < MAX_DRAFTS:
            now = self.clock()
            async with self.database.read() as tx:
                draft = await account_checks.next_to_check(
                    tx, owner=self.owner, now=now, under_way=self._under_way
                )
            if draft is None:
                break
            if await self._renew(draft):
                task = asyncio.create_task(self._check(draft), name=f"preflight {draft.request_id}")
                self._under_way[draft.request_id] = task
        return self.idle_seconds

    async def _check(self, draft: Draft) -> None:
        try:
            async with self._heartbeat(draft):
                tenant = await self._tenant(draft)
                if await self._check_accounts(draft, tenant):
                    await self._complete(draft, tenant)
        except Exception:
            log.exception("preflight.failed", request=draft.request_id)
        finally:
            del self._under_way[draft.request_id]
            self._loop.wake()

    async def _renew(self, draft: Draft) -> bool:
        now = self.clock()
        async with self.database.write() as tx:
            return await account_checks.renew(
                tx, draft.request_id, owner=self.owner, now=now, until=now + LEASE
            )

    @asynccontextmanager
    async def _heartbeat(self, draft: Draft) -> AsyncGenerator[None]:
        """Keep the lease while remote services take their time."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(self.heartbeat_seconds)
                try:
                    await self._renew(draft)
                except UNUSABLE:  # the next verdicts find out
                    log.warning("preflight.heartbeat_failed", request=draft.request_id)

        task = asyncio.create_task(renew())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _check_accounts(self, draft: Draft, tenant: TenantFacts) -> bool:
        """Returns False when another replica checks them now, or nobody needs to."""
        async with self.database.read() as tx:
            usernames = await account_checks.unchecked(tx, draft.request_id, _ALL)
        left = dict.fromkeys(usernames)
        reader = self.reader_of(draft.tenant_id)
        if reader is not None:
            try:
                async with aclosing(reader.accounts(usernames, self.scope)) as chunks:
                    async for chunk in chunks:
                        if not await self._record(draft, chunk, tenant):
                            return False
                        for facts in chunk:
                            left.pop(facts.username, None)
            except UNUSABLE:
                raise  # the draft is taken up again when the database is back
            except Exception:
                # A fault of ours must not keep a draft waiting forever: it is told as not known.
                log.exception("preflight.read_failed", request=draft.request_id)
        if not left:
            return True
        why = _FAULT if reader else _OUT_OF_REACH
        return await self._record(draft, [AccountFacts(each, why) for each in left], tenant)

    async def _record(
        self, draft: Draft, facts: Sequence[AccountFacts], tenant: TenantFacts
    ) -> bool:
        now = self.clock()
        reports = [checks.account(each, tenant, self.scope, now) for each in facts]
        async with self.database.write() as tx:
            stored = await lifecycle.record(
                tx, draft.request_id, reports, owner=self.owner, now=now, until=now + LEASE
            )
        if stored:
            self.changed()
        return stored

    async def _complete(self, draft: Draft, tenant: TenantFacts) -> None:
        async with self.database.write() as tx:
            completed = await lifecycle.complete(
                tx,
                draft.request_id,
                checks.tenant(tenant),
                self.words,
                owner=self.owner,
                now=self.clock(),
            )
        if completed:
            log.info("accounts.checked", request=draft.request_id)
            self.changed()

    async def _tenant(self, draft: Draft) -> TenantFacts:
        now = self.clock()
        kept = self._tenants.get(draft.tenant_id)
        if kept is not None and now - kept.read_at < TENANT_FACTS_KEPT:
            stale = draft.facts_stale_at is not None and kept.read_at <= draft.facts_stale_at
            if not stale:
                return kept.facts
        reader = self.reader_of(draft.tenant_id)
        facts = await reader.tenant() if reader else TenantFacts()
        self._tenants[draft.tenant_id] = _Kept(facts, now)
        return facts
