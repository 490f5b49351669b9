"""Looking up, before a retry, the phones that ended without a result; then drafting the retry."""

from __future__ import annotations

import structlog

from bot.gateway import AccessDeniedError, GatewayError
from bot.lifecycle import retries as lifecycle
from bot.runner.context import WorkerContext
from bot.runner.polling import results
from bot.store import asked_retries, delegation_leases
from bot.store.asked_retries import AskedRetry
from bot.store.batches import Batch
from bot.store.leases import LeaseLostError

log = structlog.get_logger()


class Lookups:
    """One read per batch: what it cannot tell then is left to the retry."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context

    async def look_up(self, batch: Batch) -> None:
        context = self._context
        access = context.gateways.for_reads(batch)
        if access is None:
            return
        try:
            found = results(await access.gateway.status(batch.remote_batch_id))
        except GatewayError as error:
            if isinstance(error, AccessDeniedError) and access.delegation is not None:
                context.gateways.denied(batch, access)
                return  # with another delegation, while there is time
            log.info(
                "batch.lookup_failed",
                request=batch.request_id,
                batch=batch.id,
                reason=type(error).__name__,
                message=error.message,
            )
            found = None
        try:
            async with context.database.write() as tx:
                await lifecycle.look_up(tx, batch, found, owner=context.owner, now=context.clock())
        except LeaseLostError:
            return
        context.changed()

    async def draft(self) -> None:
        """Draft the retries that have nothing more to wait for."""
        context, now = self._context, self._context.clock()
        async with context.database.read() as tx:
            asked = await asked_retries.all_of_them(tx)
            vouched = await delegation_leases.tenants(tx, now)
        for each in asked:
            over = not each.waiting or each.until <= now
            if not (over or self._out_of_reach(each, vouched)):
                continue
            async with context.database.write() as tx:
                if await lifecycle.draft(
                    tx, context.notifications, each, now, check_accounts=context.check_accounts
                ):
                    log.info("retry.drafted", request=each.request_id)
            context.changed()
            context.drafted()

    def _out_of_reach(self, asked: AskedRetry, vouched: frozenset[str]) -> bool:
        """Whether no replica could read the batches, since nobody is signed in."""
        reach, tenant_id = self._context.gateways.readable, asked.new.tenant_id
        return (
            reach is not None
            and tenant_id not in reach.tenant_ids
            and asked.request_id not in reach.request_ids
            and tenant_id not in vouched
        )
