"""Snapshots: what cards show of a request, read in one transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select

from bot.phones.issue import Notice
from bot.signin.evidence import Evidence
from bot.signin.listing import ALL, PhoneFilter
from bot.signin.request import Hold, Person, RequestState
from bot.signin.schedule import Due
from bot.signin.snapshot import (
    MAX_NAMED,
    AccountHold,
    MissedStart,
    NewFailure,
    Pause,
    RequestSnapshot,
)
from bot.store import (
    overlaps,
    phone_pages,
    progress,
    rechecks,
    requests,
    reviews,
    roster_summary,
    shown,
    sightings,
)
from bot.store.database import Transaction
from bot.store.models.requests import RequestRow
from bot.store.statement import statement


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
    row = (await tx.execute(*_request(request_id))).one_or_none()
    if row is None:
        return None
    waiting = row.state == RequestState.WAITING.value
    return RequestSnapshot(
        **requests.header(row),
        roster=await roster_summary.load(tx, row, page if issues else 1, now),
        regions=await progress.regions(tx, row),
        causes=await progress.causes(tx, request_id),
        questions=await progress.questions(tx, request_id),
        unsettled=await progress.unsettled(tx, request_id),
        stalled=await progress.stalled(tx, request_id),
        waits=await progress.waits(tx, row),
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


@statement
def _request(request_id: str) -> Select[*tuple[Any, ...]]:
    return select(RequestRow.__table__).where(RequestRow.id == request_id)


def person(object_id: str, name: str) -> Person | None:
    return Person(object_id, name) if object_id else None


async def _hold(tx: Transaction, request: Row[Any]) -> AccountHold | None:
    state = Hold(request.hold)
    if state not in (Hold.CHECKING, Hold.HELD):
        return None
    checked, total = await rechecks.checked_again(tx, request.id)
    if state is Hold.CHECKING:
        return AccountHold(state, total, checked)
    accounts, phones = await rechecks.stopped_phones(tx, request.id)
    failures = [
        NewFailure(each.username, each.failures[0].code, each.failures[0].arguments)
        for each in await rechecks.stopping(tx, request.id, MAX_NAMED)
    ]
    return AccountHold(state, total, checked, accounts, phones, failures)


def _missed(request: Row[Any]) -> MissedStart | None:
    if request.hold != Hold.MISSED.value:
        return None
    return MissedStart(Due(request.missed), request.missed_why, request.opens_at)
