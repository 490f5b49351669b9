"""What every part of the worker works with."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from bot.gateway import GatewayError
from bot.lifecycle.notifications import Notifications
from bot.lifecycle.starts import ChangeWindow, always_open
from bot.runner.gateways import Gateways
from bot.runner.outages import Outages
from bot.signin.digest import UNKEYED, Digests
from bot.signin.timing import Timing
from bot.store.database import UNUSABLE, Database, Transaction

Recorded = TypeVar("Recorded")


@dataclass(frozen=True, slots=True)
class WorkerContext:
    database: Database
    gateways: Gateways
    notifications: Notifications
    timing: Timing
    owner: str  #: this replica, as it signs its leases
    clock: Callable[[], datetime]  #: UTC
    changed: Callable[[], None]  #: called after every commit that people may see
    drafted: Callable[[], None] = lambda: None  #: called besides, after a retry has been drafted
    digests: Digests = UNKEYED  #: what batches are checked against before they are sent
    check_accounts: bool = False  #: whether the accounts of a new draft are checked
    window: ChangeWindow = always_open  #: when something may be sent
    outages: Outages = field(default_factory=lambda: Outages("gateway"))
    database_outages: Outages = field(default_factory=lambda: Outages("database"))
    stopping: asyncio.Event = field(
        default_factory=asyncio.Event
    )  #: set when the worker is stopped

    def after(self, seconds: float) -> datetime:
        return self.clock() + timedelta(seconds=seconds)

    def lease_until(self, wait_seconds: float = 0) -> datetime:
        """The end of a lease that outlasts a wait and a submit after it."""
        submit = self.gateways.submit_timeout
        return self.after(wait_seconds + submit + self.timing.lease_margin_seconds)

    async def record(self, write: Callable[[Transaction], Awaitable[Recorded]]) -> Recorded:
        """Record what the SIP Gateway answered, in a write transaction that is retried while the
        database fails: the answer will not come again. Once the worker stops, one attempt is made.
        """
        while True:
            last_attempt = self.stopping.is_set()
            try:
                async with self.database.write() as tx:
                    recorded = await write(tx)
            except UNUSABLE as error:
                self.database_outages.failed(type(error).__name__)
                if last_attempt:
                    raise
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.timing.idle_seconds):
                        await self.stopping.wait()
            else:
                self.database_outages.recovered()
                return recorded


def jitter(seconds: float) -> float:
    """`seconds`, less up to 5 %, so that polls do not bunch up."""
    return seconds * random.uniform(0.95, 1.0)  # noqa: S311


def traceable(error: GatewayError) -> str:
    """The SIP Gateway's message, with the id by which Microsoft's support finds the call."""
    return f"{error.message} ({error.correlation_id})" if error.correlation_id else error.message
