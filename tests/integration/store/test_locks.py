"""Transactions of several replicas on PostgreSQL that overlap: what each has to see of the other."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, text, update

from bot.lifecycle import asking, drafts, polling, reconciliation, submission, urgency
from bot.lifecycle import batches as lifecycle
from bot.lifecycle import delegations as delegation_requests
from bot.lifecycle import requests as request_lifecycle
from bot.lifecycle.drafts import RetryExistsError
from bot.phones.region import Region
from bot.signin.batch import BatchState
from bot.signin.request import RequestState
from bot.store import (
    batches,
    conversations,
    file_consents,
    leases,
    posts,
    publisher_leases,
    received_activities,
    requests,
)
from bot.store.batches import Batch
from bot.store.conversations import ConversationKind, ConversationReference
from bot.store.database import MAX_WRITERS, POOL_SIZE, Database
from bot.store.file_consents import Offer
from bot.store.models.chat import PostRow
from bot.store.purge import purge
from tests.support import jobs, rows
from tests.support.replicas import Replica, overlapping, replicas, until_blocked
from tests.support.worker_harness import PATIENCE

HOUR = timedelta(hours=1)
OTHER_TENANT = "99999999-2222-4333-8444-555555555555"
Writer = Callable[[Database, str], Awaitable[object]]


@pytest.fixture
async def two(postgres_url: str) -> AsyncIterator[tuple[Replica, Replica]]:
    async with replicas(postgres_url) as (one, other):
        yield one, other


async def claim(database: Database, owner: str = "a", tenant_id: str = jobs.TENANT) -> list[Batch]:
    now = jobs.utc_now()
    return await lifecycle.claim(
        database, tenant_id, Region.EMEA, owner=owner, now=now, lease_until=now + HOUR
    )


async def acknowledge(database: Database, batch: Batch, remote_batch_id: str) -> bool:
    now = jobs.utc_now()
    async with database.write() as tx:
        return await submission.acknowledge(
            tx, batch, remote_batch_id, owner="a", lease_until=now + HOUR, due_at=now, now=now
        )


async def submitted(database: Database, batch: Batch) -> Batch:
    assert await acknowledge(database, batch, f"remote-{batch.id}")
    return await load(database, batch.id)


async def load(database: Database, batch_id: int) -> Batch:
    async with database.read() as tx:
        batch = await batches.load(tx, batch_id)
    assert batch is not None
    return batch


async def complete(database: Database, batch: Batch) -> bool:
    async with database.write() as tx:
        return await polling.complete(tx, jobs.NOTIFY, batch, owner="a", now=jobs.utc_now())


async def requeue(database: Database, batch: Batch) -> bool:
    now = jobs.utc_now()
    async with database.write() as tx:
        return await submission.requeue(
            tx, jobs.NOTIFY, batch, not_before=now, error="429", now=now
        )


async def confirmed_not_run(database: Database, batch: Batch) -> None:
    """planned again, since an approver said so; the answer to its submit may still arrive."""
    now = jobs.utc_now()
    async with database.write() as tx:
        assert await submission.mark_unknown(tx, batch, due_at=now, error="timeout", now=now)
        unknown = await batches.load(tx, batch.id)
        assert unknown is not None
        assert await leases.acquire(tx, unknown, owner="a", now=now, lease_until=now + HOUR)
        assert await reconciliation.ask_approver(
            tx, jobs.NOTIFY, unknown, owner="a", error="", now=now
        )
        asked = await batches.load(tx, batch.id)
        assert asked is not None
        assert await reconciliation.confirm_not_run(
            tx, jobs.NOTIFY, asked, actor=jobs.APPROVER, now=now
        )


async def events(database: Database, request_id: str) -> Counter[str]:
    rows_of = (await rows.dump(database))["events"]
    return Counter(row["action"] for row in rows_of if row["request_id"] == request_id)


# -- the scope: other tenants and requests do not wait -----------------------------------------------------


async def test_writers_of_a_tenant_proceed_while_another_tenants_writer_is_paused(
    two: tuple[Replica, Replica],
) -> None:
    paused, other = two
    request_id = await jobs.approved(paused, 400, Region.EMEA)
    paused.stop_before_commit()
    writers = [asyncio.create_task(claim(paused)), asyncio.create_task(claim(other))]
    async with asyncio.timeout(PATIENCE):
        await paused.at_commit.wait()
        # Another tenant's job, from the file to the end, in the same region.
        theirs = await jobs.approved(other, 150, Region.EMEA, tenant_id=OTHER_TENANT)
        claimed = await claim(other, tenant_id=OTHER_TENANT)
        for batch in claimed:
            assert await complete(other, await submitted(other, batch))
        assert (await jobs.load(other, theirs)).state is RequestState.FINISHED
        async with other.write() as tx:
            await conversations.remember(
                tx, channel("19:b", tenant_id=OTHER_TENANT), jobs.utc_now()
            )
            await posts.add(tx, posts.NewPost(OTHER_TENANT, "19:b"), jobs.utc_now())
        # The same tenant's other requests move on, too.
        assert await jobs.cancel(other, await jobs.approved(other, 3, Region.NOAM))
    assert not any(writer.done() for writer in writers)
    paused.may_commit.set()
    assert [len(await writer) for writer in writers] == [3, 0]
    assert (await jobs.load(other, request_id)).state is RequestState.RUNNING


async def test_reads_proceed_while_all_writers_of_a_process_wait(
    two: tuple[Replica, Replica],
) -> None:
    paused, other = two
    request_id = await jobs.approved(paused, 3)
    request = await jobs.load(paused, request_id)
    paused.stop_before_commit()
    holder = asyncio.create_task(jobs.cancel(paused, request_id))
    await paused.at_commit.wait()

    async def cancel() -> bool:
        async with other.write() as tx:
            return await request_lifecycle.cancel(
                tx, jobs.NOTIFY, request, actor=jobs.ADMIN, now=jobs.utc_now()
            )

    waiting = [asyncio.create_task(cancel()) for _ in range(2 * MAX_WRITERS)]
    await until_blocked(paused, asyncio.gather(*waiting))
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(jobs.load(other, request_id) for _ in range(2 * POOL_SIZE)))
    paused.may_commit.set()
    assert await holder
    assert not any(await asyncio.gather(*waiting))


# -- order: no two transactions wait for each other --------------------------------------------------------


async def test_batch_that_ends_does_not_deadlock_with_delegation_of_its_request(
    two: tuple[Replica, Replica],
) -> None:
    """One goes from the request to its batches, the other from a batch to its request.

    When each took row locks as it went, PostgreSQL ended one of them: "deadlock detected".
    """
    one, other = two
    request_id = await jobs.approved(one, 10)
    (claimed,) = await claim(one)
    batch = await submitted(one, claimed)
    request = await jobs.load(one, request_id)
    now = jobs.utc_now()
    async with one.write() as tx:
        await requests.touch(tx, request_id)
        ending = asyncio.create_task(complete(other, batch))
        await until_blocked(one, ending)
        assert not ending.done()
        assert await delegation_requests.grant(
            tx, request, now + HOUR, actor=jobs.APPROVER, now=now
        )
    assert not await ending  # the grant has let any replica take the batch
    assert (await load(one, batch.id)).state is BatchState.SUBMITTED


async def test_poll_without_news_does_not_deadlock_with_delegation_of_its_request(
    two: tuple[Replica, Replica],
) -> None:
    """A failed read changes the batch first and, if it has failed for long, the request after it."""
    one, other = two
    request_id = await jobs.approved(one, 10)
    (claimed,) = await claim(one)
    batch = await submitted(one, claimed)
    request = await jobs.load(one, request_id)
    now = jobs.utc_now()

    async def failed() -> None:
        async with other.write() as tx:
            await leases.reschedule(tx, batch, owner="a", due_at=now, lease_until=now + HOUR)
            await polling.mark_stalled(tx, jobs.NOTIFY, batch, owner="a", now=now)

    async with one.write() as tx:
        await requests.touch(tx, request_id)
        poll = asyncio.create_task(failed())
        await until_blocked(one, poll)
        assert await delegation_requests.grant(
            tx, request, now + HOUR, actor=jobs.APPROVER, now=now
        )
    await poll


async def test_message_in_a_thread_does_not_deadlock_with_removal_from_its_team(
    two: tuple[Replica, Replica],
) -> None:
    """One goes from the thread to its channel, the other from the channel to all threads."""
    one, other = two
    now = jobs.utc_now()
    thread = replace(channel("19:a"), conversation_id="19:a;messageid=1")
    async with one.write() as tx:
        await conversations.remember(tx, thread, now)
        await conversations.remember(tx, thread.channel, now)

    async def removed() -> frozenset[str]:
        async with other.write() as tx:
            return await conversations.removed(tx, thread.channel, now)

    async with one.write() as tx:
        await conversations.remember(tx, thread, now)
        removing = asyncio.create_task(removed())
        await until_blocked(one, removing)
        await conversations.remember(tx, thread.channel, now)
    assert await removing == {thread.conversation_id, thread.channel.conversation_id}


async def test_cards_that_are_revived_do_not_deadlock_with_posts_that_are_given_up(
    two: tuple[Replica, Replica],
) -> None:
    """Whoever locks several posts does so by ID, wherever the database stores them."""
    one, other = two
    request_id = await jobs.draft(one, 1)
    new = posts.NewPost(jobs.TENANT, jobs.CHAT, kind="progress", request_id=request_id)
    async with one.write() as tx:
        await tx.execute(delete(PostRow))
        for _ in range(2):
            await posts.add(tx, new, jobs.utc_now())
    async with one.write() as tx:
        await tx.execute(update(PostRow).values(activity_id="sent"))
        first, second = (await tx.execute(select(PostRow.id).order_by(PostRow.id))).scalars().all()
    async with one.write() as tx:  # stored behind the second from now on, also in the indexes
        await tx.execute(update(PostRow).where(PostRow.id == first).values(live=False))

    async def revive() -> None:
        async with other.write() as tx:
            await posts.revive(tx, request_id)

    async with one.write() as tx:
        await tx.execute(update(PostRow).where(PostRow.id == first).values(live=False))
        reviving = asyncio.create_task(revive())
        await until_blocked(one, reviving)
        await tx.execute(update(PostRow).where(PostRow.id == second).values(live=False))
    await reviving


def channel(name: str, tenant_id: str = jobs.TENANT) -> ConversationReference:
    return ConversationReference(
        tenant_id, name, ConversationKind.CHANNEL, "https://x", "28:bot", "Bot", name, "team"
    )


# -- requests ----------------------------------------------------------------------------------------------


async def approve(database: Database, request_id: str) -> object:
    return await jobs.approve(database, request_id)


async def reject(database: Database, request_id: str) -> object:
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        return await request_lifecycle.reject(
            tx, jobs.NOTIFY, request, comment="", actor=jobs.APPROVER, now=jobs.utc_now()
        )


async def withdraw(database: Database, request_id: str) -> object:
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        return await request_lifecycle.withdraw(tx, request, actor=jobs.ADMIN, now=jobs.utc_now())


async def expire(database: Database, request_id: str) -> object:
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        return await request_lifecycle.expire(tx, jobs.NOTIFY, request, jobs.utc_now() + 2 * HOUR)


@pytest.mark.parametrize("first", [approve, reject, withdraw, expire])
@pytest.mark.parametrize("second", [approve, reject, withdraw, expire])
async def test_one_of_two_overlapping_decisions_counts(
    two: tuple[Replica, Replica], first: Writer, second: Writer
) -> None:
    one, other = two
    request_id = await jobs.draft(one, 3)
    assert await jobs.request_approval(one, request_id)
    assert await overlapping(one, first(one, request_id), second(other, request_id)) == (
        True,
        False,
    )
    counted = await events(one, request_id)
    assert counted.total() == 3, counted  # drafted, asked, and one decision


async def test_one_of_two_overlapping_approvals_of_the_same_phones_counts(
    two: tuple[Replica, Replica],
) -> None:
    """The second sees the first, which its requester did not know to be approved."""
    one, other = two
    request_ids = [await jobs.draft(one, 5) for _ in range(2)]
    for request_id in request_ids:
        if not await jobs.request_approval(
            one, request_id
        ):  # its card shows the overlap from now on
            assert await jobs.request_approval(one, request_id)
    first, second = request_ids

    approved = await overlapping(one, jobs.approve(one, first), jobs.approve(other, second))

    assert approved == (True, False)
    assert (await jobs.load(one, second)).reason_wanted_since is not None


async def test_reminder_is_sent_once_by_overlapping_replicas(two: tuple[Replica, Replica]) -> None:
    one, other = two
    request_id = await jobs.draft(one, 3)
    assert await jobs.request_approval(one, request_id)
    request = await jobs.load(one, request_id)
    late = jobs.utc_now() + 0.6 * HOUR

    async def remind(database: Database) -> bool:
        async with database.write() as tx:
            zone = jobs.zone_where(12)
            return await urgency.remind(tx, jobs.NOTIFY, request, late, zone=zone)

    assert await overlapping(one, remind(one), remind(other)) == (True, False)


async def test_request_ends_once_when_its_last_two_batches_end_on_two_replicas(
    two: tuple[Replica, Replica],
) -> None:
    one, other = two
    request_id = await jobs.approved(one, 200)
    first, second = [await submitted(one, batch) for batch in await claim(one)]
    assert await overlapping(one, complete(one, first), complete(other, second)) == (True, True)
    assert (await jobs.load(one, request_id)).state is RequestState.FINISHED
    assert (await events(one, request_id))["finished"] == 1
    cards = Counter(post["kind"] for post in (await rows.dump(one))["posts"])
    assert cards["results"] == 1


@pytest.mark.parametrize("cancel_first", [True, False])
async def test_cancelled_request_ends_when_its_batch_is_put_back_meanwhile(
    two: tuple[Replica, Replica], cancel_first: bool
) -> None:
    one, other = two
    request_id = await jobs.approved(one, 10)
    (batch,) = await claim(one)
    if cancel_first:
        done = await overlapping(one, jobs.cancel(one, request_id), requeue(other, batch))
    else:
        done = await overlapping(one, requeue(one, batch), jobs.cancel(other, request_id))
    assert done == (True, True)
    assert (await jobs.load(one, request_id)).state is RequestState.CANCELLED
    assert (await load(one, batch.id)).state is BatchState.CANCELLED
    assert (await events(one, request_id))["cancelled"] == 1


async def test_retry_is_drafted_once_by_overlapping_clicks(two: tuple[Replica, Replica]) -> None:
    one, other = two
    failed_id = await jobs.approved(one, 3)
    (claimed,) = await claim(one)
    assert await complete(one, await submitted(one, claimed))
    failed = await jobs.load(one, failed_id)

    async def retry(database: Database) -> str:
        try:
            async with database.write() as tx:
                drafted = await drafts.draft_retry(
                    tx, jobs.NOTIFY, jobs.new_request(), failed, jobs.utc_now()
                )
        except RetryExistsError as error:
            return error.request_id
        assert drafted is not None
        return drafted.request_id

    first, second = await overlapping(one, retry(one), retry(other))
    assert first == second
    assert len((await rows.dump(one))["requests"]) == 2


async def test_delegation_is_asked_for_once_by_overlapping_replicas(
    two: tuple[Replica, Replica],
) -> None:
    one, other = two
    request_ids = {await jobs.approved(one, 3) for _ in range(3)}

    async def ask(database: Database) -> list[str]:
        async with database.write() as tx:
            return await delegation_requests.ask(
                tx, jobs.NOTIFY, jobs.utc_now(), [BatchState.PLANNED]
            )

    first, second = await overlapping(one, ask(one), ask(other))
    assert (set(first), second) == (request_ids, [])


# -- batches -----------------------------------------------------------------------------------------------


async def test_overlapping_claims_fill_the_slots_once(two: tuple[Replica, Replica]) -> None:
    one, other = two
    await jobs.approved(one, 200)
    await jobs.approved(one, 300)
    first, second = await overlapping(one, claim(one, "a"), claim(other, "b"))
    assert (len(first), len(second)) == (3, 0)


async def test_claim_leaves_out_batch_that_is_acknowledged_meanwhile(
    two: tuple[Replica, Replica],
) -> None:
    """Or its phones would be signed in a second time."""
    one, other = two
    await jobs.approved(one, 10)
    (batch,) = await claim(one)
    await confirmed_not_run(one, batch)
    acknowledged, claimed = await overlapping(
        one, acknowledge(one, batch, "remote"), claim(other, "b")
    )
    assert (acknowledged, claimed) == (True, [])
    assert (await load(one, batch.id)).state is BatchState.SUBMITTED


async def test_late_acknowledgment_is_not_recorded_when_batch_is_claimed_meanwhile(
    two: tuple[Replica, Replica],
) -> None:
    one, other = two
    await jobs.approved(one, 10)
    (batch,) = await claim(one)
    await confirmed_not_run(one, batch)
    claimed, acknowledged = await overlapping(
        one, claim(one, "b"), acknowledge(other, batch, "remote")
    )
    assert ([each.attempt for each in claimed], acknowledged) == ([2], False)


@pytest.mark.parametrize("cancel_first", [True, False])
async def test_batch_is_either_claimed_or_cancelled(
    two: tuple[Replica, Replica], cancel_first: bool
) -> None:
    one, other = two
    request_id = await jobs.approved(one, 10)
    if cancel_first:
        _, claimed = await overlapping(one, jobs.cancel(one, request_id), claim(other))
    else:
        claimed, _ = await overlapping(one, claim(one), jobs.cancel(other, request_id))
    (phone, *_) = (await rows.dump(one))["phones"]
    assert (len(claimed), phone["status"]) == (
        (0, "not_run") if cancel_first else (1, "in_progress")
    )
    state = (await jobs.load(one, request_id)).state
    assert state is (RequestState.CANCELLED if cancel_first else RequestState.RUNNING)


async def test_two_batches_do_not_take_one_remote_batch_id(two: tuple[Replica, Replica]) -> None:
    one, other = two
    for _ in range(2):
        await jobs.approved(one, 10)
    first, second = await claim(one)
    assert first.request_id != second.request_id
    assert await overlapping(
        one, acknowledge(one, first, "Remote"), acknowledge(other, second, "remote")
    ) == (True, False)
    assert (await load(one, second.id)).state is BatchState.INTENT


async def test_answer_of_an_approver_counts_once(two: tuple[Replica, Replica]) -> None:
    one, other = two
    await jobs.approved(one, 10)
    (batch,) = await claim(one)
    now = jobs.utc_now()
    async with one.write() as tx:
        assert await submission.mark_unknown(tx, batch, due_at=now, error="timeout", now=now)
        unknown = await batches.load(tx, batch.id) or pytest.fail("no batch")
        assert await leases.acquire(tx, unknown, owner="a", now=now, lease_until=now + HOUR)
        await reconciliation.ask_approver(tx, jobs.NOTIFY, unknown, owner="a", error="", now=now)
    asked = await load(one, batch.id)

    async def not_run(database: Database) -> bool:
        async with database.write() as tx:
            return await reconciliation.confirm_not_run(
                tx, jobs.NOTIFY, asked, actor=jobs.APPROVER, now=now
            )

    async def ran(database: Database) -> bool:
        async with database.write() as tx:
            return await reconciliation.confirm_ran(
                tx, asked, "remote", actor=jobs.APPROVER, now=now
            )

    assert await overlapping(one, not_run(one), ran(other)) == (True, False)
    assert (await load(one, batch.id)).state is BatchState.PLANNED


async def test_lease_is_not_taken_while_its_owner_records_results(
    two: tuple[Replica, Replica],
) -> None:
    one, other = two
    await jobs.approved(one, 10)
    (claimed,) = await claim(one)
    batch = await submitted(one, claimed)
    later = jobs.utc_now() + 2 * HOUR

    async def report() -> int:
        async with one.write() as tx:
            return await polling.report(tx, batch, {}, owner="a", now=later)

    async def end() -> bool:
        async with other.write() as tx:
            return await leases.acquire(tx, batch, owner="b", now=later, lease_until=later + HOUR)

    one.stop_before_commit()
    reporting = asyncio.create_task(report())
    await one.at_commit.wait()
    taking = asyncio.create_task(end())
    await until_blocked(one, taking)
    assert not taking.done()
    one.may_commit.set()
    assert (await reporting, await taking) == (0, True)


# -- leases, offers, activities, and what is deleted -------------------------------------------------------


async def test_conversation_is_leased_to_one_of_two_overlapping_publishers(
    two: tuple[Replica, Replica],
) -> None:
    one, other = two
    now = jobs.utc_now()

    async def acquire(database: Database, owner: str) -> bool:
        async with database.write() as tx:
            return await publisher_leases.acquire(
                tx, "a:chat", owner=owner, now=now, lease_until=now + HOUR
            )

    assert await overlapping(one, acquire(one, "a"), acquire(other, "b")) == (True, False)


async def test_activity_and_offer_count_once_when_deliveries_overlap(
    two: tuple[Replica, Replica],
) -> None:
    one, other = two
    now = jobs.utc_now()
    request_id = await jobs.draft(one, 1)
    async with one.write() as tx:
        offer = Offer(jobs.TENANT, jobs.CHAT, jobs.ADMIN.object_id, request_id, "results")
        consent_id = await file_consents.add(tx, offer, now)

    async def receive(database: Database) -> tuple[bool, bool]:
        async with database.write() as tx:
            first = await received_activities.claim(tx, "key", now)
            taken = await file_consents.take(
                tx,
                consent_id,
                tenant_id=jobs.TENANT,
                conversation_id=jobs.CHAT,
                person_id=jobs.ADMIN.object_id,
                now=now,
            )
            return first, taken is not None

    assert await overlapping(one, receive(one), receive(other)) == ((True, True), (False, False))


async def test_purge_spares_old_draft_for_which_approval_is_requested_meanwhile(
    two: tuple[Replica, Replica],
) -> None:
    one, other = two
    request_id = await jobs.draft(one, 2)

    async def purged() -> int:
        async with other.write() as tx:
            return await purge(tx, jobs.utc_now() + HOUR)

    assert await overlapping(one, jobs.request_approval(one, request_id), purged()) == (True, 0)
    assert (await jobs.load(one, request_id)).state is RequestState.WAITING


async def test_approval_is_not_requested_for_draft_that_is_purged_meanwhile(
    two: tuple[Replica, Replica],
) -> None:
    one, other = two
    request = await jobs.load(one, await jobs.draft(one, 2))

    async def purged() -> int:
        async with one.write() as tx:
            return await purge(tx, jobs.utc_now() + HOUR)

    async def ask() -> bool:
        async with other.write() as tx:
            return await asking.request_approval(
                tx,
                jobs.NOTIFY,
                request,
                region=None,
                reason="",
                ttl=HOUR,
                actor=jobs.ADMIN,
                now=jobs.utc_now(),
            )

    assert await overlapping(one, purged(), ask()) == (1, False)
    assert {table for table, kept in (await rows.dump(one)).items() if kept} == {
        "events",
        "audit_chain",
    }


async def test_page_turned_while_the_card_is_updated_stays_due(
    two: tuple[Replica, Replica],
) -> None:
    one, other = two
    request_id = await jobs.draft(one, 2)
    async with one.read() as tx:
        (post_id,) = (await tx.execute(text("SELECT id FROM posts"))).scalars()
        post = await posts.load_due(tx, post_id)
    assert post is not None

    async def turned() -> None:
        async with one.write() as tx:
            await posts.turn(tx, post.id, panel="phones", page=2)

    async def sent() -> None:
        async with other.write() as tx:
            await posts.sent(
                tx, post, conversation_id=jobs.CHAT, activity_id="1", version=1, final=True
            )

    await overlapping(one, turned(), sent())
    async with one.read() as tx:
        again = await posts.load_due(tx, post.id)
    assert again is not None
    assert (again.panel, again.page, again.request_id) == ("phones", 2, request_id)
