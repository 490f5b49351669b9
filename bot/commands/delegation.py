"""With whose rights a request runs: the sign-in that approving asks for, and going on without one."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from bot.commands.chat import Answer, SignInAnswer, SignInFailed, TextAnswer
from bot.commands.context import Context, Turn, denial
from bot.commands.inputs import Inputs
from bot.identity.delegations import (
    ApproverTokens,
    DelegationDenied,
    InvalidProof,
    Outcome,
    Principal,
    SignInRequired,
)
from bot.identity.token_service import Account
from bot.signin import policy
from bot.signin.policy import Denied
from bot.store import batches, requests
from bot.store.requests import Request

log = structlog.get_logger()


def who(turn: Turn) -> Principal:
    """As the activity says; the reference is what the chat edge made of it."""
    reference = turn.place.reference
    account = Account(
        user_id=turn.account_id,
        conversation_id=turn.place.conversation_id,
        service_url=str(reference.get("service_url", "")),
        bot_id=str(reference.get("bot_id", "")),
    )
    return Principal(turn.actor.tenant_id, turn.actor.person.object_id, account)


async def taken(context: Context, turn: Turn) -> ApproverTokens | Answer | None:
    """The sign-in of whoever clicked, or what to answer them; None where the app has its own rights."""
    if context.delegations is None:
        return None
    outcome = await context.delegations.acquire(who(turn), turn.proof)
    return outcome if isinstance(outcome, ApproverTokens) else told(context, outcome)


def told(context: Context, outcome: SignInRequired | InvalidProof | DelegationDenied) -> Answer:
    words = context.words
    match outcome:
        case SignInRequired(resource, connection):
            return SignInAnswer(
                words("sign-in-why"),
                words("sign-in-button"),
                connection,
                resource.link,
                resource.exchange,
            )
        case InvalidProof(code=True):
            return SignInFailed(words("sign-in-wrong-code"), wrong_code=True)
        case InvalidProof():
            return SignInFailed(words("sign-in-no-exchange"))
        case DelegationDenied("roles", _, missing):
            return TextAnswer(words("sign-in-roles", missing=missing.value))
        case DelegationDenied(reason, code):
            named = words("sign-in-code", code=code) if code else ""
            return TextAnswer(f"{words(f'sign-in-{reason}')} {named}".rstrip())


def until(context: Context, now: datetime) -> datetime | None:
    """How long the rights are vouched for before the worker does so again."""
    lease = context.delegations.lease if context.delegations else None
    return None if lease is None else now + timedelta(seconds=lease)


async def sign_in(context: Context, turn: Turn, request: Request, _: Inputs) -> Answer | str | None:
    """Let a running request go on with the rights of whoever clicked."""
    decision = policy.may_delegate(turn.actor, request.facts, four_eyes=context.rules.four_eyes)
    if isinstance(decision, Denied):
        return None if decision.reason == "not-running" else denial(context, decision)
    rights = await taken(context, turn)
    if context.delegations is None or not isinstance(rights, ApproverTokens):
        return rights if not isinstance(rights, ApproverTokens) else None
    now = context.clock()
    context.delegations.delegate(request.id, rights)
    async with context.database.write() as tx:
        if await requests.signed_in(
            tx,
            request.id,
            now + timedelta(seconds=context.delegations.lease),
            actor=turn.actor.person,
            now=now,
        ):
            await batches.look_now(tx, request.id, now)
            log.info("request.signed_in", request=request.id, by=turn.actor.person.object_id)
    context.changed()
    return None


async def signed_in(context: Context, turn: Turn) -> tuple[Outcome | None, bool]:
    """A sign-in that came without a click on a card of ours. True for the first word of it."""
    if context.delegations is None:
        return None, False
    if turn.proof.token and turn.proof.id:
        return await context.delegations.acquire_once(who(turn), turn.proof)
    return await context.delegations.acquire(who(turn), turn.proof), True
