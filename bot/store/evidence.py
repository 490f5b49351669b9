"""Evidence for approvers, read from the tables; and what marks a phone as unusual."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from statistics import median
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    Text,
    and_,
    exists,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from bot.phones.region import Region
from bot.preflight.verdict import Result
from bot.signin.evidence import RECENT_RESET, Comparison, Evidence, expected_seconds, usual
from bot.signin.listing import Mark
from bot.signin.outcome import PhoneStatus
from bot.signin.overlap import APPROVED_STATES, NOT_RESET_CAUSES
from bot.store import batches, overlaps
from bot.store.conditions import Condition
from bot.store.database import Transaction
from bot.store.models.accounts import AccountCheckRow
from bot.store.models.audit import EventRow
from bot.store.models.batches import BatchRow
from bot.store.models.requests import OverlapRow, PhoneRow, RequestRow
from bot.store.requests import Request
from bot.store.statement import statement

_MAX_EXAMPLES = 3
_USUAL_OF = 10  # newest approved requests that tell what is usual
_CANDIDATES = 5  # approved requests that may be the one to compare with
_SENT = (PhoneStatus.SIGNED_IN, PhoneStatus.FAILED, PhoneStatus.UNCONFIRMED)
_APPROVED = sorted(state.value for state in APPROVED_STATES)

_other = aliased(PhoneRow, name="other")


async def gather(tx: Transaction, request: Request, now: datetime) -> Evidence:
    """What is known about a request as its approval is requested; before that is recorded."""
    resets, reset_at, examples = await _resets(tx, request, now)
    return Evidence(
        gathered=True,
        first_request=await _never_asked(tx, request),
        usual_phones=usual(await _sizes(tx, request)),
        reset_accounts=resets,
        reset_at=reset_at,
        reset_examples=examples,
        compared=await _compared(tx, request),
        expected_seconds=await expected_length(tx, request),
    )


def _ready(request_id: str) -> tuple[Condition, ...]:
    return (PhoneRow.request_id == request_id, PhoneRow.ready)


async def _never_asked(tx: Transaction, request: Request) -> bool:
    """By the audit, which outlives requests."""
    tenant_ids = [request.tenant_id, ""]
    asked = await tx.execute(*_asked(request.requester.object_id, tenant_ids, request.id))
    return asked.first() is None


@statement
def _asked(actor_id: str, tenant_ids: Sequence[str], request_id: str) -> Select[int]:
    return (
        select(EventRow.id)
        .where(
            EventRow.actor_id == actor_id,
            EventRow.action == "asked",
            EventRow.tenant_id.in_(tenant_ids),
            EventRow.request_id != request_id,
        )
        .limit(1)
    )


async def _sizes(tx: Transaction, request: Request) -> Sequence[int]:
    rows = await tx.execute(*_approved_sizes(request.tenant_id, request.requester.object_id))
    return rows.scalars().all()


@statement
def _approved_sizes(tenant_id: str, requester_id: str) -> Select[int]:
    return (
        select(RequestRow.ready_rows)
        .where(
            RequestRow.tenant_id == tenant_id,
            RequestRow.requester_id == requester_id,
            RequestRow.state.in_(_APPROVED),
            RequestRow.retry_of == "",
        )
        .order_by(RequestRow.decided_at.desc())
        .limit(_USUAL_OF)
    )


async def _resets(
    tx: Transaction, request: Request, now: datetime
) -> tuple[int, datetime | None, Sequence[str]]:
    """Accounts of the request whose password was or may have been reset lately: how many, when last, and
    the first ones. Those of a request that this one retries do not count, as for overlaps."""
    own = [request.id, *await overlaps.retried(tx, request.retry_of)]
    values = (request.id, request.tenant_id, own, now - RECENT_RESET)
    accounts, latest = (await tx.execute(*_count_of_reset(*values))).one()
    if not accounts:
        return 0, None, ()
    return accounts, latest, (await tx.execute(*_first_reset(*values))).scalars().all()


@statement
def _count_of_reset(
    request_id: str, tenant_id: str, own: Sequence[str], since: datetime
) -> Select[*tuple[Any, ...]]:
    reset = _reset(request_id, tenant_id, own, since)
    return select(func.count(), func.max(reset.c.at))


@statement
def _first_reset(
    request_id: str, tenant_id: str, own: Sequence[str], since: datetime
) -> Select[str]:
    reset = _reset(request_id, tenant_id, own, since)
    return (
        select(PhoneRow.username)
        .where(*_ready(request_id), PhoneRow.account.in_(select(reset.c.account)))
        .order_by(PhoneRow.number)
        .limit(_MAX_EXAMPLES)
    )


def _reset(request_id: str, tenant_id: str, own: Sequence[str], since: datetime) -> Subquery:
    return (
        select(_other.account.label("account"), func.max(BatchRow.sent_at).label("at"))
        .join(BatchRow, BatchRow.id == _other.batch_id)
        .where(
            _other.account.in_(select(PhoneRow.account).where(*_ready(request_id))),
            _other.request_id.not_in(own),
            _other.ready,
            _other.status.in_([status.value for status in _SENT]),
            _other.cause.not_in(sorted(NOT_RESET_CAUSES)),
            BatchRow.tenant_id == tenant_id,
            BatchRow.sent_at > since,
        )
        .group_by(_other.account)
        .subquery()
    )


async def _compared(tx: Transaction, request: Request) -> Comparison | None:
    """The comparison with the latest approved request that has some of the accounts: of the same file name
    if there is one, else of the same requester. None for a retry, which is known to be a part."""
    if request.retry_of:
        return None
    candidates = await tx.execute(
        *_candidates(request.tenant_id, request.requester.object_id, request.file_name.lower())
    )
    for candidate in candidates.all():
        if candidate.decided_at and await _has_common_account(tx, request, candidate.id):
            return await _comparison(tx, request, candidate.id, candidate.decided_at)
    return None


@statement
def _candidates(tenant_id: str, requester_id: str, file_name: str) -> Select[str, datetime | None]:
    same_file = func.lower(RequestRow.file_name, type_=Text()) == file_name
    return (
        select(RequestRow.id, RequestRow.decided_at)
        .where(
            RequestRow.tenant_id == tenant_id,
            RequestRow.state.in_(_APPROVED),
            RequestRow.retry_of == "",
            or_(same_file, RequestRow.requester_id == requester_id),
        )
        .order_by(same_file.desc(), RequestRow.decided_at.desc())
        .limit(_CANDIDATES)
    )


async def _has_common_account(tx: Transaction, request: Request, other_id: str) -> bool:
    return (await tx.execute(*_common_account(request.id, other_id))).first() is not None


@statement
def _common_account(request_id: str, other_id: str) -> Select[int]:
    return (
        select(literal(1))
        .select_from(PhoneRow)
        .join(_other, _other.account == PhoneRow.account)
        .where(*_ready(request_id), _other.request_id == other_id, _other.ready)
        .limit(1)
    )


async def _comparison(
    tx: Transaction, request: Request, other_id: str, approved_at: datetime
) -> Comparison:
    had, _ = await _phones_by_account(tx, other_id)
    has, names = await _phones_by_account(tx, request.id)
    common = had.keys() & has.keys()
    changed = {account for account in common if had[account] != has[account]}
    differing = (names[account] for account in has if account in changed or account not in had)
    return Comparison(
        other_id,
        approved_at,
        added=len(has) - len(common),
        gone=len(had) - len(common),
        changed=len(changed),
        examples=list(islice(differing, _MAX_EXAMPLES)),
    )


async def _phones_by_account(
    tx: Transaction, request_id: str
) -> tuple[Mapping[str, set[str]], Mapping[str, str]]:
    """Hardware IDs by account, and the account as the file first names it; in the file's order."""
    rows = await tx.execute(*_phones(request_id))
    phones: dict[str, set[str]] = defaultdict(set)
    names: dict[str, str] = {}
    for account, hardware_id, username in rows:
        phones[account].add(hardware_id)
        names.setdefault(account, username)
    return phones, names


