"""Approval is asked for, if the policy permits it: judged in the transaction that asks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Update, update

from bot.lifecycle import preflight, starts
from bot.lifecycle.notifications import Notifications
from bot.lifecycle.overlaps import OverlapUnexplainedError, counted, find, want_reason
from bot.lifecycle.requests import change
from bot.phones.region import Region
from bot.signin import request as states
from bot.signin.digest import UNKEYED, Digests
from bot.signin.overlap import Verdict, judge
from bot.signin.policy.decision import Decision
from bot.signin.policy.evaluator import may_ask
from bot.signin.policy.facts import Actor
from bot.signin.policy.model import Policy
from bot.signin.request import Person, RequestState
from bot.signin.schedule import Start
from bot.store import audit, evidence, locks, overlaps, policy_facts, requests, shown
from bot.store.account_checks import Preflight
from bot.store.database import Transaction
from bot.store.models.requests import RequestRow
from bot.store.requests import Request
from bot.store.statement import statement


class AskingDeniedError(Exception):
    """The policy does not permit it."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.reason)
        self.decision = decision


@dataclass(frozen=True, slots=True)
class Asking:
    policy: Policy
    actor: Actor


async def permit(
    tx: Transaction,
    asking: Asking,
    request: Request,
    *,
    region: Region | None,
    reason: str,
    ticket: str = "",
    now: datetime,
) -> None:
    """`region`: for the rows without one. Raises `AskingDeniedError`."""
    policy = asking.policy
    facts = await policy_facts.of_request(tx, policy, request)
    traits = facts.traits
    if region is not None:
        traits = replace(traits, regions=traits.regions | {region})
    today = 0
    if policy.accounts_per_day is not None:
        today = await policy_facts.accounts_of_day(tx, request, now)
    facts = replace(facts, traits=traits, reason=reason, ticket=ticket)
    decision = may_ask(policy, asking.actor, facts, accounts_today=today)
    if not decision.allowed:
        raise AskingDeniedError(decision)


class RegionMissingError(Exception):
    """Some ready row has no region, neither from the file nor chosen by the requester."""


class NothingReadyError(Exception):
    """No row is ready."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What approvers are shown of who asks, besides the name and the reason."""

    ticket: str = ""  #: "" without one
    upn: str = ""  #: from the directory; "" if it did not tell
    account: str = ""  #: who they are to the chat


NOTHING_TOLD = Asked()


async def request_approval(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    *,
    region: Region | None,
    reason: str,
    ttl: timedelta,
    actor: Person,
    now: datetime,
    batch_size: int | None = None,
    digests: Digests = UNKEYED,
    include_failed: bool = False,
    include_guarded: Collection[str] = (),
    asking: Asking | None = None,
    told: Asked = NOTHING_TOLD,
    start: Start | None = None,
) -> bool:
    """draft -> waiting. From here on rows and start do not change; the digest binds the approval to them.

    `region`: for the rows whose file gave none. `ttl`: how long approvers have, but never longer than
    until the `start`, which is None to start once it is approved. `batch_size`: phones per
    batch at most, None for what the draft says. `include_failed`, `include_guarded`: accounts to take along
    although the checks left them out, see `preflight.include`. `told`: what else approvers are shown.
    `asking`: who asks, and the policy that has to permit it; None: it was asked already.
    Returns False when the request has already moved on, or when others have the same phones or accounts
    and the draft's card did not show it; then it does now. Raises `RegionMissingError`,
    `UnknownAccountError`, `NothingReadyError`, `AskingDeniedError`, and `OverlapUnexplainedError` if the card
    did show it and `reason` is blank.
    """
    batch_size = batch_size or request.batch_size
    if asking is not None and asking.policy.accounts_per_day is not None:
        await locks.approvals(tx, request.tenant_id)  # what is asked for is counted, then added
    await locks.requests(tx, request.id)
    current = await requests.load(tx, request.id)
    if current is None or current.state is not RequestState.DRAFT:
        return False
    included = await preflight.include(tx, request.id, failed=include_failed, named=include_guarded)
    current = await requests.load(tx, request.id)
    if current is None or not current.ready_rows:
        raise NothingReadyError(request.id)
    if asking is not None:
        await permit(tx, asking, current, region=region, reason=reason, ticket=told.ticket, now=now)
    found = await find(tx, request, now)
    match judge(found, await overlaps.shown(tx, request.id), reason):
        case Verdict.NEW:
            entered = replace(request, reason=reason, ticket=told.ticket, batch_size=batch_size)
            typed = starts.columns(start) | {"run_at": None}
            await want_reason(tx, notify, entered, found, now, actor, **typed)
            return False
        case Verdict.UNEXPLAINED:
            raise OverlapUnexplainedError(request.id)
        case Verdict.CLEAR | Verdict.EXPLAINED:
            await overlaps.save(tx, request.id, found)
    expires_at = now + ttl if start is None else min(now + ttl, start.at)
    if not await change(
        tx,
        request,
        states.REQUEST_APPROVAL,
        RequestRow.preflight != Preflight.CHECKING.value,
        **starts.columns(start),
        reason=reason,
        ticket=told.ticket,
        requester_upn=told.upn,
        requester_account=told.account,
        asked_at=now,
        expires_at=expires_at,
        remind_at=now + (expires_at - now) / 2,
        batch_size=batch_size,
        reason_wanted_since=None,
        overlaps_version=RequestRow.version + 1 if found else 0,
    ):
        return False
    if region is not None:
        await requests.set_region(tx, request.id, region)
    if await requests.without_region(tx, request.id):
        raise RegionMissingError(request.id)
    sealed = digests.request(
        await requests.phones(tx, request.id),
        batch_size=batch_size,
        run_at=start.at if start else None,
    )
    current = replace(current, batch_size=batch_size, reason=reason, ticket=told.ticket)
    gathered = (await evidence.gather(tx, current, now)).document()
    await tx.execute(*_seal(request.id, sealed, gathered))
    ticket = {"ticket": told.ticket} if told.ticket else {}
    await audit.record(
        tx,
        request.id,
        "asked",
        now,
        actor,
        reason=reason,
        digest=sealed,
        shown=await shown.load(tx, current, now),
        **ticket,
        **counted(found),
        **starts.audited(start.at if start else None),
    )
    if included.accounts:
        await audit.record(
            tx,
            request.id,
            "accounts included",
            now,
            actor,
            accounts=included.accounts,
            guarded=included.guarded,
        )
    await notify.approval_requested(tx, request, now)
    return True


@statement
def _seal(request_id: str, digest: str, gathered: Mapping[str, Any]) -> Update:
    return (
        update(RequestRow)
        .where(RequestRow.id == request_id)
        .values(digest=digest, evidence=gathered)
    )
