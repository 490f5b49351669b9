"""Prometheus metrics, read from the tables on every scrape, so they cannot drift from them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from bot.signin.batch import BatchState
from bot.signin.request import Hold, RequestState
from bot.store import audit_progress, batches, posts, requests, reviews
from bot.store.audit_progress import Progress
from bot.store.database import Database


class Metrics:
    """Counts of requests, held ones, batches, open reviews, undelivered posts, undelivered audit events."""

    def __init__(self, database: Database, *, audit_webhook: bool = False) -> None:
        """`audit_webhook`: whether the audit is delivered to one."""
        self._database = database
        self._registry = CollectorRegistry()
        self._requests = Gauge(
            "offhook_requests", "Requests by state", ["state"], registry=self._registry
        )
        self._holds = Gauge(
            "offhook_holds",
            "Approved requests of which nothing is sent yet",
            ["state"],
            registry=self._registry,
        )
        self._batches = Gauge(
            "offhook_batches", "Batches by state", ["state"], registry=self._registry
        )
        self._reviews = Gauge(
            "offhook_reviews", "Uses of break-glass without a review", registry=self._registry
        )
        self._outbox = Gauge("offhook_outbox", "Undelivered messages", registry=self._registry)
        self._stream = (
            (
                Gauge(
                    "offhook_audit_webhook_behind",
                    "Audit events that the webhook has not accepted yet",
                    registry=self._registry,
                ),
                Gauge(
                    "offhook_audit_webhook_behind_seconds",
                    "Age of the oldest of them",
                    registry=self._registry,
                ),
            )
            if audit_webhook
            else None
        )

    async def text(self) -> bytes:
        """The metrics in Prometheus's text format."""
        async with self._database.read() as tx:
            request_counts = await requests.counts(tx)
            hold_counts = await requests.hold_counts(tx)
            batch_counts = await batches.counts(tx)
            undelivered = await posts.backlog(tx)
            behind = await audit_progress.behind(tx, Progress.WEBHOOK) if self._stream else None
            open_reviews = await reviews.still_open(tx)
        for state in RequestState:
            self._requests.labels(state.value).set(request_counts.get(state.value, 0))
        for hold in filter(None, Hold):
            self._holds.labels(hold.value).set(hold_counts.get(hold.value, 0))
        for batch_state in BatchState:
            self._batches.labels(batch_state.value).set(batch_counts.get(batch_state.value, 0))
        self._outbox.set(undelivered)
        if self._stream and behind:
            events, seconds = self._stream
            events.set(behind.events)
            age = datetime.now(UTC) - behind.since if behind.since else timedelta()
            seconds.set(age.total_seconds())
        self._reviews.set(open_reviews.count)
        return generate_latest(self._registry)
