"""Retry the phones that were not signed in: by a click, or by the command `retry <id>`.

Those that ended without a result are first looked up once more, in the background (`bot.runner.lookups`).
"""

from __future__ import annotations

from datetime import timedelta

from bot.commands.chat import TextAnswer
from bot.commands.context import (
    ClickAnswer,
    Context,
    Turn,
    about_request,
    audit_decision,
    denial,
    facts_of,
    say,
    visible_or_say,
)
from bot.commands.inputs import Inputs
from bot.lifecycle import drafts as lifecycle
from bot.signin.policy.evaluator import may_retry
from bot.store import asked_retries, drafts, locks
from bot.store.drafts import NewRequest
from bot.store.requests import Request


async def retry_failed(context: Context, turn: Turn, request: Request, _: Inputs) -> ClickAnswer:
    return TextAnswer(await _retry(context, turn, request))


async def command(context: Context, turn: Turn, argument: str) -> None:
    request = await visible_or_say(context, turn, argument, change="retry")
    if request is not None:
        turn = await about_request(context, turn, request)
        await say(context, turn.conversation, await _retry(context, turn, request))


async def _retry(context: Context, turn: Turn, request: Request) -> str:
    """Draft a new request, in the conversation that asks; returns what to say about it."""
    decision = may_retry(turn.policy, turn.actor, await facts_of(context, turn, request))
    if not decision.allowed:
        await audit_decision(context, turn, "retry", decision, request)
        return denial(context, decision)
    new = NewRequest(
        request.tenant_id,
        turn.own.person,
        turn.conversation.conversation_id,
        request.file_name,
        turn.policy.four_eyes,
    )
    async with context.database.write() as tx:
        await locks.requests(tx, request.id)
        existing = await drafts.retry_of(tx, request.id)
        if existing is not None:
            return context.words("retry-exists", request=existing)
        now = context.clock()
        until = now + timedelta(seconds=context.rules.lookup_seconds)
        phones = await asked_retries.phones_of(tx, request.id) or await asked_retries.ask(
            tx, new, request.id, until=until, now=now
        )
        retry = (
            None
            if phones
            else await lifecycle.draft_retry(
                tx,
                context.notifications,
                new,
                request,
                now,
                check_accounts=context.rules.check_accounts,
            )
        )
    if phones:
        context.changed()  # the worker looks them up, and drafts the retry afterwards
        return context.words("retry-looking-up", request=request.id, phones=phones)
    if retry is None:
        return context.words("retry-nothing", request=request.id)
    context.changed()
    return context.words("retry-drafted", request=retry.request_id, phones=retry.phones)
