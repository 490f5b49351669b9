"""Posts: the outbox of messages to send, and afterwards the cards to keep current."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    Update,
    and_,
    case,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningInsert

from bot.store.conversations import THREAD_SEPARATOR
from bot.store.database import Transaction
from bot.store.models.chat import PostRow
from bot.store.models.requests import RequestRow
from bot.store.statement import statement


@dataclass(frozen=True, slots=True)
class NewPost:
    """A message to send: a card of a request, or a fixed message."""

    tenant_id: str
    conversation_id: str
    kind: str = ""  #: `CardKind` of a card, rendered when sent and kept current; "" if fixed
    request_id: str = ""  #: "" if it is about none
    batch_id: int = 0  #: of a reconciliation card, else 0
    content: Mapping[str, Any] = field(default_factory=dict[str, Any])  #: of a fixed message
    mend_id: int = 0  #: of a mend's card, else 0


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
    mend_id: int
    revision: int  #: grows when the panel or page changes
    shown_version: int  #: the request's version that the message shows
    attempts: int  #: deliveries that failed since the last success
    not_before: datetime | None  #: UTC time before which not to retry; None if any time

    @property
    def rate_limit_key(self) -> str:
        """What Teams limits: a channel with all its threads, or a chat."""
        return self.conversation_id.split(THREAD_SEPARATOR)[0]


@dataclass(frozen=True, slots=True)
class DuePost:
    """What it takes to choose a post for delivery: not its content, which may be large."""

    id: int
    rate_limit_key: str  #: `Post.rate_limit_key`
    activity_id: str  #: "" if it is to be sent, else it is to be updated
    kind: str
    request_id: str
    attempts: int


_COLUMNS = tuple(getattr(PostRow, column.name) for column in fields(Post))
_DUE_COLUMNS = (
    PostRow.id,
    PostRow.activity_id,
    PostRow.kind,
    PostRow.request_id,
    PostRow.attempts,
)

# These cards show a request's state but not its phones' progress, unless turned to the phones. Updating
# them at every poll would delay the progress card.
_SHOWS_STATE_ONLY = and_(
    PostRow.kind.in_(["validation", "approval", "review"]), PostRow.panel.in_(["", "issues"])
)
_SHOWN = case((_SHOWS_STATE_ONLY, RequestRow.state_version), else_=RequestRow.version)
_IS_BEHIND = and_(
    PostRow.request_id != "",
    PostRow.kind != "",
    or_(PostRow.shown_version < _SHOWN, PostRow.shown_revision < PostRow.revision),
)
# Not sent yet, or showing an outdated version; of posts joined with their requests, if any.
_IS_DUE = (PostRow.live, or_(PostRow.activity_id == "", _IS_BEHIND))


async def add(tx: Transaction, post: NewPost, now: datetime) -> int:
    """Put a post into the outbox; returns its id."""
    added = await tx.execute(
        *_add(
            post.tenant_id,
            post.conversation_id,
            post.kind,
            post.request_id,
            post.batch_id,
            post.mend_id,
            dict(post.content),
            now,
        )
    )
    return added.scalar_one()


@statement
def _add(
    tenant_id: str,
    conversation_id: str,
    kind: str,
    request_id: str,
    batch_id: int,
    mend_id: int,
    content: Mapping[str, Any],
    created_at: datetime,
) -> ReturningInsert[int]:
    return (
        insert(PostRow)
        .values(
            tenant_id=tenant_id,
            conversation_id=conversation_id,
            kind=kind,
            request_id=request_id,
            batch_id=batch_id,
            mend_id=mend_id,
            content=content,
            created_at=created_at,
        )
        .returning(PostRow.id)
    )


async def next_due(
    tx: Transaction,
    now: datetime,
    *,
    limit: int,
    closed: Collection[str] = (),
    closed_to_updates: Collection[str] = (),
) -> list[DuePost]:
    """The next post of each conversation that has one to deliver now, in at most `limit` conversations.

    Sends come first and in order, then the cards furthest behind, so that the cards of one conversation
    take turns. A send that failed before lets the others pass. Conversations are named by their
    `rate_limit_key`; nothing is due in those that are `closed`, and no update in those that are
    `closed_to_updates`.
    """
    sqlite = tx.dialect.name == "sqlite"
    rows = await tx.execute(*_next_due(now, closed, closed_to_updates, limit, sqlite=sqlite))
    return [DuePost(**row) for row in rows.mappings()]


@statement
def _next_due(
    now: datetime,
    closed: Collection[str],
    closed_to_updates: Collection[str],
    limit: int,
    *,
    sqlite: bool,
) -> Select[*tuple[Any, ...]]:
    order = (PostRow.activity_id != "", PostRow.shown_version, PostRow.id)
    key = _rate_limit_key(sqlite=sqlite)
    place = func.row_number().over(partition_by=key, order_by=order)
    due = (
        select(PostRow.id, key.label("rate_limit_key"), place.label("place"))
        .outerjoin(RequestRow, RequestRow.id == PostRow.request_id)
        .where(
            *_IS_DUE,
            or_(PostRow.not_before.is_(None), PostRow.not_before <= now),
            key.not_in(closed),
            or_(PostRow.activity_id == "", key.not_in(closed_to_updates)),
        )
        .subquery()
    )
    return (
        select(due.c.rate_limit_key, *_DUE_COLUMNS)
        .join(PostRow, PostRow.id == due.c.id)
        .where(due.c.place == 1)
        .order_by(*order)
        .limit(limit)
    )


def _rate_limit_key(*, sqlite: bool) -> ColumnElement[str]:
    """`Post.rate_limit_key`, as an expression."""
    position = func.instr if sqlite else func.strpos
    end = position(PostRow.conversation_id + THREAD_SEPARATOR, THREAD_SEPARATOR)
    return func.substr(PostRow.conversation_id, 1, end - 1, type_=Text())


async def load_due(tx: Transaction, post_id: int) -> Post | None:
    """Returns None unless the post is still to be sent or to be updated."""
    row = (await tx.execute(*_load_due(post_id))).mappings().one_or_none()
    return None if row is None else Post(**row)


@statement
def _load_due(post_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(*_COLUMNS)
        .outerjoin(RequestRow, RequestRow.id == PostRow.request_id)
        .where(PostRow.id == post_id, *_IS_DUE)
    )


async def next_retry_at(tx: Transaction, now: datetime) -> datetime | None:
    """When the next post that failed before may be delivered; None if none waits."""
    return (await tx.execute(*_next_retry_at(now))).scalar_one()


@statement
def _next_retry_at(now: datetime) -> Select[datetime | None]:
    return select(func.min(PostRow.not_before)).where(PostRow.live, PostRow.not_before > now)


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
        *_sent(post.id, post.revision, version, conversation_id, activity_id, final=final)
    )


@statement
def _sent(
    post_id: int,
    revision: int,
    version: int,
    conversation_id: str,
    activity_id: str,
    *,
    final: bool,
) -> Update:
    return (
        update(PostRow)
        .where(PostRow.id == post_id)
        .values(
            conversation_id=conversation_id,
            activity_id=activity_id,
            attempts=0,
            not_before=None,
            **_shown(revision, version, final=final),
        )
    )


async def updated(tx: Transaction, post: Post, *, version: int, final: bool) -> None:
    """Record an update."""
    await tx.execute(*_updated(post.id, post.revision, version, final=final))


@statement
def _updated(post_id: int, revision: int, version: int, *, final: bool) -> Update:
    return (
        update(PostRow)
        .where(PostRow.id == post_id)
        .values(attempts=0, not_before=None, **_shown(revision, version, final=final))
    )


def _shown(revision: int, version: int, *, final: bool) -> dict[str, Any]:
    # A page may have been turned, or the request have changed, during the delivery: then the card stays
    # live.
    changed = select(RequestRow.id).where(
        RequestRow.id == PostRow.request_id, RequestRow.version > version
    )
    behind = or_(PostRow.revision > revision, and_(PostRow.kind != "", changed.exists()))
    return {
        "shown_version": version,
        "shown_revision": revision,
        "live": behind if final else True,
    }


async def later(tx: Transaction, post_id: int, not_before: datetime) -> None:
    """Record a failed delivery, to be retried."""
    await tx.execute(*_later(post_id, not_before))


@statement
def _later(post_id: int, not_before: datetime) -> Update:
    return (
        update(PostRow)
        .where(PostRow.id == post_id)
        .values(attempts=PostRow.attempts + 1, not_before=not_before)
    )


async def resend(tx: Transaction, post: Post) -> None:
    """The message was deleted in the conversation: send it anew."""
    await tx.execute(*_resend(post.id))


@statement
def _resend(post_id: int) -> Update:
    return (
        update(PostRow)
        .where(PostRow.id == post_id)
        .values(activity_id="", attempts=0, not_before=None)
    )


async def give_up(tx: Transaction, post: Post) -> bool:
    """Dead letter: never deliver or update it again. Returns False if it was given up before."""
    return (await tx.execute(*_give_up(post.id))).rowcount == 1


@statement
def _give_up(post_id: int) -> Update:
    return update(PostRow).where(PostRow.id == post_id, PostRow.live).values(live=False)


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
    channel_id = conversation_id.split(THREAD_SEPARATOR)[0]
    rows = await tx.execute(*_find([conversation_id, channel_id], activity_id))
    row = rows.mappings().first()
    return None if row is None else Post(**row)


@statement
def _find(conversation_ids: Collection[str], activity_id: str) -> Select[*tuple[Any, ...]]:
    return select(*_COLUMNS).where(
        PostRow.activity_id == activity_id,
        PostRow.activity_id != "",
        PostRow.conversation_id.in_(conversation_ids),
    )


async def turn(tx: Transaction, post_id: int, *, panel: str, page: int) -> None:
    """Show another panel or page of a card; the publisher updates it for everyone."""
    await tx.execute(*_turn(post_id, panel, page))


@statement
def _turn(post_id: int, panel: str, page: int) -> Update:
    return (
        update(PostRow)
        .where(PostRow.id == post_id)
        .values(panel=panel, page=page, revision=PostRow.revision + 1, live=True)
    )


async def revive(tx: Transaction, request_id: str) -> None:
    """Keep the request's posted cards current again: what they show has changed after its end."""
    cards = await tx.execute(*_posted_cards(request_id))
    await tx.execute(*_revive(cards.scalars().all()))


@statement
def _posted_cards(request_id: str) -> Select[int]:
    return (
        select(PostRow.id)
        .where(PostRow.request_id == request_id, PostRow.kind != "", PostRow.activity_id != "")
        .order_by(PostRow.id)  # as everybody locks several posts
        .with_for_update()
    )


@statement
def _revive(post_ids: Collection[int]) -> Update:
    return update(PostRow).where(PostRow.id.in_(post_ids)).values(live=True)


async def backlog(tx: Transaction) -> int:
    """How many messages are waiting to be sent, for the metrics."""
    return (await tx.execute(*_backlog())).scalar_one()


@statement
def _backlog() -> Select[int]:
    return select(func.count()).where(PostRow.live, PostRow.activity_id == "")
