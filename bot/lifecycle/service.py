"""Start and stop of the service, for the audit: which version, and which settings have changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bot.store import audit
from bot.store.database import Transaction


async def started(
    tx: Transaction, *, version: str, settings: Mapping[str, str], owner: str, now: datetime
) -> None:
    """Record the start, and what has changed since the start before, of whichever replica. `settings`:
    those that are not the default, without secrets."""
    before = await audit.newest_detail(tx, "started")
    await audit.record(
        tx, None, "started", now, version=version, replica=owner, settings=dict(settings)
    )
    if before is None:
        return
    old = before["settings"]
    changed = sorted(
        name for name in old.keys() | settings.keys() if old.get(name) != settings.get(name)
    )
    if changed:
        await audit.record(
            tx,
            None,
            "settings changed",
            now,
            before={name: old[name] for name in changed if name in old},
            after={name: settings[name] for name in changed if name in settings},
        )


async def stopped(tx: Transaction, *, version: str, owner: str, now: datetime) -> None:
    await audit.record(tx, None, "stopped", now, version=version, replica=owner)