@statement
def _phones(request_id: str) -> Select[str, str, str]:
    return (
        select(PhoneRow.account, PhoneRow.hardware_id, PhoneRow.username)
        .where(*_ready(request_id))
        .order_by(PhoneRow.number)
    )


async def expected_length(tx: Transaction, request: Request) -> int:
    """How many seconds the request will probably take from its start, by earlier ones; 0 if not known."""
    rows = await tx.execute(*_phones_by_region(request.id))
    planned: dict[str, int] = {}
    seconds: dict[str, float] = {}
    for region, phones in rows:
        planned[region] = -(-phones // request.batch_size)
        ended = [
            ended
            for _, ended in await batches.durations_like(
                tx, request.tenant_id, Region(region), min(phones, request.batch_size)
            )
        ]
        if ended:
            seconds[region] = median(ended)
    return expected_seconds(planned, seconds)


@statement
def _phones_by_region(request_id: str) -> Select[str, int]:
    return (
        select(PhoneRow.region, func.count())
        .where(*_ready(request_id), PhoneRow.region != "")
        .group_by(PhoneRow.region)
    )


def marks(
    request_id: str, settles: datetime, safe: datetime, compared_id: str, *, compared: bool
) -> Mapping[Mark, ColumnElement[bool]]:
    """What marks a row of `phones` as unusual. `settles`, `safe`: when phones were provisioned that are
    that old (`bot.preflight.clocks`). `compared_id`: the request that it is `compared` with, if any."""
    found: dict[Mark, ColumnElement[bool]] = {
        mark: exists(
            select(literal(1)).where(
                AccountCheckRow.request_id == request_id,
                AccountCheckRow.account == PhoneRow.account,
                AccountCheckRow.result == result.value,
            )
        )
        for mark, result in ((Mark.GUARDED, Result.GUARDED), (Mark.FAILED, Result.FAILED))
    }
    same = or_(_other.account == PhoneRow.account, _other.hardware_id == PhoneRow.hardware_id)
    others = select(OverlapRow.other_id).where(OverlapRow.request_id == request_id)
    found[Mark.OVERLAP] = exists(
        select(literal(1)).where(
            same, _other.request_id.in_(others), *overlaps.phone_counts_of(_other)
        )
    )
    provisioned = PhoneRow.provisioned_at
    found[Mark.WINDOW] = and_(
        provisioned.is_not(None), or_(provisioned > settles, provisioned < safe)
    )
    if compared:
        found[Mark.ADDED] = ~exists(
            select(literal(1)).where(
                _other.request_id == compared_id,
                _other.ready,
                _other.account == PhoneRow.account,
                _other.hardware_id == PhoneRow.hardware_id,
            )
        )
    return found
