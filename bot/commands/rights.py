"""With whose rights a request runs: the sign-in that approving asks for, and going on without one."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from bot.commands.chat import Answer, SignInAnswer, SignInFailed, TextAnswer
from bot.commands.context import Context, Turn, denial
from bot.commands.inputs import Inputs
from bot.signin import policy
from bot.signin.policy import Denied
from bot.sso.service import Account
from bot.sso.signins import Failed, Outcome, Refused, SignIn, Wanted, Who
from bot.store import batches, requests
from bot.store.requests import Request

log = structlog.get_logger()


def who(turn: Turn) -> Who:
    """As the activity says; the reference is what the chat edge made of it."""
    reference = turn.place.reference
    account = Account(
        user_id=turn.account_id,
        conversation_id=turn.place.conversation_id,
        service_url=str(reference.get("service_url", "")),
        bot_id=str(reference.get("bot_id", "")),
    )
    return Who(turn.actor.tenant_id, turn.actor.person.object_id, account)


async def taken(context: Context, turn: Turn) -> SignIn | Answer | None:
    """The sign-in of whoever clicked, or what to answer them; None where the app has its own rights."""
    if context.sign_ins is None:
        return None
    outcome = await context.sign_ins.sign_in(who(turn), turn.proof)
    return outcome if isinstance(outcome, SignIn) else told(context, outcome)


def told(context: Context, outcome: Wanted | Failed | Refused) -> Answer:
    words = context.words
    match outcome:
        case Wanted(resource, connection):
            return SignInAnswer(
                words("sign-in-why"),
                words("sign-in-button"),
                connection,
                resource.link,
                resource.exchange,
            )
        case Failed(code=True):
            return SignInFailed(words("sign-in-wrong-code"), wrong_code=True)
        case Failed():
            return SignInFailed(words("sign-in-no-exchange"))
        case Refused("roles", _, missing):
            return TextAnswer(words("sign-in-roles", missing=missing.value))
        case Refused(reason, code):
            named = words("sign-in-code", code=code) if code else ""
            return TextAnswer(f"{words(f'sign-in-{reason}')} {named}".rstrip())


def until(context: Context, now: datetime) -> datetime | None:
    """How long the rights are vouched for before the worker does so again."""
    lease = context.sign_ins.lease if context.sign_ins else None
    return None if lease is None else now + timedelta(seconds=lease)


async def sign_in(context: Context, turn: Turn, request: Request, _: Inputs) -> Answer | str | None:
    """Let a running request go on with the rights of whoever clicked."""
    decision = policy.may_sign_in(turn.actor, request.standing, four_eyes=context.rules.four_eyes)
    if isinstance(decision, Denied):
        return None if decision.reason == "not-running" else denial(context, decision)
    rights = await taken(context, turn)
    if context.sign_ins is None or not isinstance(rights, SignIn):
        return rights if not isinstance(rights, SignIn) else None
    now = context.clock()
    context.sign_ins.bind(request.id, rights)
    async with context.database.write() as tx:
        if await requests.signed_in(
            tx,
            request.id,
            now + timedelta(seconds=context.sign_ins.lease),
            actor=turn.actor.person,
            now=now,
        ):
            await batches.look_now(tx, request.id, now)
            log.info("request.signed_in", request=request.id, by=turn.actor.person.object_id)
    context.changed()
    return None


async def signed_in(context: Context, turn: Turn) -> tuple[Outcome | None, bool]:
    """A sign-in that came without a click on a card of ours. True for the first word of it."""
    if context.sign_ins is None:
        return None, False
    if turn.proof.token and turn.proof.id:
        return await context.sign_ins.sign_in_once(who(turn), turn.proof)
    return await context.sign_ins.sign_in(who(turn), turn.proof), True
