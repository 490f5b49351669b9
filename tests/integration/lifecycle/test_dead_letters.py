"""Posts that cannot be delivered: whoever has to know is told."""

from __future__ import annotations

import pytest

from bot.lifecycle.notifications import Notifications
from bot.store import posts, requests
from bot.store.database import Database
from bot.words import Words
from tests.support import jobs, outbox, rows

CHANNEL = "19:approvals@thread.tacv2"
NOTIFY = Notifications(CHANNEL, CHANNEL, Words())


@pytest.mark.parametrize(
    ("kind", "conversation_id", "told"),
    [
        ("progress", CHANNEL, True),  # asks an approver for a delegation
        ("question", CHANNEL, True),
        ("progress", "a:somebody-else", False),  # the answer to `status`
        ("results", CHANNEL, False),
    ],
)
async def test_requester_is_told_when_a_card_that_asks_approvers_is_undeliverable(
    database: Database, kind: str, conversation_id: str, told: bool
) -> None:
    request_id = await jobs.approved(database, 3)
    now = jobs.utc_now()
    async with database.write() as tx:
        for post in await outbox.due(tx):
            await posts.give_up(tx, post)
        request = await requests.load(tx, request_id)
        assert request is not None
        new = posts.NewPost(jobs.TENANT, conversation_id, kind=kind, request_id=request_id)
        post_id = await posts.add(tx, new, now)
        post = await posts.load_due(tx, post_id)
        assert post is not None
        await NOTIFY.dead_letter(tx, post, now)
    messages = [post for post in (await rows.dump(database))["posts"] if post["content"]]
    assert [post["conversation_id"] for post in messages] == [jobs.CHAT] * told
