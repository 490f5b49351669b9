"""What the policy looks at in a request, read from its rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Select, func, select

from bot.phones.region import Region
from bot.signin.policy import quorum
from bot.signin.policy.facts import Actor, RequestFacts
from bot.signin.policy.model import Policy, Risk, Rule, Traits
from bot.signin.policy.vote import Standing, Vote
from bot.signin.request import NOTHING_RAN, RequestState
from bot.signin.windows import CutShort, Never, Open, OpensAt, closes_at, window_open
from bot.store import account_checks, overlaps, requests, reviews, votes
from bot.store.database import Transaction
from bot.store.models.requests import PhoneRow, RequestRow
from bot.store.requests import Request
from bot.store.statement import statement

_DAY = timedelta(days=1)


async def of_request(tx: Transaction, policy: Policy, request: Request) -> RequestFacts:
    """The request with its traits, with whoever made it, with the votes that count, and with what came of
    break-glass."""
    given = await votes.counting(tx, request)
    return replace(
        await of_windows(tx, policy, request),
        makers=await makers(tx, request),
        votes=tuple(as_actor(request, vote) for vote in given),
    )


async def of_windows(tx: Transaction, policy: Policy, request: Request) -> RequestFacts:
    """What windows and freezes look at: its traits, and what came of break-glass."""
    decided = request.state not in (RequestState.DRAFT, RequestState.WAITING)
    review = await reviews.load(tx, request.id) if decided else None
    return replace(
        request.facts,
        traits=await traits(tx, policy, request),
        used_by="" if review is None else review.used_by.object_id,
        reviewed=review is not None and review.reviewed_at is not None,
    )


def as_actor(request: Request, vote: Vote) -> Actor:
    """The voter, as they were when they voted."""
    return Actor(vote.voter, request.tenant_id, vote.ids)


async def standing(
    tx: Transaction, policy: Policy, request_id: str, now: datetime, *, waiting: bool
) -> Standing | None:
    """Where the approval of a request stands, which waits or was decided; None if one click is or was all
    that it takes."""
    given = await votes.cast(tx, request_id)
    if not waiting:
        return Standing(given) if len(given) > 1 else None
    if not policy.rules and not policy.freezes and not given:
        return None
    request = await requests.load(tx, request_id)
    if request is None:
        return None
    facts = await of_request(tx, policy, request)
    stages = policy.stages_for(facts.traits)
    opens = window_open(policy, facts.traits, facts.run_at or now)
    several = sum(stage.need for stage in stages) > 1
    if not several and not given and not isinstance(opens, OpensAt | Never):
        return None
    return Standing(
        given,
        quorum.missing(stages, facts.votes) if several or given else (),
        opens.at if isinstance(opens, OpensAt) else None,
        isinstance(opens, Never),
    )


async def cut_short(
    tx: Transaction, policy: Policy, request: Request, at: datetime, seconds: int
) -> CutShort | None:
    """What happens to a request that starts at `at` and takes so many seconds (0: not known), if its window
    closes before; None if it does not, or the request cannot start then."""
    if not policy.timed or not seconds:
        return None
    of_request = await traits(tx, policy, request)
    if window_open(policy, of_request, at) != Open():
        return None
    closes = closes_at(policy, of_request, at, at + timedelta(seconds=seconds))
    return CutShort(closes, seconds) if closes else None


async def rule_of_ticket(tx: Transaction, policy: Policy, request: Request) -> Rule | None:
    """The first rule by which a request needs a ticket; None without one. What its requester has still to
    choose may bring in others."""
    if not any(rule.ticket for rule in policy.rules):
        return None
    rules = policy.rules_for(await traits(tx, policy, request))
    return next((rule for rule in rules if rule.ticket), None)


async def traits(tx: Transaction, policy: Policy, request: Request) -> Traits:
    """Nothing is read that no rule looks at."""
    if not policy.ruled and policy.accounts_per_day is None:
        return Traits()
    row = (await tx.execute(*_numbers_of_accounts(request.id))).one()
    regions = await tx.execute(*_regions(request.id))
    principals: set[str] = set()
    if policy.scopes:
        accounts = (await tx.execute(*_accounts(request.id))).scalars().all()
        matching = (next(filter(scope.matches, accounts), "") for scope in policy.scopes)
        principals = set(matching) - {""}
    risks = {
        Risk.GUARDED: row.guarded_accounts,
        Risk.FAILED_CHECKS: await account_checks.included(tx, request.id) - row.guarded_accounts,
    }
    return Traits(
        row.accounts,
        frozenset(Region(each) for each in regions.scalars() if each),
        tuple(sorted(principals)),
        frozenset(risk for risk, accounts in risks.items() if accounts),
    )


@statement
def _numbers_of_accounts(request_id: str) -> Select[int, int]:
    numbers = select(RequestRow.accounts, RequestRow.guarded_accounts)
    return numbers.where(RequestRow.id == request_id)


@statement
def _regions(request_id: str) -> Select[str]:
    ready = PhoneRow.ready.is_(True)
    return select(PhoneRow.region).where(PhoneRow.request_id == request_id, ready).distinct()


@statement
def _accounts(request_id: str) -> Select[str]:
    ready = PhoneRow.ready.is_(True)
    return select(PhoneRow.account).where(PhoneRow.request_id == request_id, ready).distinct()


async def makers(tx: Transaction, request: Request) -> frozenset[str]:
    """Object IDs of who made the requests whose phones these are."""
    if not request.retry_of:
        return frozenset()
    before = await overlaps.retried(tx, request.retry_of)
    return frozenset((await tx.execute(*_requesters(before))).scalars())


@statement
def _requesters(request_ids: Collection[str]) -> Select[str]:
    return select(RequestRow.requester_id).where(RequestRow.id.in_(request_ids)).distinct()


async def accounts_of_day(tx: Transaction, request: Request, now: datetime) -> int:
    """Accounts in the requester's other requests of the last 24 hours, unless nothing of them ran."""
    counted = await tx.execute(
        *_accounts_since(request.id, request.tenant_id, request.requester.object_id, now - _DAY)
    )
    return int(counted.scalar_one())


@statement
def _accounts_since(
    request_id: str, tenant_id: str, requester_id: str, since: datetime
) -> Select[int]:
    return select(func.coalesce(func.sum(RequestRow.accounts), 0)).where(
        RequestRow.requester_id == requester_id,
        RequestRow.tenant_id == tenant_id,
        RequestRow.id != request_id,
        RequestRow.asked_at > since,
        RequestRow.state.not_in(
            [RequestState.DRAFT.value, *(state.value for state in NOTHING_RAN)]
        ),
    )
