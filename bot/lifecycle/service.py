"""Start and stop of the service, for the audit: which version, and which settings have changed.

Secrets are never told. That one has changed is: of each, the event of a start has a fingerprint that takes
long to make, with a salt of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime

from bot.store import audit, chain
from bot.store.database import Transaction

_SALT_BYTES = 16
_UNTOLD = "(secret)"
_CHANGED = "(changed)"


def settings_hash(settings: Mapping[str, str]) -> str:
    """Of the settings that are told: the same in two events if those were the same."""
    return chain.digest(chain.canonical(dict(settings)))


async def started(
    tx: Transaction,
    *,
    version: str,
    settings: Mapping[str, str],
    secret_settings: Mapping[str, str],
    owner: str,
    now: datetime,
) -> None:
    """Record the start, and what has changed since the start before, of whichever replica. `settings`:
    those that are not the default, without secrets. `secret_settings`: the secrets."""
    before = await audit.newest_detail(tx, "started")
    known: Mapping[str, str] = (before or {}).get("fingerprints", {})
    # In a thread, since they take long to make.
    fingerprints, kept = await asyncio.to_thread(_fingerprints, secret_settings, known)
    await audit.record(
        tx,
        None,
        "started",
        now,
        version=version,
        replica=owner,
        settings_hash=settings_hash(settings),
        settings=dict(settings),
        fingerprints=fingerprints,
    )
    if before is None:
        return
    old = before["settings"]
    changed = {name for name in old.keys() | settings.keys() if old.get(name) != settings.get(name)}
    # A version that made no fingerprints knows nothing of secrets.
    other = {name for name in fingerprints if name not in kept and name in known} - changed
    if changed or other:
        await audit.record(
            tx,
            None,
            "settings changed",
            now,
            before={name: old[name] for name in sorted(changed) if name in old}
            | dict.fromkeys(sorted(other), _UNTOLD),
            after={name: settings[name] for name in sorted(changed) if name in settings}
            | dict.fromkeys(sorted(other), _CHANGED),
        )


async def stopped(
    tx: Transaction, *, version: str, settings: Mapping[str, str], owner: str, now: datetime
) -> None:
    await audit.record(
        tx,
        None,
        "stopped",
        now,
        version=version,
        replica=owner,
        settings_hash=settings_hash(settings),
    )


def _fingerprints(
    values: Mapping[str, str], known: Mapping[str, str]
) -> tuple[dict[str, str], frozenset[str]]:
    """Of each secret, and the names of those that are as they were. The fingerprint of one that has not
    changed stays, with its salt."""
    made: dict[str, str] = {}
    kept: set[str] = set()
    for name, value in values.items():
        fingerprint = known.get(name, "")
        salt = fingerprint.partition(":")[0]
        if salt and hmac.compare_digest(_fingerprint(value, bytes.fromhex(salt)), fingerprint):
            kept.add(name)
        else:
            fingerprint = _fingerprint(value, secrets.token_bytes(_SALT_BYTES))
        made[name] = fingerprint
    return made, frozenset(kept)


def _fingerprint(value: str, salt: bytes) -> str:
    return f"{salt.hex()}:{hashlib.scrypt(value.encode(), salt=salt, n=2**14, r=8, p=1).hex()}"
