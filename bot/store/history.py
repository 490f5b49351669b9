"""Requests as `history` and `status` list them, found by phone, account, person, or period."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute

from bot.signin.history import NO_FILTER, HistoryFilter
from bot.signin.outcome import PhoneStatus
from bot.signin.policy.model import Condition as PolicyCondition
from bot.signin.policy.sight import Way
from bot.signin.request import Hold, Person, RequestState
from bot.signin.snapshot import FoundPhone, History, HistoryLine, Tally
from bot.store.conditions import Condition
from bot.store.database import Transaction
from bot.store.models.approvals import ReviewRow
from bot.store.models.audit import EventRow
from bot.store.models.batches import BatchRow
from bot.store.models.requests import PhoneRow, RequestRow
from bot.store.progress import tallies
from bot.store.snapshots import person

NEWEST = 10  # requests in a list in chat
NAMED = 3  # phones named per request in chat
# Sorts after whatever an account or a hardware ID can contain.
_LAST = "\U0010ffff"
# Who only looked did nothing to a request.
_LOOKS = ("denied", "exported")


async def find(
    tx: Transaction,
    tenant_id: str | None,
    asked: HistoryFilter = NO_FILTER,
    *,
    requester_id: str | None,
    others: Sequence[Way] = (),
    states: Sequence[RequestState] = (),
    newest: int = NEWEST,
    named: int = NAMED,
) -> History:
    """The newest requests that meet the filter.

    `tenant_id` and `requester_id`: None for all. `others`: with `requester_id`, which requests of others
    are found, too, see `bot.signin.policy.sight`. `named`: phones of a request that are named, if phones
    are asked for. With `states`, those in them and those whose use of break-glass nobody has reviewed.
    """
    phones = of_phones(tx, asked)
    whole = RequestRow.total_rows > 0  # unlike a draft whose rows are still put in
    conditions = [whole, *_of_requests(asked)]
    if tenant_id is not None:
        conditions.append(RequestRow.tenant_id == tenant_id)
    if requester_id is not None:
        own = RequestRow.requester_id == requester_id
        conditions.append(or_(own, *map(_in_sight, others)))
    unreviewed = select(ReviewRow.request_id).where(ReviewRow.reviewed_at.is_(None))
    if states:
        in_states = RequestRow.state.in_([state.value for state in states])
        conditions.append(in_states | RequestRow.id.in_(unreviewed))
    if phones:
        conditions.append(RequestRow.id.in_(requests_with(phones)))
    total = await tx.execute(select(func.count()).select_from(RequestRow).where(*conditions))
    rows = (
        await tx.execute(
            select(RequestRow.__table__, RequestRow.id.in_(unreviewed).label("review_open"))
            .where(*conditions)
            .order_by(RequestRow.created_at.desc(), RequestRow.id)
            .limit(newest)
        )
    ).all()
    request_ids = [row.id for row in rows]
    of_request = await tallies(tx, request_ids)
    found = await _found(tx, request_ids, phones, named) if phones else {}
    lines = [
        HistoryLine(
            id=row.id,
            state=RequestState(row.state),
            requester=Person(row.requester_id, row.requester_name),
            file_name=row.file_name,
            created_at=row.created_at,
            phones=of_request.get(row.id, Tally()),
            decided_by=person(row.decided_by_id, row.decided_by_name),
            decided_at=row.decided_at,
            found=found.get(row.id, ([], 0))[0],
            found_count=found.get(row.id, ([], 0))[1],
            run_at=row.run_at if row.hold == Hold.SCHEDULED.value else None,
            run_zone=row.run_zone,
            missed=row.hold == Hold.MISSED.value,
            paused=row.hold == Hold.PAUSED.value,
            review_open=row.review_open,
        )
        for row in rows
    ]
    return History(lines, total.scalar_one())


def _in_sight(way: Way) -> ColumnElement[bool]:
    """`bot.signin.policy.sight.Sight.covers`, for one way."""
    return and_(true(), *(or_(*(_meets(view.condition) for view in part)) for part in way))


def _meets(condition: PolicyCondition) -> ColumnElement[bool]:
    """Whether a request meets the condition of a view, which has only regions and accounts: any phone in
    any of the regions, and any account that matches."""
    regions, patterns = condition.regions, condition.accounts.patterns
    like = (PhoneRow.account.like(_like(each), escape="\\") for each in patterns)
    asked = [
        *([PhoneRow.region.in_(sorted(each.value for each in regions))] if regions else []),
        *([or_(*like)] if patterns else []),
    ]
    ready = and_(PhoneRow.request_id == RequestRow.id, PhoneRow.ready)
    return and_(true(), *(exists().where(ready, each) for each in asked))


def _like(pattern: str) -> str:
    """The pattern of an `AccountScope` for LIKE. Both are case-folded."""
    for special in "\\%_":
        pattern = pattern.replace(special, f"\\{special}")
    return pattern.replace("*", "%")


def of_phones(tx: Transaction, asked: HistoryFilter) -> list[Condition]:
    """Conditions of a phone; none if no phone is asked for."""
    conditions: list[Condition] = []
    if asked.phone:
        ports = _begins(tx, PhoneRow.hardware_id, f"{asked.phone}:")
        conditions.append(or_(PhoneRow.hardware_id == asked.phone, ports))
    if asked.account and asked.account_is_prefix:
        conditions.append(_begins(tx, PhoneRow.account, asked.account))
    elif asked.account:
        conditions.append(PhoneRow.account == asked.account)
    return [PhoneRow.ready, *conditions] if conditions else []


def requests_with(phones: Sequence[Condition]) -> Select[str]:
    """The IDs of requests with such phones."""
    return select(PhoneRow.request_id).where(*phones)


def _begins(
    tx: Transaction, column: InstrumentedAttribute[str], prefix: str
) -> ColumnElement[bool]:
    """In the way that the database can look it up in an index of `column`."""
    if tx.dialect.name == "sqlite":  # whose LIKE ignores case, unlike its indexes
        return and_(column >= prefix, column < prefix + _LAST)
    return column.startswith(prefix, autoescape=True)


def _of_requests(asked: HistoryFilter) -> list[Condition]:
    conditions: list[Condition] = []
    if asked.person:
        acted = select(EventRow.request_id).where(
            EventRow.request_id == RequestRow.id,
            EventRow.action.not_in(_LOOKS),
            _is(asked.person, EventRow.actor_id, EventRow.actor_name),
        )
        conditions.append(
            or_(
                _is(asked.person, RequestRow.requester_id, RequestRow.requester_name),
                _is(asked.person, RequestRow.decided_by_id, RequestRow.decided_by_name),
                acted.exists(),
            )
        )
    if asked.since is not None:
        conditions.append(_active_after(asked.since))
    if asked.until is not None:
        conditions.append(RequestRow.created_at < asked.until)
    return conditions


def _is(
    text: str, object_id: InstrumentedAttribute[str], name: InstrumentedAttribute[str]
) -> ColumnElement[bool]:
    return or_(object_id == text.lower(), name.icontains(text, autoescape=True))


def _active_after(since: datetime) -> ColumnElement[bool]:
    """A draft that nobody asked approval for does nothing after it was made."""
    is_open = and_(RequestRow.finished_at.is_(None), RequestRow.state != RequestState.DRAFT.value)
    return or_(RequestRow.created_at >= since, RequestRow.finished_at >= since, is_open)


async def _found(
    tx: Transaction, request_ids: Sequence[str], conditions: Sequence[Condition], named: int
) -> dict[str, tuple[list[FoundPhone], int]]:
    """By request: the first phones that meet `conditions`, and how many do."""
    place = func.row_number().over(partition_by=PhoneRow.request_id, order_by=PhoneRow.number)
    count = func.count().over(partition_by=PhoneRow.request_id)
    matching = (
        select(
            PhoneRow.request_id,
            PhoneRow.number,
            PhoneRow.username,
            PhoneRow.hardware_id,
            PhoneRow.status,
            BatchRow.sent_at,
            place.label("place"),
            count.label("in_request"),
        )
        .outerjoin(BatchRow, BatchRow.id == PhoneRow.batch_id)
        .where(PhoneRow.request_id.in_(request_ids), *conditions)
        .subquery()
    )
    rows = await tx.execute(
        select(matching).where(matching.c.place <= named).order_by(matching.c.number)
    )
    found: dict[str, tuple[list[FoundPhone], int]] = {}
    for row in rows:
        phones, _ = found.setdefault(row.request_id, ([], row.in_request))
        phones.append(
            FoundPhone(row.username, row.hardware_id, PhoneStatus(row.status), row.sent_at)
        )
    return found
