"""Looking for phones in Entra ID's sign-in log: what begins it, and what a look records.

A second witness only: nothing here changes what the SIP Gateway said of a phone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from bot.directory.sign_ins import SignIn, SignInLog
from bot.store import locks, posts, requests, sightings
from bot.store.database import Transaction
from bot.store.sightings import Look


async def begin(tx: Transaction, request_id: str, *, after: datetime, due_at: datetime) -> bool:
    """Look for the request's batches that ended after that time, first at `due_at`.

    Returns False if there is nothing new to look for.
    """
    await locks.requests(tx, request_id)
    begun = await sightings.begin(tx, request_id, after=after, due_at=due_at)
    if begun:
        await _show(tx, request_id)
    return begun > 0


async def record(
    tx: Transaction,
    looks: Sequence[Look],
    log: SignInLog,
    *,
    owner: str,
    due_at: datetime | None,
) -> bool:
    """Record what the log showed of batches of one request. `due_at`: of the next look; None: no more.

    A batch whose phones have all been seen is not looked for again. Returns False if another replica
    has taken them over.
    """
    request_id = looks[0].request_id
    await locks.requests(tx, request_id)
    recorded = False
    for look in looks:
        if not await sightings.holds(tx, look, owner):
            continue
        seen, failures = _of_batch(look, log.sign_ins)
        await sightings.record_seen(tx, look, seen)
        await sightings.record_failures(tx, look, failures)
        left = await sightings.unseen(tx, [look.batch_id])
        gap = log.gap.reason.value if log.gap and left else ""
        await sightings.settle(tx, look, due_at=due_at if left else None, gap=gap)
        recorded = True
    if recorded:
        await _show(tx, request_id)
    return recorded


async def _show(tx: Transaction, request_id: str) -> None:
    """Update the request's cards, although it may have ended."""
    await requests.touch(tx, request_id)
    await posts.revive(tx, request_id)


def _of_batch(
    look: Look, sign_ins: Iterable[SignIn]
) -> tuple[dict[str, datetime], dict[str, tuple[datetime, int]]]:
    """By account: the first success since the batch was sent, and the newest failure."""
    seen: dict[str, datetime] = {}
    failures: dict[str, tuple[datetime, int]] = {}
    since = look.since.replace(microsecond=0)  # the log's times may have no fractions
    for each in sign_ins:
        if each.at < since:
            continue
        if not each.error:
            seen[each.account] = min(each.at, seen.get(each.account, each.at))
        elif each.account not in failures or each.at > failures[each.account][0]:
            failures[each.account] = (each.at, each.error)
    return seen, failures
