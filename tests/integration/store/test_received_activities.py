"""Receipts of activities, offers of files, and removed conversations, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.store import conversations, file_consents, posts, received_activities
from bot.store.conversations import ConversationKind, ConversationReference
from bot.store.database import Database, counted_commits
from bot.store.file_consents import Offer
from bot.store.purge import purge, sweep
from tests.support import jobs, rows

TEAM = "19:team@thread.tacv2"
PERSONAL = ConversationReference(
    jobs.TENANT,
    "a:chat",
    ConversationKind.PERSONAL,
    service_url="https://smba.trafficmanager.net/teams/",
    bot_id="28:offhook",
    bot_name="Offhook",
)
CHANNEL = replace(
    PERSONAL,
    conversation_id="19:channel@thread.tacv2",
    kind=ConversationKind.CHANNEL,
    channel_id="19:channel@thread.tacv2",
    team_id=TEAM,
)
THREAD = replace(CHANNEL, conversation_id=f"{CHANNEL.channel_id};messageid=1")
GENERAL = replace(CHANNEL, conversation_id=TEAM, channel_id=TEAM)
DAY = timedelta(days=1)


async def _claim(database: Database, key: str) -> bool:
    async with database.write() as tx:
        return await received_activities.claim(tx, key, jobs.utc_now())


async def test_activity_is_claimed_once_by_replicas_at_the_same_time(database: Database) -> None:
    key = received_activities.key(PERSONAL, "1")
    other = Database(database.url)
    replicas = [database, other] * 3
    claims = await asyncio.gather(*(_claim(replica, key) for replica in replicas))
    await other.close()
    assert sorted(claims) == [False] * 5 + [True]


async def test_released_activity_can_be_claimed_again(database: Database) -> None:
    key = received_activities.key(PERSONAL, "1")
    assert await _claim(database, key)
    async with database.write() as tx:
        await received_activities.release(tx, key)
    assert await _claim(database, key)


def test_activity_key_tells_tenants_conversations_and_ids_apart() -> None:
    keys = {
        received_activities.key(PERSONAL, "1"),
        received_activities.key(PERSONAL, "2"),
        received_activities.key(replace(PERSONAL, tenant_id="other"), "1"),
        received_activities.key(replace(PERSONAL, conversation_id="other"), "1"),
        received_activities.key(PERSONAL, "\ud800" * 10_000),
    }
    assert len(keys) == 5
    assert {len(key) for key in keys} == {64}


async def test_sweep_and_purge_delete_what_serves_for_a_day(database: Database) -> None:
    request_id = await jobs.draft(database, 1)
    now = jobs.utc_now()
    offer = Offer(jobs.TENANT, "a:chat", "alex", request_id, export="results")
    async with database.write() as tx:
        for age in (timedelta(), 2 * DAY):
            await received_activities.claim(tx, f"key {age}", now - age)
            await file_consents.add(tx, offer, now - age)
        await sweep(tx, now)
    kept = await rows.dump(database)
    assert len(kept["received_activities"]) == len(kept["file_consents"]) == 1
    async with database.write() as tx:
        await purge(tx, now + timedelta(seconds=1))
    kept = await rows.dump(database)
    assert not kept["file_consents"]
    # Not before their day is over, whatever is purged: a delivery may still be repeated.
    assert len(kept["received_activities"]) == 1


@pytest.mark.parametrize(
    "changes",
    [{"tenant_id": "other"}, {"conversation_id": "other"}, {"person_id": "other"}],
)
async def test_offer_is_taken_once_by_whom_it_was_made_to(
    database: Database, changes: dict[str, str]
) -> None:
    request_id = await jobs.draft(database, 1)
    offer = Offer(jobs.TENANT, "a:chat", "alex", request_id, export="results")
    asked = {"tenant_id": jobs.TENANT, "conversation_id": "a:chat", "person_id": "alex"}
    now = jobs.utc_now()
    async with database.write() as tx:
        consent_id = await file_consents.add(tx, offer, now)
        assert len(consent_id) <= file_consents.MAX_ID
        assert await file_consents.take(tx, consent_id, **{**asked, **changes}, now=now) is None
        assert await file_consents.take(tx, "", **asked, now=now) is None
        assert await file_consents.take(tx, consent_id, **asked, now=now + DAY) is None
        assert await file_consents.take(tx, consent_id, **asked, now=now) == offer
        assert await file_consents.take(tx, consent_id, **asked, now=now) is None


async def test_removed_conversation_is_not_reached_by_its_own_or_a_borrowed_reference(
    database: Database,
) -> None:
    now = jobs.utc_now()
    async with database.write() as tx:
        await conversations.remember(tx, PERSONAL, now)
        await conversations.remember(tx, CHANNEL, now)
        assert await conversations.removed(tx, PERSONAL, now) == {"a:chat"}
        assert await conversations.load(tx, jobs.TENANT, "a:chat") is None
        assert await conversations.load(tx, jobs.TENANT, CHANNEL.conversation_id) == CHANNEL
        assert await conversations.known(tx, ["a:chat", CHANNEL.conversation_id]) == {
            CHANNEL.conversation_id
        }
        assert (await conversations.heard(tx)).conversations == 1


async def test_reference_of_removed_conversation_is_not_borrowed(database: Database) -> None:
    now = jobs.utc_now()
    async with database.write() as tx:
        await conversations.remember(tx, PERSONAL, now)
        assert await conversations.load(tx, jobs.TENANT, "19:new@thread.tacv2") is not None
        await conversations.removed(tx, PERSONAL, now)
        assert await conversations.load(tx, jobs.TENANT, "19:new@thread.tacv2") is None


async def test_removal_from_conversation_that_never_wrote_is_remembered(database: Database) -> None:
    now = jobs.utc_now()
    async with database.write() as tx:
        await conversations.remember(tx, PERSONAL, now)
        await conversations.removed(tx, CHANNEL, now)
        assert await conversations.load(tx, jobs.TENANT, CHANNEL.conversation_id) is None
        assert await conversations.load(tx, jobs.TENANT, THREAD.conversation_id) is None


async def test_removal_from_team_covers_its_channels_and_threads_until_it_writes_again(
    database: Database,
) -> None:
    now = jobs.utc_now()
    everywhere = (GENERAL, CHANNEL, THREAD)
    async with database.write() as tx:
        for reference in (*everywhere, PERSONAL):
            await conversations.remember(tx, reference, now)
        gone = await conversations.removed(tx, GENERAL, now)
        assert gone == {each.conversation_id for each in everywhere}
        for reference in everywhere:
            assert await conversations.load(tx, jobs.TENANT, reference.conversation_id) is None
        assert await conversations.load(tx, jobs.TENANT, "a:chat") == PERSONAL
        await conversations.remember(tx, GENERAL, now)
        for reference in everywhere:
            assert await conversations.load(tx, jobs.TENANT, reference.conversation_id) == reference


async def test_removal_leaves_another_tenants_conversations(database: Database) -> None:
    now = jobs.utc_now()
    other = replace(THREAD, tenant_id="other")
    async with database.write() as tx:
        await conversations.remember(tx, other, now)
        await conversations.removed(tx, CHANNEL, now)
        assert await conversations.load(tx, "other", THREAD.conversation_id) == other


async def test_live_posts_of_conversation_include_those_of_its_threads(database: Database) -> None:
    now = jobs.utc_now()
    async with database.write() as tx:
        for conversation_id in (CHANNEL.conversation_id, THREAD.conversation_id, "a:chat"):
            await posts.add(tx, posts.NewPost(jobs.TENANT, conversation_id), now)
        found = await posts.live_in(tx, jobs.TENANT, {CHANNEL.conversation_id})
        assert {post.conversation_id for post in found} == {
            CHANNEL.conversation_id,
            THREAD.conversation_id,
        }
        await posts.give_up(tx, found[0])
        assert len(await posts.live_in(tx, jobs.TENANT, {CHANNEL.conversation_id})) == 1
        assert not await posts.live_in(tx, "other", {CHANNEL.conversation_id})


async def test_commits_are_counted_in_the_task_that_makes_them(database: Database) -> None:
    async def write() -> None:
        async with database.write() as tx:
            await received_activities.release(tx, "none")

    async def fail() -> None:
        async with database.write():
            raise LookupError

    outside = asyncio.create_task(write())
    with counted_commits() as commits:
        await outside
        assert commits.count == 0
        with pytest.raises(LookupError):
            await fail()
        async with database.read():
            pass
        assert commits.count == 0
        await write()
        await asyncio.create_task(write())
        assert commits.count == 2
    await write()
    assert commits.count == 2
