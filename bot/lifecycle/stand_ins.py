"""Handing over an approver's role for a time, and its end."""

from __future__ import annotations

from datetime import datetime

from bot.lifecycle.notifications import Notifications
from bot.signin.request import Person
from bot.store import audit, stand_ins
from bot.store.chain import timestamp
from bot.store.database import Transaction
from bot.store.stand_ins import StandIn


async def hand_over(
    tx: Transaction, notify: Notifications, stand_in: StandIn, *, actor: Person, now: datetime
) -> bool:
    """From now on, in place of whoever stood in for the approver before.

    Returns False if it is so already, for instance because of a second click.
    """
    before = await stand_ins.load(tx, stand_in.tenant_id, stand_in.approver.object_id)
    if before is not None and (before.person.object_id, before.until) == (
        stand_in.person.object_id,
        stand_in.until,
    ):
        return False
    if before is not None:
        await audit.record(tx, None, "stand-in ended", now, actor, **_detail(before))
    await stand_ins.save(tx, stand_in)
    await audit.record(tx, None, "stand-in named", now, actor, **_detail(stand_in))
    await notify.stand_in_named(tx, stand_in, now)
    return True


async def end(
    tx: Transaction,
    notify: Notifications,
    stand_in: StandIn,
    *,
    actor: Person | None,
    now: datetime,
) -> bool:
    """`actor`: the approver; None if the time is over. Returns False if it has ended before."""
    if not await stand_ins.remove(tx, stand_in):
        return False
    await audit.record(tx, None, "stand-in ended", now, actor, **_detail(stand_in))
    await notify.stand_in_ended(tx, stand_in, now)
    return True


def _detail(stand_in: StandIn) -> dict[str, str]:
    return {
        "tenant": stand_in.tenant_id,
        "approver_id": stand_in.approver.object_id,
        "approver_name": stand_in.approver.name,
        "stand_in_id": stand_in.person.object_id,
        "stand_in_name": stand_in.person.name,
        "until": timestamp(stand_in.until),
    }
