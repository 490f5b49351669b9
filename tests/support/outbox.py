"""What is due in the outbox, for tests."""

from __future__ import annotations

from sqlalchemy import select

from bot.store import posts
from bot.store.database import Transaction
from bot.store.models.chat import PostRow
from bot.store.posts import Post


async def due(tx: Transaction) -> list[Post]:
    """All posts to be sent or updated, with their content, in the order of their conversation."""
    order = (PostRow.activity_id != "", PostRow.shown_version, PostRow.id)
    ids = (await tx.execute(select(PostRow.id).order_by(*order))).scalars().all()
    loaded = [await posts.load_due(tx, post_id) for post_id in ids]
    return [post for post in loaded if post is not None]
