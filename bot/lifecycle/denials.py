"""Denied actions, for the audit: who tried what, and why not.

Of one person at most `MAX_A_MINUTE` in any minute are recorded, so nobody can fill the database by
clicking; the last of them says that it is the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from bot.signin.policy.facts import Actor
from bot.store import audit
from bot.store.database import Transaction
from bot.store.requests import Request

MAX_A_MINUTE = 10
_MINUTE = timedelta(minutes=1)


async def over_limit(tx: Transaction, actor: Actor, now: datetime) -> bool:
    """Whether no more denials of this person are recorded for now."""
    return await _in_last_minute(tx, actor, now) >= MAX_A_MINUTE


async def record(
    tx: Transaction,
    request: Request | None,
    what: str,
    reason: str,
    *,
    actor: Actor,
    now: datetime,
    trail: Mapping[str, str] = MappingProxyType({}),
) -> bool:
    """`actor` was denied `what`: a card's verb, or a command. `request`: None if it would have made one.
    `trail`: the rule and the policy, if those denied it.

    Returns False, and records nothing, over the limit.
    """
    before = await _in_last_minute(tx, actor, now)
    if before >= MAX_A_MINUTE:
        return False
    detail: dict[str, str | bool] = {"what": what, "reason": reason, **trail}
    if request is None or request.tenant_id != actor.tenant_id:
        detail["tenant"] = actor.tenant_id
    if before == MAX_A_MINUTE - 1:
        detail["last_this_minute"] = True
    await audit.record(tx, request.id if request else None, "denied", now, actor.person, **detail)
    return True


async def _in_last_minute(tx: Transaction, actor: Actor, now: datetime) -> int:
    return await audit.count_since(tx, actor.person, "denied", now - _MINUTE)
