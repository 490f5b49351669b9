"""Digests: what an approval is bound to, and what a batch is checked against before it is sent."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.signin.batch import MAX_PHONES_PER_BATCH
from bot.signin.request import Phone

HEX_CHARS = 64


@dataclass(frozen=True, slots=True)
class Digests:
    """SHA-256 in hex or, with a key, HMAC-SHA-256: whoever can write to the database, but does not
    have the key, cannot make a digest that fits other rows."""

    key: bytes = field(default=b"", repr=False)

    def request(
        self, phones: Iterable[Phone], *, batch_size: int, run_at: datetime | None = None
    ) -> str:
        """Over the phones in order, the batch size unless it is the largest, and the start unless it is
        at once, which is how digests were made before there were either: requests with equal digests run
        the same sign-ins at the same time. `run_at`: aware, in whole seconds."""
        size = [] if batch_size == MAX_PHONES_PER_BATCH else [["batch_size", batch_size]]
        start = [["run_at", f"{run_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"]] if run_at else []
        return self._digest([*size, *start, *_fields(phones)])

    def batch(self, phones: Iterable[Phone], *, tenant_id: str, request_id: str) -> str:
        """Over the phones in order, and for which request of which tenant they were approved."""
        return self._digest([["batch", tenant_id, request_id], *_fields(phones)])

    def match_batch(
        self, stored: str, phones: Iterable[Phone], *, tenant_id: str, request_id: str
    ) -> bool:
        """Whether the phones are those of the stored digest.

        A batch that was planned before there were digests has "", which counts without a key only:
        with one, anybody who can write to the database could empty it.
        """
        if not stored and not self.key:
            return True
        computed = self.batch(phones, tenant_id=tenant_id, request_id=request_id)
        return equal(stored, computed)

    def mend(self, changes: Iterable[Sequence[str]], *, tenant_id: str, request_id: str) -> str:
        """Over the changes in order, and for which request of which tenant they are made."""
        return self._digest([["mend", tenant_id, request_id], *([*each] for each in changes)])

    def _digest(self, parts: Iterable[Sequence[str | int]]) -> str:
        seal = hmac.new(self.key, digestmod="sha256") if self.key else hashlib.sha256()
        for part in parts:
            seal.update(json.dumps(part).encode())  # unambiguous: no two lists encode alike
        return seal.hexdigest()


def equal(one: str, other: str) -> bool:
    """Compares digests, whatever they hold, in constant time."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))


def _fields(phones: Iterable[Phone]) -> Iterable[list[str | int]]:
    for phone in phones:
        yield [phone.region, phone.username, phone.hardware_id]


#: Without a key.
UNKEYED = Digests()
