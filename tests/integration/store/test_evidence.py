"""Evidence for approvers, and the filter for what is unusual, on both databases."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from bot.lifecycle import drafts as lifecycle
from bot.phones.region import Region
from bot.phones.roster import Roster
from bot.signin.evidence import Evidence
from bot.signin.listing import UNUSUAL, Mark, PhoneFilter
from bot.signin.outcome import PhoneStatus
from bot.signin.request import RequestState
from bot.signin.snapshot import RequestSnapshot
from bot.store import snapshots
from bot.store.database import Database
from bot.store.models.batches import BatchRow
from bot.store.models.requests import PhoneRow, RequestRow
from tests.support import jobs


async def finish(database: Database, request_id: str) -> None:
    """As if every phone had been signed in yesterday, in ten minutes."""
    at = jobs.utc_now() - timedelta(days=1)
    async with database.write() as tx:
        of_request = RequestRow.id == request_id
        ended = {"state": RequestState.FINISHED.value, "finished_at": at}
        await tx.execute(update(RequestRow).where(of_request).values(**ended))
        await tx.execute(
            update(BatchRow)
            .where(BatchRow.request_id == request_id)
            .values(
                sent_at=at,
                seen_running_at=at + timedelta(seconds=590),
                done_at=at + timedelta(seconds=600),
            )
        )
        await tx.execute(
            update(PhoneRow)
            .where(PhoneRow.request_id == request_id)
            .values(status=PhoneStatus.SIGNED_IN.value)
        )


async def ask(database: Database, roster: Roster) -> str:
    request_id = await lifecycle.draft(
        database, jobs.NOTIFY, jobs.new_request(), roster, jobs.utc_now
    )
    assert await jobs.request_approval(database, request_id)
    return request_id


async def load(
    database: Database, request_id: str, phones: PhoneFilter | None = None
) -> RequestSnapshot:
    async with database.read() as tx:
        snapshot = await snapshots.load(
            tx, request_id, now=jobs.utc_now(), phone_filter=phones or PhoneFilter()
        )
    assert snapshot is not None
    return snapshot


async def test_first_request_has_nothing_to_compare_with(database: Database) -> None:
    request_id = await jobs.draft(database, 3)
    before = await load(database, request_id)
    assert before.evidence == Evidence()
    assert before.shown == ""
    assert await jobs.request_approval(database, request_id)
    asked = await load(database, request_id)
    assert asked.evidence.document() == Evidence(gathered=True, first_request=True).document()
    assert asked.shown


async def test_second_request_is_compared_with_the_approved_one(database: Database) -> None:
    first = await jobs.approved(database, 4, Region.EMEA, Region.NOAM)
    await finish(database, first)
    await jobs.draft(database, 9, first=500)  # was never approved
    rows = list(jobs.roster(6, Region.EMEA, Region.NOAM, first=1).rows)  # without 0, with 4, 5, 6
    rows[1] = rows[1]._replace(hardware_id="80-5E-C0-77-77-77")
    second = await ask(database, Roster("phones.csv", rows, (), ()))

    snapshot = await load(database, second)
    evidence = snapshot.evidence
    assert not evidence.first_request
    assert (evidence.reset_accounts, list(evidence.reset_examples)) == (
        3,
        [f"lobby{number}@contoso.com" for number in (1, 2, 3)],
    )
    compared = evidence.compared
    assert compared is not None
    assert (compared.request_id, compared.added, compared.gone, compared.changed) == (
        first, 3, 1, 1,
    )  # fmt: skip
    assert list(compared.examples) == [f"lobby{number}@contoso.com" for number in (2, 4, 5)]
    assert evidence.expected_seconds == 600

    by_name = {phone.username: list(phone.marks) for phone in snapshot.phones.items}
    assert by_name == {
        "lobby1@contoso.com": [Mark.OVERLAP],
        "lobby2@contoso.com": [Mark.OVERLAP, Mark.ADDED],
        "lobby3@contoso.com": [Mark.OVERLAP],
        "lobby4@contoso.com": [Mark.ADDED],
        "lobby5@contoso.com": [Mark.ADDED],
        "lobby6@contoso.com": [Mark.ADDED],
    }
    for phones, total in (
        (PhoneFilter(UNUSUAL), 6),
        (PhoneFilter("NOAM"), 3),
        (PhoneFilter("", "lobby1"), 1),
        (PhoneFilter("EMEA", "lobby_"), 0),  # no pattern
        (PhoneFilter(UNUSUAL, "lobby4"), 1),
    ):
        assert (await load(database, second, phones)).phones.total == total, phones


async def test_filter_leaves_out_what_is_usual(database: Database) -> None:
    request_id = await ask(database, jobs.roster(5))
    late = jobs.utc_now() - timedelta(hours=73)
    shown = (await load(database, request_id)).shown
    async with database.write() as tx:
        of_row = (PhoneRow.request_id == request_id, PhoneRow.number == 4)
        await tx.execute(update(PhoneRow).where(*of_row).values(provisioned_at=late))
    unusual = await load(database, request_id, PhoneFilter(UNUSUAL))
    assert [(phone.row, list(phone.marks)) for phone in unusual.phones.items] == [
        (4, [Mark.WINDOW])
    ]
    assert unusual.shown != shown
