"""Loading the policy file, and what a change of the policy means for the audit and for what waits."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy import select, update

from bot.signin.policy.file import MAX_BYTES, parse
from bot.signin.policy.model import Policy
from bot.signin.policy.problem import PolicyError, Problem
from bot.signin.policy.settings import PolicySettings
from bot.signin.request import RequestState
from bot.store import audit
from bot.store.database import Transaction
from bot.store.models.requests import RequestRow


def load(path: Path, settings: PolicySettings) -> Policy:
    """The policy in a file; blocks. Raises `PolicyError`, also for a file that cannot be read."""
    return parse(read(path), settings)


def read(path: Path) -> bytes:
    """A file's content, up to a byte too many. Raises `PolicyError`."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        problem = Problem(0, "", f"the file cannot be read: {error.strerror or error}")
        raise PolicyError([problem]) from error


async def loaded(tx: Transaction, policy: Policy, now: datetime) -> bool:
    """A policy is in force from now on. Returns False if it was already, on whichever replica.

    Requests that wait may need other approvals now: their cards are updated.
    """
    newest = await audit.newest_detail(tx, "policy loaded")
    before = newest["policy"] if newest else ""
    if before == policy.hash:
        return False
    await audit.record(
        tx, None, "policy loaded", now, policy=policy.hash, before=before, content=policy.source
    )
    waiting = (
        select(RequestRow.id)
        .where(RequestRow.state == RequestState.WAITING.value)
        .order_by(RequestRow.id)  # as everybody locks several requests
        .with_for_update(key_share=True)
    )
    request_ids = (await tx.execute(waiting)).scalars().all()
    await tx.execute(
        update(RequestRow)
        .where(RequestRow.id.in_(request_ids))
        .values(version=RequestRow.version + 1, state_version=RequestRow.version + 1)
    )
    return True
