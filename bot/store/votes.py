"""Votes as rows: approvals of a waiting request, until the last one starts it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Delete, Select, delete, insert, select, update

from bot.signin.policy.vote import Void, Vote
from bot.signin.request import Person
from bot.store.database import Transaction
from bot.store.models.approvals import VoteRow
from bot.store.requests import Request
from bot.store.statement import statement


async def cast(tx: Transaction, request_id: str) -> list[Vote]:
    """The votes of a request, in order; of each person the latest."""
    return await _read(tx, *_cast(request_id))


@statement
def _cast(request_id: str) -> Select[*tuple[Any, ...]]:
    return (
        select(VoteRow.__table__)
        .where(VoteRow.request_id == request_id)
        .order_by(VoteRow.at, VoteRow.voter_id)
    )


async def _read(
    tx: Transaction, query: Select[*tuple[Any, ...]], values: dict[str, Any]
) -> list[Vote]:
    return [
        Vote(
            Person(
                row.voter_id,
                row.voter_name,
                Person(row.for_id, "") if row.for_id else None,
            ),
            row.at,
            frozenset(row.ids),
            Void(row.void) if row.void else None,
        )
        for row in await tx.execute(query, values)
    ]


async def counting(tx: Transaction, request: Request) -> list[Vote]:
    """The votes for the request as it is: bound to its digest, and to its overlaps as they were shown."""
    return await _read(tx, *_counting(request.id, request.digest, request.overlaps_version))


@statement
def _counting(request_id: str, digest: str, overlaps_version: int) -> Select[*tuple[Any, ...]]:
    return (
        select(VoteRow.__table__)
        .where(
            VoteRow.request_id == request_id,
            VoteRow.digest == digest,
            VoteRow.overlaps_version == overlaps_version,
            VoteRow.void == "",
        )
        .order_by(VoteRow.at, VoteRow.voter_id)
    )


async def add(
    tx: Transaction,
    request: Request,
    voter: Person,
    ids: Collection[str],
    *,
    comment: str,
    shown: str,
    now: datetime,
) -> None:
    """Add a vote, in place of one of the same person that does not count any more. The caller holds the
    request's lock, and knows that no vote of theirs counts."""
    await tx.execute(*_remove(request.id, voter.object_id))
    await tx.execute(
        _ADD,
        {
            "request_id": request.id,
            "voter_id": voter.object_id,
            "voter_name": voter.name,
            "for_id": "" if voter.stands_in_for is None else voter.stands_in_for.object_id,
            "at": now,
            "comment": comment,
            "digest": request.digest,
            "overlaps_version": request.overlaps_version,
            "shown": shown,
            "ids": sorted(ids),
            "void": "",
        },
    )


_ADD = insert(VoteRow)


@statement
def _remove(request_id: str, voter_id: str) -> Delete:
    return delete(VoteRow).where(VoteRow.request_id == request_id, VoteRow.voter_id == voter_id)


async def void(
    tx: Transaction, request_id: str, why: Void, voter_ids: Sequence[str] | None = None
) -> list[Person]:
    """Votes that count no longer do: those of these people, or all. Returns whose."""
    of_voters = () if voter_ids is None else (VoteRow.voter_id.in_(voter_ids),)
    rows = await tx.execute(
        update(VoteRow)
        .where(VoteRow.request_id == request_id, VoteRow.void == "", *of_voters)
        .values(void=why.value)
        .returning(VoteRow.voter_id, VoteRow.voter_name)
    )
    return sorted(
        (Person(row.voter_id, row.voter_name) for row in rows), key=lambda each: each.object_id
    )
