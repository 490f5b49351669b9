"""The outbox: which posts are due, and in which order."""

from __future__ import annotations

import pytest

from bot.lifecycle import requests as lifecycle
from bot.store import posts, requests
from bot.store.database import Database
from tests.support import jobs, outbox


async def test_due_skips_cards_that_show_only_state_when_phones_make_progress(
    database: Database,
) -> None:
    """A poll updates the progress card first; other cards follow when the request's state changes."""
    request_id = await jobs.approved(database, 3)
    now = jobs.utc_now()
    async with database.write() as tx:
        for post in await outbox.due(tx):  # those of the request's own transitions
            await posts.give_up(tx, post)
        for kind in ("validation", "progress"):
            new = posts.NewPost(jobs.TENANT, jobs.CHAT, kind=kind, request_id=request_id)
            await posts.add(tx, new, now)
        unsent = await outbox.due(tx)
        assert [post.kind for post in unsent] == ["validation", "progress"]
        shown = await requests.load(tx, request_id) or pytest.fail("no request")
        for post in unsent:
            await posts.sent(
                tx,
                post,
                conversation_id=jobs.CHAT,
                activity_id=f"activity-{post.id}",
                version=shown.version,
                final=False,
            )
        assert await outbox.due(tx) == []
        await requests.touch(tx, request_id)  # a poll brought news
        assert [post.kind for post in await outbox.due(tx)] == ["progress"]
        validation, _ = unsent
        await posts.turn(tx, validation.id, panel="phones", page=1)
        assert [post.kind for post in await outbox.due(tx)] == ["validation", "progress"]
        await posts.turn(tx, validation.id, panel="", page=1)
        turned = (await outbox.due(tx))[0]
        await posts.updated(tx, turned, version=shown.version, final=False)
        assert [post.kind for post in await outbox.due(tx)] == ["progress"]
        request = await requests.load(tx, request_id) or pytest.fail("no request")
        assert await lifecycle.cancel(tx, jobs.NOTIFY, request, actor=jobs.ADMIN, now=now)
        behind = [post.kind for post in await outbox.due(tx) if post.activity_id]
        assert behind == ["validation", "progress"]


async def test_final_card_stays_live_when_its_request_changed_during_the_delivery(
    database: Database,
) -> None:
    request_id = await jobs.approved(database, 3)
    async with database.write() as tx:
        for post in await outbox.due(tx):
            await posts.give_up(tx, post)
        new = posts.NewPost(jobs.TENANT, jobs.CHAT, kind="results", request_id=request_id)
        await posts.add(tx, new, jobs.utc_now())
        [card] = await outbox.due(tx)
        shown = await requests.load(tx, request_id) or pytest.fail("no request")
        await requests.touch(tx, request_id)
        await posts.sent(
            tx,
            card,
            conversation_id=jobs.CHAT,
            activity_id="activity",
            version=shown.version,
            final=True,
        )
        [again] = await outbox.due(tx)
        assert again.id == card.id
        await posts.updated(tx, again, version=shown.version + 1, final=True)
        assert await outbox.due(tx) == []
        await requests.touch(tx, request_id)
        assert await outbox.due(tx) == [], "final"
