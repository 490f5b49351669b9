"""Snapshots: what cards show of a request, read in one transaction; and the rows of exports."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, case, func, select
from sqlalchemy.orm import InstrumentedAttribute

from bot.phones.issue import Column, Issue, Notice, Severity
from bot.phones.region import Region
from bot.preflight import findings, script
from bot.preflight.verdict import Result
from bot.signin.batch import (
    MAX_BATCHES_PER_REGION,
    SLOT_HOLDING_STATES,
    BatchState,
    plan,
)
from bot.signin.evidence import Evidence
from bot.signin.listing import ALL, PhoneFilter
from bot.signin.outcome import CAUSES, UNKNOWN
from bot.signin.request import Hold, Person, RequestState
from bot.signin.schedule import Due
from bot.signin.snapshot import (
    MAX_NAMED,
    AccountChecks,
    AccountHold,
    CauseGroup,
    MissedStart,
    NewFailure,
    Page,
    Pause,
    PhoneSnapshot,
    ReconciliationQuestion,
    RegionProgress,
    RegionWait,
    RequestSnapshot,
    RosterSummary,
    SlotHolder,
    StalledBatch,
    Tally,
)
from bot.store import (
    account_checks,
    batches,
    overlaps,
    phone_pages,
    requests,
    reviews,
    shown,
    sightings,
    windows,
)
from bot.store.account_checks import Preflight
from bot.store.database import Transaction
from bot.store.models import (
    AccountCheckRow,
    BatchRow,
    IssueRow,
    PhoneRow,
    RequestRow,
)

Condition = ColumnElement[bool] | InstrumentedAttribute[bool]
_MAX_CAUSES = 30  # more than anyone reads; the export has them all
_MAX_EXAMPLES = 3  # accounts named per cause or batch
_BEFORE_APPROVAL = (RequestState.DRAFT.value, RequestState.WAITING.value)
_OWN_TEXT = ("unknown", "refused", "failed-check")  # causes grouped by the message


async def load(
    tx: Transaction,
    request_id: str,
    *,
    page: int = 1,
    only_failed: bool = False,
    issues: bool = False,
    now: datetime | None = None,
    phone_filter: PhoneFilter = ALL,
) -> RequestSnapshot | None:
    """The request as committed; None if there is none. `page` is of the issues if `issues`, else of the
    phones that pass the filter. `now`: UTC, for what depends on it; without, that is left out."""
    row = (
        await tx.execute(select(RequestRow.__table__).where(RequestRow.id == request_id))
    ).one_or_none()
    if row is None:
        return None
    waiting = row.state == RequestState.WAITING.value
    return RequestSnapshot(
        **requests.header(row),
        roster=await _roster(tx, row, page if issues else 1, now),
        regions=await _regions(tx, row),
        causes=await _causes(tx, request_id),
        questions=await _questions(tx, request_id),
        unsettled=await _unsettled(tx, request_id),
        stalled=await _stalled(tx, request_id),
        waits=await _waits(tx, row),
        phones=await phone_pages.load(
            tx,
            row,
            1 if issues else page,
            only_failed=only_failed,
            phone_filter=phone_filter,
            marked_at=now if waiting else None,
        ),
        created_at=row.created_at,
        asked_at=row.asked_at,
        decided_by=person(row.decided_by_id, row.decided_by_name),
        decided_at=row.decided_at,
        comment=row.comment,
        cancelled_by=person(row.cancelled_by_id, row.cancelled_by_name),
        finished_at=row.finished_at,
        refused=row.refused,
        unreachable_since=row.unreachable_since,
        delegation_wanted_since=row.delegation_wanted_since,
        overlaps=await overlaps.shown(tx, request_id),
        hold=await _hold(tx, row),
        run_typed=row.run_typed,
        scheduled=row.hold == Hold.SCHEDULED.value,
        missed=_missed(row),
        pause=Pause(row.opens_at) if row.hold == Hold.PAUSED.value else None,
        rechecked=[Notice(n["code"], n["arguments"]) for n in row.recheck_notices],
        sightings=await sightings.of_request(tx, request_id),
        requester_upn=row.requester_upn,
        requester_account=row.requester_account,
        evidence=Evidence.of_document(row.evidence),
        shown=await shown.load(tx, row, now) if waiting and now else "",
        review=await reviews.load(tx, request_id),
    )


def person(object_id: str, name: str) -> Person | None:
    return Person(object_id, name) if object_id else None


async def _count(tx: Transaction, *conditions: Condition) -> int:
    return (await tx.execute(select(func.count()).where(*conditions))).scalar_one()


async def _roster(
    tx: Transaction, request: Row[Any], page: int, now: datetime | None
) -> RosterSummary:
    total = await _count(tx, IssueRow.request_id == request.id)
    number = phone_pages.nearest(page, total)
    rows = await tx.execute(
        select(IssueRow.__table__)
        .where(IssueRow.request_id == request.id)
        .order_by(IssueRow.rank, IssueRow.row, IssueRow.id)
        .limit(phone_pages.PAGE_SIZE)
        .offset((number - 1) * phone_pages.PAGE_SIZE)
    )
    without_region = 0
    if request.state == RequestState.DRAFT.value:
        without_region = await _count(
            tx, PhoneRow.request_id == request.id, PhoneRow.ready, PhoneRow.region == ""
        )
    shared_accounts: Sequence[str] = ()
    if request.state == RequestState.WAITING.value and request.accounts < request.ready_rows:
        shared_accounts = await _shared_accounts(tx, request.id)
    return RosterSummary(
        file_name=request.file_name,
        total=request.total_rows,
        ready=request.ready_rows,
        accounts=request.accounts,
        not_ready=request.total_rows - request.ready_rows,
        warnings=request.warnings,
        notes=request.notes,
        without_region=without_region,
        notices=list(map(_notice, request.notices)),
        issues=Page([_issue(row) for row in rows], number, phone_pages.PAGE_SIZE, total),
        shared_accounts=shared_accounts,
        account_checks=await _account_checks(tx, request),
        windows=(
            await windows.count(tx, request.id, request.run_at or now)
            if now is not None and request.state in _BEFORE_APPROVAL
            else None
        ),
    )


async def _account_checks(tx: Transaction, request: Row[Any]) -> AccountChecks | None:
    state = Preflight(request.preflight)
    if state is Preflight.OFF:
        return None
    counts = await account_checks.counts(tx, request.id)
    guarded: Sequence[str] = ()
    included: Sequence[str] = ()
    if counts.get(Result.GUARDED):
        guarded = await account_checks.guarded(tx, request.id, included=False, limit=MAX_NAMED)
        included = await account_checks.guarded(tx, request.id, included=True, limit=MAX_NAMED)
    mendable: frozenset[str] = frozenset()
    tenant: Mapping[str, Mapping[str, str | int]] = {}
    if state is Preflight.CHECKED and request.state in _BEFORE_APPROVAL:
        mendable = await account_checks.mendable(tx, request.id)
        tenant = findings.tenant_problems(map(_notice, request.notices))
    return AccountChecks(
        complete=state is Preflight.CHECKED,
        total=await account_checks.total(tx, request.id),
        refused=counts.get(Result.REFUSED, 0),
        guarded=counts.get(Result.GUARDED, 0),
        failed=counts.get(Result.FAILED, 0),
        warnings=counts.get(Result.WARNING, 0),
        unknown=counts.get(Result.UNKNOWN, 0),
        passed=counts.get(Result.PASSED, 0),
        included=await account_checks.included(tx, request.id),
        guarded_accounts=guarded,
        included_accounts=included,
        checked_at=request.accounts_checked_at,
        scripted=bool(mendable) or not script.TENANT_CODES.isdisjoint(tenant),
        lacks_numbers=script.NO_NUMBER in mendable,
    )


async def _hold(tx: Transaction, request: Row[Any]) -> AccountHold | None:
    state = Hold(request.hold)
    if state not in (Hold.CHECKING, Hold.HELD):
        return None
    checked, total = await account_checks.checked_again(tx, request.id)
    if state is Hold.CHECKING:
        return AccountHold(state, total, checked)
    accounts, phones = await account_checks.stopped_phones(tx, request.id)
    failures = [
        NewFailure(each.username, each.failures[0].code, each.failures[0].arguments)
        for each in await account_checks.stopping(tx, request.id, MAX_NAMED)
    ]
    return AccountHold(state, total, checked, accounts, phones, failures)


def _missed(request: Row[Any]) -> MissedStart | None:
    if request.hold != Hold.MISSED.value:
        return None
    return MissedStart(Due(request.missed), request.missed_why, request.opens_at)


def _notice(document: Mapping[str, Any]) -> Notice:
    return Notice(document["code"], document["arguments"])


async def _shared_accounts(tx: Transaction, request_id: str) -> Sequence[str]:
    """The first accounts that are on several phones, up to three."""
    first_row = func.min(PhoneRow.number)
    rows = await tx.execute(
        select(func.min(PhoneRow.username))
        .where(PhoneRow.request_id == request_id, PhoneRow.ready)
        .group_by(func.lower(PhoneRow.username))
        .having(func.count() > 1)
        .order_by(first_row)
        .limit(_MAX_EXAMPLES)
    )
    return rows.scalars().all()


def _issue(row: Row[Any]) -> Issue:
    return Issue(
        row=row.row,
        column=Column(row.column),
        value=row.value,
        code=row.code,
        severity=Severity(row.severity),
        arguments=row.arguments,
    )


async def _regions(tx: Transaction, request: Row[Any]) -> list[RegionProgress]:
    phones = await tx.execute(
        select(PhoneRow.region, PhoneRow.status, func.count())
        .where(PhoneRow.request_id == request.id, PhoneRow.ready, PhoneRow.region != "")
        .group_by(PhoneRow.region, PhoneRow.status)
    )
    by_region: dict[str, dict[str, int]] = defaultdict(dict)
    for region, status, count in phones:
        by_region[region][status] = count
    by_state: dict[str, dict[BatchState, int]] = defaultdict(dict)
    for region, state, count in await tx.execute(
        select(BatchRow.region, BatchRow.state, func.count())
        .where(BatchRow.request_id == request.id)
        .group_by(BatchRow.region, BatchRow.state)
    ):
        by_state[region][BatchState(state)] = count
    if not by_state:
        # Before the approval there are no batches yet, but their number is known.
        by_state.update(await _planned(tx, request, by_region))
    return [
        RegionProgress(Region(region), Tally(**by_region[region]), by_state.get(region, {}))
        for region in sorted(by_region)
    ]


async def _planned(
    tx: Transaction, request: Row[Any], phones: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[BatchState, int]]:
    """The batches that an approval would plan, by region."""
    if request.accounts == request.ready_rows:  # no account is on several phones: batches are full
        return {
            region: {BatchState.PLANNED: -(-sum(statuses.values()) // request.batch_size)}
            for region, statuses in phones.items()
        }
    rows = await tx.execute(
        select(PhoneRow.number, PhoneRow.region, PhoneRow.username)
        .where(PhoneRow.request_id == request.id, PhoneRow.ready, PhoneRow.region != "")
        .order_by(PhoneRow.number)
    )
    planned = plan(
        ((number, Region(region), account) for number, region, account in rows),
        size=request.batch_size,
    )
    counts = Counter(batch.region.value for batch in planned)
    return {region: {BatchState.PLANNED: count} for region, count in counts.items()}


async def _causes(tx: Transaction, request_id: str) -> list[CauseGroup]:
    text = case((PhoneRow.cause.in_(_OWN_TEXT), PhoneRow.message), else_="").label("text")
    groups_by_size = (
        await tx.execute(
            select(PhoneRow.cause, text, func.count(), func.min(PhoneRow.message))
            .where(PhoneRow.request_id == request_id, PhoneRow.cause != "")
            .group_by(PhoneRow.cause, text)
            .order_by(func.count().desc(), PhoneRow.cause, text)
            .limit(_MAX_CAUSES)
        )
    ).all()
    groups: list[CauseGroup] = []
    for code, own_text, count, message in groups_by_size:
        of_group = [PhoneRow.request_id == request_id, PhoneRow.cause == code]
        if own_text:
            of_group.append(PhoneRow.message == own_text)
        kinds = await tx.execute(
            select(PhoneRow.kind, func.count()).where(*of_group).group_by(PhoneRow.kind)
        )
        groups.append(
            CauseGroup(
                cause=CAUSES.get(code, UNKNOWN),
                count=count,
                message=message,
                examples=await _examples(tx, *of_group),
                vendors={kind: phones for kind, phones in kinds if kind},
            )
        )
    return groups


async def _questions(tx: Transaction, request_id: str) -> list[ReconciliationQuestion]:
    rows = await tx.execute(
        select(BatchRow.__table__)
        .where(BatchRow.request_id == request_id, batches.asks_approver())
        .order_by(BatchRow.id)
    )
    return [
        ReconciliationQuestion(
            batch_id=row.id,
            region=Region(row.region),
            phones=row.size,
            sent_at=row.sent_at,
            first_row=row.first_row,
            last_row=row.last_row,
            attempt=row.attempt,
            error=row.last_error,
            remote_batch_id=row.remote_batch_id,
            examples=await _examples(tx, PhoneRow.batch_id == row.id),
        )
        for row in rows
    ]


async def _unsettled(tx: Transaction, request_id: str) -> Sequence[int]:
    unknown = BatchRow.state == BatchState.UNKNOWN.value
    rows = await tx.execute(
        select(BatchRow.id).where(BatchRow.request_id == request_id, unknown).order_by(BatchRow.id)
    )
    return rows.scalars().all()


async def _waits(tx: Transaction, request: Row[Any]) -> list[RegionWait]:
    if request.state != RequestState.RUNNING.value or request.hold == Hold.PAUSED.value:
        return []
    planned = await tx.execute(
        select(BatchRow.region)
        .where(BatchRow.request_id == request.id, BatchRow.state == BatchState.PLANNED.value)
        .distinct()
    )
    asks = func.max(case((batches.asks_approver(), 1), else_=0))
    rows = await tx.execute(
        select(
            BatchRow.region,
            RequestRow.id,
            RequestRow.requester_id,
            RequestRow.delegation_wanted_since,
            asks.label("asks"),
            func.count().label("slots"),
        )
        .join(RequestRow, RequestRow.id == BatchRow.request_id)
        .where(
            BatchRow.tenant_id == request.tenant_id,
            BatchRow.region.in_(planned.scalars().all()),
            BatchRow.state.in_([state.value for state in SLOT_HOLDING_STATES]),
        )
        .group_by(
            BatchRow.region,
            RequestRow.id,
            RequestRow.requester_id,
            RequestRow.delegation_wanted_since,
        )
        .order_by(BatchRow.region, RequestRow.id)
    )
    holders: dict[str, list[SlotHolder]] = defaultdict(list)
    slots: Counter[str] = Counter()
    for row in rows:
        slots[row.region] += row.slots
        signed_out = row.delegation_wanted_since is not None
        holder = SlotHolder(row.id, row.requester_id, signed_out=signed_out, asks=bool(row.asks))
        holders[row.region].append(holder)
    return [
        RegionWait(Region(region), of_region)
        for region, of_region in holders.items()
        if slots[region] >= MAX_BATCHES_PER_REGION
        and request.id not in {holder.request_id for holder in of_region}
    ]


async def _examples(tx: Transaction, *conditions: Condition) -> Sequence[str]:
    """The UPNs of the first phones, up to three."""
    rows = await tx.execute(
        select(PhoneRow.username).where(*conditions).order_by(PhoneRow.number).limit(_MAX_EXAMPLES)
    )
    return rows.scalars().all()


async def _stalled(tx: Transaction, request_id: str) -> list[StalledBatch]:
    rows = await tx.execute(
        select(BatchRow.__table__)
        .where(
            BatchRow.request_id == request_id,
            BatchRow.state == BatchState.SUBMITTED.value,
            BatchRow.stalled,
        )
        .order_by(BatchRow.id)
    )
    return [
        StalledBatch(
            region=Region(row.region),
            remote_batch_id=row.remote_batch_id,
            phones_open=row.size - row.ended,
            since=row.progress_at,
        )
        for row in rows
    ]


async def all_phones(
    tx: Transaction, request_id: str, *, chunk: int = 1000
) -> AsyncIterator[tuple[PhoneSnapshot, bool, Sequence[Issue]]]:
    """Every row of the file, whether it was ready, and its issues; read in chunks."""
    after = -1
    while True:
        rows = (
            await tx.execute(
                phone_pages.columns()
                .add_columns(AccountCheckRow.result.label("account_check"))
                .outerjoin(
                    AccountCheckRow,
                    and_(
                        AccountCheckRow.request_id == PhoneRow.request_id,
                        AccountCheckRow.account == PhoneRow.account,
                    ),
                )
                .where(PhoneRow.request_id == request_id, PhoneRow.number > after)
                .order_by(PhoneRow.number)
                .limit(chunk)
            )
        ).all()
        if not rows:
            return
        issues = await _issues_between(tx, request_id, rows[0].number, rows[-1].number)
        for row in rows:
            phone = replace(phone_pages.snapshot_of(row), account_check=row.account_check or "")
            yield phone, row.ready, issues.get(row.number, ())
        after = rows[-1].number


async def _issues_between(
    tx: Transaction, request_id: str, first: int, last: int
) -> Mapping[int, Sequence[Issue]]:
    rows = await tx.execute(
        select(IssueRow.__table__)
        .where(IssueRow.request_id == request_id, IssueRow.row >= first, IssueRow.row <= last)
        .order_by(IssueRow.rank, IssueRow.id)
    )
    by_row: dict[int, list[Issue]] = defaultdict(list)
    for row in rows:
        by_row[row.row].append(_issue(row))
    return by_row


async def all_issues(
    tx: Transaction, request_id: str, *, chunk: int = 1000
) -> AsyncIterator[Issue]:
    """Every issue in row order; read in chunks."""
    after = (-1, -1)
    while True:
        rows = (
            await tx.execute(
                select(IssueRow.__table__)
                .where(
                    IssueRow.request_id == request_id,
                    (IssueRow.row > after[0])
                    | ((IssueRow.row == after[0]) & (IssueRow.id > after[1])),
                )
                .order_by(IssueRow.row, IssueRow.id)
                .limit(chunk)
            )
        ).all()
        if not rows:
            return
        for row in rows:
            yield _issue(row)
        after = (rows[-1].row, rows[-1].id)


async def tallies(tx: Transaction, request_ids: Sequence[str]) -> dict[str, Tally]:
    """Tallies of ready phones, by request id."""
    rows = await tx.execute(
        select(PhoneRow.request_id, PhoneRow.status, func.count())
        .where(PhoneRow.request_id.in_(request_ids), PhoneRow.ready)
        .group_by(PhoneRow.request_id, PhoneRow.status)
    )
    by_request: dict[str, dict[str, int]] = defaultdict(dict)
    for request_id, status, count in rows:
        by_request[request_id][status] = count
    return {request_id: Tally(**statuses) for request_id, statuses in by_request.items()}
