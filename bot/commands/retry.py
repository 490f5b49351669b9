"""Retry the phones that were not signed in: by a click, or by the command `retry <id>`."""

from __future__ import annotations

from bot.commands.chat import TextAnswer
from bot.commands.context import ClickAnswer, Context, Turn, denial, say, visible_or_say
from bot.commands.inputs import Inputs
from bot.lifecycle import requests as lifecycle
from bot.lifecycle.requests import RetryExistsError
from bot.signin.policy import Denied, may_retry
from bot.store.drafts import NewRequest
from bot.store.requests import Request


async def retry_failed(context: Context, turn: Turn, request: Request, _: Inputs) -> ClickAnswer:
    return TextAnswer(await _retry(context, turn, request))


async def command(context: Context, turn: Turn, argument: str) -> None:
    request = await visible_or_say(context, turn, argument)
    if request is not None:
        await say(context, turn.conversation, await _retry(context, turn, request))


async def _retry(context: Context, turn: Turn, request: Request) -> str:
    """Draft a new request, in the conversation that asks; returns what to say about it."""
    decision = may_retry(turn.actor, request.facts)
    if isinstance(decision, Denied):
        return denial(context, decision)
    new = NewRequest(
        request.tenant_id,
        turn.actor.person,
        turn.conversation.conversation_id,
        request.file_name,
        context.rules.four_eyes,
    )
    try:
        async with context.database.write() as tx:
            retry = await lifecycle.draft_retry(
                tx, context.notifications, new, request, context.clock()
            )
    except RetryExistsError as error:
        return context.words("retry-exists", request=error.request_id)
    if retry is None:
        return context.words("retry-nothing", request=request.id)
    context.changed()
    return context.words("retry-drafted", request=retry.request_id, phones=retry.phones)
