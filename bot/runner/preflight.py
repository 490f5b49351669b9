"""Check the accounts of drafts: chunk by chunk, resumed by any replica where another left off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from bot.lifecycle import preflight as lifecycle
from bot.preflight import checks
from bot.preflight.facts import AccountFacts, TenantFacts, Unknown, UnknownReason
from bot.preflight.reader import CHUNK, FactReader
from bot.preflight.scope import AccountScope
from bot.runner.loop import Loop
from bot.signin.timing import Timing
from bot.store import account_checks
from bot.store.account_checks import Draft
from bot.store.database import Database
from bot.words import Words

log = structlog.get_logger()

#: Chunks of a draft that are read at the same time.
PARALLEL = 4
#: For how long a replica may check a draft before another one takes over; longer than a chunk takes.
LEASE_SECONDS = 90
#: For how long what a tenant's settings say is used again.
TENANT_FACTS_KEPT = timedelta(minutes=10)


_OUT_OF_REACH = Unknown(UnknownReason.APPROVER)


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
    timing: Timing
    owner: str  #: this replica
    clock: Callable[[], datetime]  #: UTC
    changed: Callable[[], None]  #: wakes the publisher
    _tenants: dict[str, _Kept] = field(default_factory=dict[str, _Kept])

    def __post_init__(self) -> None:
        self._loop = Loop("preflight", pause_seconds=self.timing.idle_seconds)

    def wake(self) -> None:
        self._loop.wake()

    async def run(self) -> None:
        await self._loop.run(self._round)

    async def _round(self) -> float:
        """The next accounts of one draft; drafts take turns, so a large one delays no small one."""
        now = self.clock()
        async with self.database.read() as tx:
            draft = await account_checks.next_to_check(tx, owner=self.owner, now=now)
        if draft is None:
            return self.timing.idle_seconds
        async with self.database.write() as tx:
            until = self._lease_until(now)
            if not await account_checks.renew(
                tx, draft.request_id, owner=self.owner, now=now, until=until
            ):
                return 0  # another replica was faster
            usernames = await account_checks.unchecked(tx, draft.request_id, PARALLEL * CHUNK)
        tenant = await self._tenant(draft.tenant_id)
        if usernames:
            await self._check(draft, usernames, tenant)
        else:
            await self._complete(draft, tenant)
        return 0

    def _lease_until(self, now: datetime) -> datetime:
        return now + timedelta(seconds=LEASE_SECONDS)

    async def _check(self, draft: Draft, usernames: Sequence[str], tenant: TenantFacts) -> None:
        chunks = [usernames[at : at + CHUNK] for at in range(0, len(usernames), CHUNK)]
        facts = await asyncio.gather(*(self._facts(draft.tenant_id, each) for each in chunks))
        now = self.clock()
        reports = [
            checks.account(each, tenant, self.scope, now) for chunk in facts for each in chunk
        ]
        async with self.database.write() as tx:
            stored = await lifecycle.record(
                tx,
                draft.request_id,
                reports,
                owner=self.owner,
                now=now,
                until=self._lease_until(now),
            )
        if stored:
            self.changed()

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

    async def _facts(self, tenant_id: str, usernames: Sequence[str]) -> Sequence[AccountFacts]:
        reader = self.reader_of(tenant_id)
        if reader is None:
            return [AccountFacts(each, _OUT_OF_REACH) for each in usernames]
        try:
            return await reader.accounts(usernames, self.scope)
        except Exception:
            # A fault of ours must not keep a draft waiting for ever.
            log.exception("accounts.unreadable", accounts=len(usernames))
            return [AccountFacts(each, Unknown(UnknownReason.UNREADABLE)) for each in usernames]

    async def _tenant(self, tenant_id: str) -> TenantFacts:
        now = self.clock()
        kept = self._tenants.get(tenant_id)
        if kept is not None and now - kept.read_at < TENANT_FACTS_KEPT:
            return kept.facts
        reader = self.reader_of(tenant_id)
        facts = await reader.tenant() if reader else TenantFacts()
        self._tenants[tenant_id] = _Kept(facts, now)
        return facts
