"""An approver settles a batch of unknown outcome (check again, it ran, or it did not run), or one whose
status cannot be read (keep checking, or give up)."""

from __future__ import annotations

import asyncio

from bot.commands import delegation
from bot.commands.chat import TextAnswer
from bot.commands.context import SHOW_CARD, ClickAnswer, Context, Turn, denied_click, facts_of
from bot.commands.inputs import LARGEST_ID, Inputs
from bot.gateway import GatewayError
from bot.lifecycle import reconciliation as lifecycle
from bot.runner.reconciliation import is_of
from bot.signin.batch import BatchState
from bot.signin.policy.evaluator import may_reconcile
from bot.store import batches
from bot.store.batches import Batch
from bot.store.requests import Request
from cards.types import Verb

_TIMEOUT_SECONDS = 6.0  # whoever clicked waits for the answer, and their client not much longer


async def reconcile(context: Context, turn: Turn, request: Request, inputs: Inputs) -> ClickAnswer:
    decision = may_reconcile(turn.policy, turn.actor, await facts_of(context, turn, request))
    if not decision.allowed:
        return await denied_click(context, turn, Verb.RECONCILE, request, decision)
    async with context.database.read() as tx:
        batch = await batches.load(tx, inputs.number("batch", 0, largest=LARGEST_ID))
    if (
        batch is None
        or batch.request_id != request.id
        or batch.attempt != inputs.number("attempt", 0)
    ):
        return SHOW_CARD  # settled meanwhile, as the card says
    if batch.state is BatchState.SUBMITTED and batch.unreadable_asked:
        return await _unreadable(context, turn, batch, inputs.text("answer", 16))
    if batch.state is not BatchState.NEEDS_PERSON:
        return SHOW_CARD
    match inputs.text("answer", 16):
        case "check":
            return await _check_again(context, turn, batch)
        case "not_run":
            # It is sent again, which resets passwords as an approval does.
            answer = await delegation.step_up(context, turn, Verb.RECONCILE, request)
            return answer or await _did_not_run(context, turn, batch)
        case "ran":
            return await _ran(context, turn, batch, inputs.text("batch_id", 200))
        case _:
            return TextAnswer(context.words("reconcile-what"))


async def _unreadable(context: Context, turn: Turn, batch: Batch, answer: str) -> ClickAnswer:
    """Poll on, or give up, a batch whose status cannot be read. It ran, so no other answer fits."""
    actor, now = turn.actor.person, context.clock()
    async with context.database.write() as tx:
        match answer:
            case "check":
                await lifecycle.keep_polling(tx, batch, actor=actor, now=now)
            case "give_up":
                await lifecycle.give_up(tx, context.notifications, batch, actor=actor, now=now)
            case _:
                return TextAnswer(context.words("reconcile-what-unreadable"))
    context.changed()
    return SHOW_CARD


async def _check_again(context: Context, turn: Turn, batch: Batch) -> ClickAnswer:
    async with context.database.write() as tx:
        await lifecycle.check_again(tx, batch, actor=turn.actor.person, now=context.clock())
    context.changed()
    return SHOW_CARD


async def _did_not_run(context: Context, turn: Turn, batch: Batch) -> ClickAnswer:
    async with context.database.write() as tx:
        await lifecycle.confirm_not_run(
            tx, context.notifications, batch, actor=turn.actor.person, now=context.clock()
        )
    context.changed()
    return SHOW_CARD


async def _ran(context: Context, turn: Turn, batch: Batch, remote_batch_id: str) -> ClickAnswer:
    """Believed only if the SIP Gateway has a batch of that id with exactly these phones."""
    words = context.words
    if not remote_batch_id:
        return TextAnswer(words("reconcile-no-id"))
    async with context.database.read() as tx:
        phones = await batches.phones(tx, batch)
        known = await batches.known_remote_batch_ids(tx, batch.tenant_id)
    if remote_batch_id.casefold() in known:
        return TextAnswer(words("reconcile-taken", batch=remote_batch_id))
    gateway = context.gateway
    if context.delegations is not None:
        held = context.delegations.for_reads(batch.request_id, batch.tenant_id)
        if held is None:
            return TextAnswer(words("reconcile-signed-out", batch=remote_batch_id))
        gateway = held.client
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            report = await gateway.status(remote_batch_id)
    except TimeoutError:
        return TextAnswer(words("reconcile-slow", batch=remote_batch_id))
    except GatewayError as error:
        message = error.message.rstrip(". ")  # the sentence continues after it
        return TextAnswer(words("reconcile-no-answer", batch=remote_batch_id, message=message))
    if not is_of(report, phones):
        return TextAnswer(words("reconcile-other", batch=remote_batch_id))
    async with context.database.write() as tx:
        await lifecycle.confirm_ran(
            tx, batch, remote_batch_id, actor=turn.actor.person, now=context.clock()
        )
    context.changed()
    return SHOW_CARD
