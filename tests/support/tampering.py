"""What whoever owns the database can do to the audit, and its own protection does not prevent."""

from __future__ import annotations

from sqlalchemy import text

from bot.store.database import Transaction


async def unprotect(tx: Transaction) -> None:
    """Drop the triggers that keep the audit from being changed. PostgreSQL has logins instead."""
    if tx.dialect.name == "postgresql":
        return
    names = await tx.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
    for name in names.scalars().all():
        await tx.execute(text(f"DROP TRIGGER {name}"))
