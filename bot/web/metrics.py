"""What an operator watches: read from the tables when asked for, so that it cannot drift from them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from bot.signin.batch import BatchState
from bot.signin.request import RequestState
from bot.store import batches, posts, snapshots
from bot.store.database import Database


class Metrics:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._registry = CollectorRegistry()
        self._requests = Gauge(
            "offhook_requests", "Requests by state", ["state"], registry=self._registry
        )
        self._batches = Gauge(
            "offhook_batches", "Batches by state", ["state"], registry=self._registry
        )
        self._outbox = Gauge(
            "offhook_outbox", "Messages that wait to be sent", registry=self._registry
        )

    async def text(self) -> bytes:
        """The metrics in Prometheus' text format."""
        async with self._database.read() as tx:
            by_request = await snapshots.counts(tx)
            by_batch = await batches.counts(tx)
            waiting = await posts.backlog(tx)
        for state in RequestState:
            self._requests.labels(state.value).set(by_request.get(state.value, 0))
        for batch_state in BatchState:
            self._batches.labels(batch_state.value).set(by_batch.get(batch_state.value, 0))
        self._outbox.set(waiting)
        return generate_latest(self._registry)
