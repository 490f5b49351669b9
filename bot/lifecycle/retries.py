"""Retries: asked for, held until the phones without a result have been looked up, and drafted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.lifecycle import phones
from bot.lifecycle.drafts import draft_retry
from bot.lifecycle.notifications import Notifications
from bot.phones.issue import Notice
from bot.signin.outcome import PhoneResult
from bot.store import asked_retries, audit, drafts, leases, locks, posts, requests
from bot.store.asked_retries import AskedRetry
from bot.store.batches import Batch
from bot.store.database import Transaction


async def look_up(
    tx: Transaction,
    batch: Batch,
    results: Mapping[tuple[str, str], PhoneResult] | None,
    *,
    owner: str,
    now: datetime,
) -> None:
    """Store what the SIP Gateway now says of the phones of a batch that ended without a result for them.

    `results` are by `phone_key`; None if it could not be asked. Raises `LeaseLostError` if `owner` does
    not hold the batch.
    """
    await locks.requests(tx, batch.request_id)
    await leases.require(tx, batch, owner)
    await leases.looked_up(tx, batch)
    if results is None:
        return
    found = await phones.look_up(tx, batch, results)
    await asked_retries.count(
        tx, batch, looked_up=found.phones, signed_in=found.signed_in, failed=found.failed
    )
    if found.signed_in or found.failed:
        await audit.record(
            tx,
            batch.request_id,
            "looked up",
            now,
            batch=batch.id,
            signed_in=found.signed_in,
            failed=found.failed,
        )
        await requests.touch(tx, batch.request_id)
        await posts.revive(tx, batch.request_id)


async def draft(
    tx: Transaction,
    notify: Notifications,
    asked: AskedRetry,
    now: datetime,
    *,
    check_accounts: bool = False,
) -> bool:
    """-> draft, from what is still not signed in; or say that nothing is left.

    Returns False if another replica was first.
    """
    await locks.requests(tx, asked.request_id)
    if not await asked_retries.close(tx, asked.request_id):
        return False
    request = await requests.load(tx, asked.request_id)
    if request is None or await drafts.retry_of(tx, request.id) is not None:
        return True
    drafted = await draft_retry(
        tx,
        notify,
        asked.new,
        request,
        now,
        found=_notices(asked),
        check_accounts=check_accounts,
    )
    if drafted is None:
        await notify.nothing_to_retry(tx, request, asked.new.conversation_id, now)
    return True


def _notices(asked: AskedRetry) -> Sequence[Notice]:
    notices: list[Notice] = []
    if asked.looked_up:
        still_open = asked.looked_up - asked.signed_in - asked.failed
        found = {"signed_in": asked.signed_in, "failed": asked.failed, "open": still_open}
        notices.append(Notice("looked-up", {"phones": asked.looked_up, **found}))
    if asked.phones > asked.looked_up:
        notices.append(Notice("not-looked-up", {"phones": asked.phones - asked.looked_up}))
    return notices
