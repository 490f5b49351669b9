"""What can be asked of a request that runs or has ended: cancel, retry, what became of a batch."""

from __future__ import annotations

import asyncio

import structlog

from bot.commands.context import Context, Turn, denial
from bot.commands.inputs import Inputs
from bot.gateway import GatewayError
from bot.runner import matching
from bot.signin import policy
from bot.signin.batch import BatchState
from bot.signin.policy import Denied
from bot.store import batches, drafts, requests
from bot.store.batches import Batch
from bot.store.requests import Request

log = structlog.get_logger()

_ANSWER_SECONDS = 6.0  # whoever clicked waits for the answer, and their client not much longer


async def cancel(context: Context, turn: Turn, request: Request, inputs: Inputs) -> str | None:
    """Stop what has not been sent."""
    decision = policy.may_cancel(turn.actor, request.facts)
    if isinstance(decision, Denied):
        if decision.reason in ("not-running", "already-cancelling"):
            return None
        return denial(context, decision)
    now = context.clock()
    async with context.database.write() as tx:
        if await requests.cancel(tx, request.id, actor=turn.actor.person, now=now):
            await context.notifications.end_if_over(tx, request.id, now)
    context.changed()
    return None


async def retry_failed(
    context: Context, turn: Turn, request: Request, inputs: Inputs
) -> str | None:
    """A new draft with the phones that were not signed in, in the conversation that asks."""
    decision = policy.may_retry(turn.actor, request.facts)
    if isinstance(decision, Denied):
        return denial(context, decision)
    now = context.clock()
    async with context.database.write() as tx:
        existing = await drafts.taken_over(tx, request.id)
        if existing is not None:
            return context.words("retry-exists", request=existing)
        new_id = await drafts.retry(
            tx,
            request,
            requester=turn.actor.person,
            conversation_id=turn.place.conversation_id,
            four_eyes=context.rules.four_eyes,
            now=now,
        )
        if new_id is None:
            return context.words("retry-nothing", request=request.id)
        draft = await requests.load(tx, new_id)
        if draft is not None:
            await context.notifications.drafted(tx, draft, now)
    context.changed()
    return context.words("retry-drafted", request=new_id, phones=draft.ready_rows if draft else 0)


async def reconcile(context: Context, turn: Turn, request: Request, inputs: Inputs) -> str | None:
    """A person says what became of a batch: look again, it ran (with its id), it did not run."""
    decision = policy.may_reconcile(turn.actor, request.facts, four_eyes=context.rules.four_eyes)
    if isinstance(decision, Denied):
        return None if decision.reason == "not-running" else denial(context, decision)
    async with context.database.read() as tx:
        batch = await batches.load(tx, inputs.number("batch", 0))
    if (
        batch is None
        or batch.request_id != request.id
        or batch.state is not BatchState.NEEDS_PERSON
        or batch.attempt != inputs.number("attempt", 0)
    ):
        return None  # answered meanwhile: the card says so
    answer = inputs.text("answer", 16)
    if answer == "check":
        return await _check_again(context, turn, batch)
    if answer == "not_run":
        return await _did_not_run(context, turn, batch)
    if answer == "ran":
        return await _ran(context, turn, batch, inputs.text("batch_id", 200))
    return context.words("reconcile-what")


async def _check_again(context: Context, turn: Turn, batch: Batch) -> str | None:
    now = context.clock()
    async with context.database.write() as tx:
        if await batches.unknown(tx, batch, due_at=now, error=""):
            await requests.record(
                tx, batch.request_id, "batch to be checked", now, turn.actor.person, batch=batch.id
            )
    context.changed()
    return None


async def _did_not_run(context: Context, turn: Turn, batch: Batch) -> str | None:
    now = context.clock()
    async with context.database.write() as tx:
        if await batches.nothing_ran(
            tx, batch, before=(BatchState.NEEDS_PERSON,), not_before=now, error=""
        ):
            await requests.record(
                tx, batch.request_id, "batch did not run", now, turn.actor.person, batch=batch.id
            )
            await context.notifications.end_if_over(tx, batch.request_id, now)
    context.changed()
    return None


async def _ran(context: Context, turn: Turn, batch: Batch, remote_batch_id: str) -> str | None:
    """Believed only if the service has a batch of that id with exactly these phones."""
    if not remote_batch_id:
        return context.words("reconcile-no-id")
    async with context.database.read() as tx:
        devices = await batches.devices(tx, batch)
        known = await batches.known_remote_batch_ids(tx, batch.tenant_id)
    if remote_batch_id.casefold() in map(str.casefold, known):
        return context.words("reconcile-taken", batch=remote_batch_id)
    gateway = context.gateway
    if context.delegations is not None:
        gateway = context.delegations.client(batch.request_id)
    if gateway is None:
        return context.words("reconcile-signed-out", batch=remote_batch_id)
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            report = await gateway.status(remote_batch_id)
    except TimeoutError:
        return context.words("reconcile-slow", batch=remote_batch_id)
    except GatewayError as error:
        return context.words("reconcile-no-answer", batch=remote_batch_id, message=error.message)
    if not matching.is_of(report, devices):
        return context.words("reconcile-other", batch=remote_batch_id)
    now = context.clock()
    async with context.database.write() as tx:
        if await batches.submitted(
            tx, batch, remote_batch_id, owner="", lease_until=now, due_at=now, now=now
        ):
            await requests.record(
                tx,
                batch.request_id,
                "batch ran",
                now,
                turn.actor.person,
                batch=batch.id,
                remote_batch_id=remote_batch_id,
            )
    context.changed()
    return None
