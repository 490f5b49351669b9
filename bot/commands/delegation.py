"""Delegation: whose access a request runs with, and how an approver grants or renews it.

The command `delegate`, which hands over an approver's role, is in `bot.commands.stand_in`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog

from bot.commands.chat import NO_ANSWER, Answer, SignInAnswer, SignInFailed, TextAnswer
from bot.commands.context import (
    SHOW_CARD,
    ClickAnswer,
    Context,
    Turn,
    audit_denial,
    denied_click,
    facts_of,
    say,
)
from bot.commands.inputs import Inputs
from bot.identity.delegations import (
    ApproverTokens,
    DelegationDenied,
    Delegations,
    InvalidProof,
    Principal,
    SignInRequired,
    step_up_of,
)
from bot.identity.token_service import Account
from bot.lifecycle import delegations as lifecycle
from bot.signin.policy.evaluator import may_delegate
from bot.signin.request import Hold
from bot.signin.schedule import NOTICE
from bot.store import requests
from bot.store.requests import Request
from cards.types import Verb

log = structlog.get_logger()


def principal(turn: Turn) -> Principal:
    """Who may delegate, as the activity says."""
    account = Account(
        user_id=turn.account_id,
        conversation_id=turn.conversation.conversation_id,
        service_url=turn.conversation.service_url,
        bot_id=turn.conversation.bot_id,
    )
    return Principal(turn.actor.tenant_id, turn.actor.person.object_id, account)


def answer(
    context: Context,
    outcome: SignInRequired | InvalidProof | DelegationDenied,
    *,
    why: str = "sign-in-why",
) -> Answer:
    """What to answer if an approver's delegation could not be acquired. `why`: the message that asks for
    a sign-in."""
    words = context.words
    match outcome:
        case SignInRequired(resource, connection, context=step_up):
            return SignInAnswer(
                words("sign-in-again", context=step_up) if step_up else words(why),
                words("sign-in-button"),
                connection,
                resource.link,
                resource.exchange,
            )
        case InvalidProof(wrong_code=True):
            return SignInFailed(words("sign-in-wrong-code"), wrong_code=True)
        case InvalidProof():
            return SignInFailed(words("sign-in-no-exchange"))
        case DelegationDenied("roles", _, missing):
            return TextAnswer(words("sign-in-roles", missing=missing.value))
        case DelegationDenied(reason, code, context=step_up):
            suffix = words("sign-in-code", code=code) if code else ""
            return TextAnswer(f"{words(f'sign-in-{reason}', context=step_up)} {suffix}".rstrip())


async def audit_denied(
    context: Context,
    turn: Turn,
    verb: Verb,
    request: Request,
    outcome: SignInRequired | InvalidProof | DelegationDenied,
) -> None:
    """Record a click that Entra ID, or an Entra role that is missing, denied; not one that goes on with a
    sign-in."""
    if isinstance(outcome, DelegationDenied):
        await audit_denial(context, turn, verb.value, f"sign-in-{outcome.reason.value}", request)


def vouched_until(delegations: Delegations[Any] | None, now: datetime) -> datetime | None:
    """The end of a new delegation's lease, which the worker renews. None if the app's own access is used."""
    if delegations is None:
        return None
    return now + timedelta(seconds=delegations.lease_seconds)


async def renew(context: Context, turn: Turn, verb: Verb, request: Request) -> ClickAnswer | None:
    """Let the request go on with the access of whoever clicked, if it needs an approver's and has none.

    Returns the answer to the click if it cannot have that; else None.
    """
    delegations = context.delegations
    if delegations is None:
        return None
    if request.id in delegations.held():
        return await step_up(context, turn, verb, request)
    outcome = await delegations.acquire(principal(turn), turn.proof)
    if not isinstance(outcome, ApproverTokens):
        await audit_denied(context, turn, verb, request, outcome)
        return answer(context, outcome)
    await _grant(context, turn, request, outcome)
    return None


async def step_up(context: Context, turn: Turn, verb: Verb, request: Request) -> ClickAnswer | None:
    """Have whoever clicked satisfy the authentication context, if there is one; whether they could sign in
    phones themselves does not matter.

    Returns the answer to the click if they have not; else None.
    """
    delegations = context.delegations
    if delegations is None or not delegations.step_up:
        return None
    outcome = await delegations.acquire(principal(turn), turn.proof)
    if isinstance(outcome, ApproverTokens) or step_up_of(outcome) is not None:
        return None
    await audit_denied(context, turn, verb, request, outcome)
    return answer(context, outcome)


async def delegate(context: Context, turn: Turn, request: Request, _: Inputs) -> ClickAnswer:
    """Let a running request go on with the access of whoever clicked."""
    decision = may_delegate(turn.policy, turn.actor, await facts_of(context, turn, request))
    if not decision.allowed:
        return await denied_click(context, turn, Verb.SIGN_IN, request, decision)
    too_early = request.hold is Hold.SCHEDULED and not starts_soon(context, request)
    if context.delegations is None or too_early:
        return SHOW_CARD
    outcome = await context.delegations.acquire(principal(turn), turn.proof)
    if not isinstance(outcome, ApproverTokens):
        await audit_denied(context, turn, Verb.SIGN_IN, request, outcome)
        return answer(context, outcome)
    await _grant(context, turn, request, outcome)
    context.changed()
    return SHOW_CARD


def starts_soon(context: Context, request: Request) -> bool:
    """Whether a delegation for it would not be kept for hours: somebody signs in for the start then."""
    return request.run_at is None or request.run_at <= context.clock() + NOTICE


async def _grant(context: Context, turn: Turn, request: Request, tokens: ApproverTokens) -> None:
    """Run the request with these tokens from now on, unless it has ended."""
    if context.delegations is None:
        return
    now = context.clock()
    context.delegations.delegate(request.id, tokens)
    async with context.database.write() as tx:
        granted = await lifecycle.grant(
            tx,
            request,
            now + timedelta(seconds=context.delegations.lease_seconds),
            actor=turn.actor.person,
            now=now,
        )
    if granted:
        async with context.database.write() as tx:
            await requests.touch_waiting(tx, [request.id])
        log.info("delegation.granted", request=request.id, approver=turn.actor.person.object_id)


async def signed_in(context: Context, turn: Turn) -> Answer:
    """A sign-in apart from a click on a card.

    Each of a person's clients sends the token of a single sign-on; only the first gets a message.
    """
    if context.delegations is None:
        return NO_ANSWER
    first = True
    if turn.proof.token and turn.proof.id:
        outcome, first = await context.delegations.acquire_once(principal(turn), turn.proof)
    else:
        outcome = await context.delegations.acquire(principal(turn), turn.proof, step_up=False)
    if isinstance(outcome, ApproverTokens):
        if first:
            await say(context, turn.conversation, context.words("sign-in-done"))
        return NO_ANSWER
    failure = answer(context, outcome)
    if first and isinstance(failure, TextAnswer):
        await say(context, turn.conversation, failure.text)
    return failure
