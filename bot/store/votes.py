"""Votes as rows: approvals of a waiting request, until the last one starts it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, delete, insert, select, update

from bot.signin.policy.vote import Void, Vote
from bot.signin.request import Person
from bot.store.database import Transaction
from bot.store.models.approvals import VoteRow
from bot.store.requests import Request


async def cast(tx: Transaction, request_id: str, *conditions: ColumnElement[bool]) -> list[Vote]:
    """The votes of a request, in order; of each person the latest."""
    rows = await tx.execute(
        select(VoteRow.__table__)
        .where(VoteRow.request_id == request_id, *conditions)
        .order_by(VoteRow.at, VoteRow.voter_id)
    )
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
        for row in rows
    ]


async def counting(tx: Transaction, request: Request) -> list[Vote]:
    """The votes for the request as it is: bound to its digest, and to its overlaps as they were shown."""
    return await cast(
        tx,
        request.id,
        VoteRow.digest == request.digest,
        VoteRow.overlaps_version == request.overlaps_version,
        VoteRow.void == "",
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
    of_voter = (VoteRow.request_id == request.id, VoteRow.voter_id == voter.object_id)
    await tx.execute(delete(VoteRow).where(*of_voter))
    await tx.execute(
        insert(VoteRow).values(
            request_id=request.id,
            voter_id=voter.object_id,
            voter_name=voter.name,
            for_id="" if voter.stands_in_for is None else voter.stands_in_for.object_id,
            at=now,
            comment=comment,
            digest=request.digest,
            overlaps_version=request.overlaps_version,
            shown=shown,
            ids=sorted(ids),
            void="",
        )
    )


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
