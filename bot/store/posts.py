"""Posts: the outbox of messages to send, and afterwards the cards to keep current."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, func, insert, or_, select, update

from bot.store.conversations import THREAD_SEPARATOR
from bot.store.database import Transaction
from bot.store.models import PostRow, RequestRow


@dataclass(frozen=True, slots=True)
class NewPost:
    """A message to send: a card of a request, or a fixed message."""

    tenant_id: str
    conversation_id: str
    kind: str = ""  #: `CardKind` of a card, rendered when sent and kept current; "" if fixed
    request_id: str = ""  #: "" if it is about none
    batch_id: int = 0  #: of a reconciliation card, else 0
    content: Mapping[str, Any] = field(default_factory=dict[str, Any])  #: of a fixed message


@dataclass(frozen=True, slots=True)
class Post:
    """A post as it was read; each field is a column of `PostRow`."""

    id: int
    tenant_id: str
    conversation_id: str
    activity_id: str  #: the message's id in the conversation, "" until sent
    kind: str
    request_id: str
    content: Mapping[str, Any]
    panel: str
    page: int
    batch_id: int
    revision: int  #: grows when the panel or page changes
    shown_version: int  #: the request's version that the message shows
    attempts: int  #: deliveries that failed since the last success
    not_before: datetime | None  #: UTC time before which not to retry; None if any time

    @property
    def rate_limit_key(self) -> str:
        """What Teams limits: a channel with all its threads, or a chat."""
        return self.conversation_id.split(THREAD_SEPARATOR)[0]


_COLUMNS = tuple(getattr(PostRow, column.name) for column in fields(Post))

# These cards show a request's state but not its phones' progress, unless turned to the phones. Updating
# them at every poll would delay the progress card.
_SHOWS_STATE_ONLY = and_(
    PostRow.kind.in_(["validation", "approval"]), PostRow.panel.in_(["", "issues"])
)


async def add(tx: Transaction, post: NewPost, now: datetime) -> int:
    """Put a post into the outbox; returns its id."""
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


async def due(tx: Transaction, *, only: int | None = None) -> list[Post]:
    """Live posts that are not sent yet or show an outdated version: sends first and in order, then the
    cards furthest behind, so that the cards of one conversation take turns.

    Includes posts that must wait (`not_before`), since the caller needs to know until when. `only`:
    none but the post of this id.
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
        .where(
            PostRow.live,
            or_(PostRow.activity_id == "", behind),
            *(() if only is None else (PostRow.id == only,)),
        )
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
    """Record a send. `final`: nothing the message shows can change by itself any more."""
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
    """Record an update."""
    await tx.execute(
        update(PostRow)
        .where(PostRow.id == post.id)
        .values(attempts=0, not_before=None, **_shown(post, version, final=final))
    )


def _shown(post: Post, version: int, *, final: bool) -> dict[str, Any]:
    # A page may have been turned during the delivery: then the card stays live.
    return {
        "shown_version": version,
        "shown_revision": post.revision,
        "live": PostRow.revision > post.revision if final else True,
    }


async def later(tx: Transaction, post: Post, not_before: datetime) -> None:
    """Record a failed delivery, to be retried."""
    await tx.execute(
        update(PostRow)
        .where(PostRow.id == post.id)
        .values(attempts=PostRow.attempts + 1, not_before=not_before)
    )


async def resend(tx: Transaction, post: Post) -> None:
    """The message was deleted in the conversation: send it anew."""
    await tx.execute(
        update(PostRow)
        .where(PostRow.id == post.id)
        .values(activity_id="", attempts=0, not_before=None)
    )


async def give_up(tx: Transaction, post: Post) -> None:
    """Dead letter: never deliver or update it again."""
    await tx.execute(update(PostRow).where(PostRow.id == post.id).values(live=False))


async def live_in(tx: Transaction, tenant_id: str, conversation_ids: Collection[str]) -> list[Post]:
    """The posts to be sent to, or kept current in, these conversations and their threads."""
    rows = await tx.execute(
        select(*_COLUMNS).where(PostRow.live, PostRow.tenant_id == tenant_id).order_by(PostRow.id)
    )
    live = (Post(**row) for row in rows.mappings())
    return [
        post
        for post in live
        if not {post.conversation_id, post.rate_limit_key}.isdisjoint(conversation_ids)
    ]


async def find(tx: Transaction, conversation_id: str, activity_id: str) -> Post | None:
    """The post whose message holds a clicked card; None if there is none."""
    rows = await tx.execute(
        select(*_COLUMNS).where(
            PostRow.activity_id == activity_id,
            PostRow.activity_id != "",
            PostRow.conversation_id.in_(
                [conversation_id, conversation_id.split(THREAD_SEPARATOR)[0]]
            ),
        )
    )
    row = rows.mappings().first()
    return None if row is None else Post(**row)


async def turn(tx: Transaction, post_id: int, *, panel: str, page: int) -> None:
    """Show another panel or page of a card; the publisher updates it for everyone."""
    await tx.execute(
        update(PostRow)
        .where(PostRow.id == post_id)
        .values(panel=panel, page=page, revision=PostRow.revision + 1, live=True)
    )


async def revive(tx: Transaction, request_id: str) -> None:
    """Keep the request's posted cards current again: what they show has changed after its end."""
    await tx.execute(
        update(PostRow)
        .where(PostRow.request_id == request_id, PostRow.kind != "", PostRow.activity_id != "")
        .values(live=True)
    )


async def backlog(tx: Transaction) -> int:
    """How many messages are waiting to be sent, for the metrics."""
    counted = await tx.execute(select(func.count()).where(PostRow.live, PostRow.activity_id == ""))
    return counted.scalar_one()
