"""Escalations: waiting requests that nobody decides in time get further approvers, as the policy says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from bot.lifecycle import urgency
from bot.lifecycle.notifications import Notifications
from bot.signin.policy.model import Policy
from bot.store import policy_facts, requests
from bot.store.database import Database
from bot.store.requests import Waiting

log = structlog.get_logger()


class Escalations:
    """A round asks for waiting requests once, and for what a request is about only if it may be due."""

    def __init__(
        self,
        database: Database,
        notifications: Notifications,
        policy: Callable[[], Policy],
        clock: Callable[[], datetime],
    ) -> None:
        """`policy`: the one in force."""
        self._database = database
        self._notifications = notifications
        self._policy = policy
        self._clock = clock
        #: Requests of the last round to which no escalation applies that is due: they are asked about again
        #: once they, the policy, or how far it would go have changed.
        self._not_due: set[tuple[Waiting, str, timedelta]] = set()

    async def round(self, now: datetime) -> bool:
        """Returns whether any request was escalated."""
        policy = self._policy()
        if not policy.escalations:
            return False
        first = min(each.after for each in policy.escalations)
        async with self._database.read() as tx:
            waiting = await requests.waiting_since(tx, now - first, now)
        due = {
            (each, policy.hash, after)
            for each in waiting
            if (after := policy.escalation_due(None, now - each.asked_at, each.escalated))
        }
        self._not_due &= due
        escalated = False
        for each in sorted(due - self._not_due, key=lambda key: key[0].id):
            if await self._escalate(policy, each[0].id):
                escalated = True
            else:
                self._not_due.add(each)
        return escalated

    async def _escalate(self, policy: Policy, request_id: str) -> bool:
        """Returns False if none applies, it was decided meanwhile, or another replica escalated it."""
        async with self._database.read() as tx:
            request = await requests.load(tx, request_id)
            traits = request and await policy_facts.traits(tx, policy, request)
        now = self._clock()
        if request is None or traits is None or request.asked_at is None:
            return False
        waited, before = now - request.asked_at, request.facts.escalated
        after = policy.escalation_due(traits, waited, before)
        if after is None:
            return False
        applying = policy.escalations_for(traits, after)
        names = ", ".join(each.name for each in applying if each.name)
        trail = {"policy": policy.hash, **({"rule": names} if names else {})}
        async with self._database.write() as tx:
            if not await urgency.escalate(
                tx, self._notifications, request, now, after=after, trail=trail
            ):
                return False
        log.info("request.escalated", request=request_id)
        return True
