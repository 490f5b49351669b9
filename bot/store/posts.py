"""Messages of ours: an outbox while they are not sent, and afterwards the cards to keep true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.store.database import Transaction
from bot.store.models import ConversationRow, PostRow, RequestRow

THREAD = (
    ";messageid="  # Teams: a channel's thread is the channel's id with this and the root message
)


@dataclass(frozen=True, slots=True)
class Conversation:
    id: str
    tenant_id: str
    kind: str
    reference: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NewPost:
    """A message to send. With `kind` it is a card of the request, rendered when it is sent and kept
    true; without, `content` is the message as it will be sent."""

    tenant_id: str
    conversation_id: str
    kind: str = ""
    request_id: str = ""
    batch_id: int = 0
    content: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Post:
    id: int
    tenant_id: str
    conversation_id: str
    activity_id: str
    kind: str
    request_id: str
    content: Mapping[str, Any]
    panel: str
    page: int
    batch_id: int
    revision: int
    shown_version: int
    attempts: int
    not_before: datetime | None

    @property
    def rate_limit_key(self) -> str:
        """What Teams counts by: a channel with all its threads, or a chat."""
        return self.conversation_id.split(THREAD)[0]


_COLUMNS = (
    PostRow.id,
    PostRow.tenant_id,
    PostRow.conversation_id,
    PostRow.activity_id,
    PostRow.kind,
    PostRow.request_id,
    PostRow.content,
    PostRow.panel,
    PostRow.page,
    PostRow.batch_id,
    PostRow.revision,
    PostRow.shown_version,
    PostRow.attempts,
    PostRow.not_before,
)

# These cards say in which state a request is, and nothing of how its phones do, unless they are
# turned to the phones. To keep them up with every poll would take the turns of the progress card.
_SHOWS_STATE_ONLY = and_(
    PostRow.kind.in_(["validation", "approval"]), PostRow.panel.in_(["", "issues"])
)


async def remember(tx: Transaction, conversation: Conversation, now: datetime) -> None:
    """Remember how a conversation is reached; the newest word counts, since service URLs change."""
    insert_into = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    values = {
        "tenant_id": conversation.tenant_id,
        "kind": conversation.kind,
        "reference": dict(conversation.reference),
        "seen_at": now,
    }
    await tx.execute(
        insert_into(ConversationRow)
        .values(id=conversation.id, **values)
        .on_conflict_do_update(index_elements=[ConversationRow.id], set_=values)
    )


async def conversation(
    tx: Transaction, tenant_id: str, conversation_id: str
) -> Conversation | None:
    """How to reach a conversation. A channel that never wrote to us borrows the way of another
    conversation of its tenant; None before the tenant's first activity."""
    columns = (ConversationRow.id, ConversationRow.kind, ConversationRow.reference)
    row = (
        await tx.execute(
            select(*columns).where(
                ConversationRow.id == conversation_id, ConversationRow.tenant_id == tenant_id
            )
        )
    ).one_or_none()
    if row is not None:
        return Conversation(row.id, tenant_id, row.kind, row.reference)
    row = (
        await tx.execute(
            select(*columns)
            .where(ConversationRow.tenant_id == tenant_id)
            .order_by(ConversationRow.seen_at.desc())
            .limit(1)
        )
    ).one_or_none()
    if row is None:
        return None
    reference = {**row.reference, "channel_id": conversation_id.split(THREAD)[0]}
    return Conversation(conversation_id, tenant_id, "channel", reference)


async def add(tx: Transaction, post: NewPost, now: datetime) -> int:
    added = await tx.execute(
        insert(PostRow)
        .values(
            tenant_id=post.tenant_id,
            conversation_id=post.conversation_id,
            kind=post.kind,
            request_id=post.request_id,
            batch_id=post.batch_id,
            content=dict(post.content),
            created_at=now,
        )
        .returning(PostRow.id)
    )
    return added.scalar_one()


async def due(tx: Transaction) -> list[Post]:
    """Live messages that are not sent, or show less than what is so. Sends come first, in order; then
    the cards that are furthest behind, so that those of one conversation take turns.

    Those that must wait (`not_before`) are among them: the caller needs to know until when.
    """
    shows = case((_SHOWS_STATE_ONLY, RequestRow.state_version), else_=RequestRow.version)
    behind = and_(
        PostRow.request_id != "",
        PostRow.kind != "",
        or_(PostRow.shown_version < shows, PostRow.shown_revision < PostRow.revision),
    )
    rows = await tx.execute(
        select(*_COLUMNS)
        .outerjoin(RequestRow, RequestRow.id == PostRow.request_id)
        .where(PostRow.live, or_(PostRow.activity_id == "", behind))
        .order_by(PostRow.activity_id != "", PostRow.shown_version, PostRow.id)
    )
    return [Post(**row) for row in rows.mappings()]


async def sent(
    tx: Transaction,
    post: Post,
    *,
    conversation_id: str,
    activity_id: str,
    version: int,
    final: bool,
) -> None:
    """It is there. `final`: nothing that it shows can change by itself any more."""
    await tx.execute(
        update(PostRow)
        .where(PostRow.id == post.id)
        .values(
            conversation_id=conversation_id,
            activity_id=activity_id,
            attempts=0,
            not_before=None,
            **_shown(post, version, final=final),
        )
    )


async def updated(tx: Transaction, post: Post, *, version: int, final: bool) -> None:
    await tx.execute(
        update(PostRow)
        .where(PostRow.id == post.id)
        .values(attempts=0, not_before=None, **_shown(post, version, final=final))
    )


def _shown(post: Post, version: int, *, final: bool) -> dict[str, Any]:
    # A page may have been turned while the card was on its way: then it stays live.
    return {
        "shown_version": version,
        "shown_revision": post.revision,
        "live": PostRow.revision > post.revision if final else True,
    }


async def later(tx: Transaction, post: Post, not_before: datetime) -> None:
    """It could not be delivered just now."""
    await tx.execute(
        update(PostRow)
        .where(PostRow.id == post.id)
        .values(attempts=PostRow.attempts + 1, not_before=not_before)
    )


async def gone(tx: Transaction, post: Post) -> None:
    """Somebody deleted the card: send it anew."""
    await tx.execute(
        update(PostRow)
        .where(PostRow.id == post.id)
        .values(activity_id="", attempts=0, not_before=None)
    )


async def give_up(tx: Transaction, post: Post) -> None:
    await tx.execute(update(PostRow).where(PostRow.id == post.id).values(live=False))


async def find(tx: Transaction, conversation_id: str, activity_id: str) -> Post | None:
    """The message that holds a card somebody clicked."""
    rows = await tx.execute(
        select(*_COLUMNS).where(
            PostRow.activity_id == activity_id,
            PostRow.activity_id != "",
            PostRow.conversation_id.in_([conversation_id, conversation_id.split(THREAD)[0]]),
        )
    )
    row = rows.mappings().first()
    return None if row is None else Post(**row)


async def turn(tx: Transaction, post_id: int, *, panel: str, page: int) -> None:
    """Show another panel or page of a card; the publisher brings it to everybody."""
    await tx.execute(
        update(PostRow)
        .where(PostRow.id == post_id)
        .values(panel=panel, page=page, revision=PostRow.revision + 1, live=True)
    )


async def backlog(tx: Transaction) -> int:
    """How many messages wait to be sent, for the metrics."""
    counted = await tx.execute(select(func.count()).where(PostRow.live, PostRow.activity_id == ""))
    return counted.scalar_one()
