"""Chain the audit, and let it outlive the requests it tells of.

The events that are there already become the first links, in their order.

Revision: 0012, after 0011.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

import sqlalchemy as sa
from alembic import op

from bot.store import chain
from bot.store.models.base import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_AT_ONCE = 1000
_EVENTS = sa.table(
    "events",
    sa.column("id", _ID),
    sa.column("request_id", sa.String),
    sa.column("tenant_id", sa.String),
    sa.column("at", UtcDateTime()),
    sa.column("actor_id", sa.String),
    sa.column("actor_name", sa.Text),
    sa.column("action", sa.String),
    sa.column("detail", sa.JSON),
    sa.column("salts", sa.JSON),
)
_LINKS = sa.table(
    "audit_chain", *(sa.column(name) for name in ("seq", "event_id", "entry", "prev", "hash"))
)


def upgrade() -> None:
    with op.batch_alter_table("events") as events:
        events.drop_constraint("fk_events_request_id", type_="foreignkey")
        events.add_column(sa.Column("tenant_id", sa.String(36), nullable=False, server_default=""))
        events.add_column(sa.Column("reference", sa.String(8), nullable=False, server_default=""))
        events.add_column(sa.Column("salts", sa.JSON, nullable=False, server_default="{}"))
    op.create_index("ix_events_at", "events", ["at"])
    op.create_table(
        "audit_chain",
        sa.Column("seq", _ID, nullable=False, autoincrement=False),
        sa.Column("event_id", _ID, nullable=False),
        sa.Column("entry", sa.Text, nullable=False),
        sa.Column("prev", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit_chain"),
        sa.UniqueConstraint("event_id", name="uq_audit_chain_event_id"),
        sa.UniqueConstraint("prev", name="uq_audit_chain_prev"),
    )
    _chain_what_is_there()


def _chain_what_is_there() -> None:
    """All of an old event's detail may name people: the chain only commits to it."""
    connection = op.get_bind()
    requests = sa.table("requests", sa.column("id"), sa.column("tenant_id"))
    tenant = sa.select(requests.c.tenant_id).where(requests.c.id == _EVENTS.c.request_id)
    connection.execute(
        sa.update(_EVENTS).values(tenant_id=sa.func.coalesce(tenant.scalar_subquery(), ""))
    )
    head, last = None, 0
    while rows := connection.execute(
        sa.select(_EVENTS).where(_EVENTS.c.id > last).order_by(_EVENTS.c.id).limit(_AT_ONCE)
    ).all():
        events = [_event(row) for row in rows]
        connection.execute(
            sa.update(_EVENTS)
            .where(_EVENTS.c.id == sa.bindparam("of"))
            .values(salts=sa.bindparam("made", type_=sa.JSON)),
            [{"of": event.id, "made": dict(event.salts)} for event in events],
        )
        links = list(chain.appended(head, events))
        prevs = [head.hash if head else chain.NOTHING, *(link.hash for link in links)]
        connection.execute(
            sa.insert(_LINKS),
            [
                {
                    "seq": link.seq,
                    "event_id": event.id,
                    "entry": link.entry,
                    "prev": prev,
                    "hash": link.hash,
                }
                for link, event, prev in zip(links, events, prevs, strict=False)
            ],
        )
        head, last = chain.Anchor(links[-1].seq, links[-1].hash), events[-1].id


def _event(row: sa.Row[tuple[object, ...]]) -> chain.Event:
    event = chain.Event(
        row.id,
        row.at,
        row.tenant_id,
        row.request_id,
        row.action,
        row.actor_id,
        row.actor_name,
        "",
        row.detail,
        {},
    )
    return replace(event, salts={name: secrets.token_hex(32) for name in event.values})


def downgrade() -> None:
    op.drop_table("audit_chain")
    op.drop_index("ix_events_at", "events")
    # What is about purged requests has no place in the schema before.
    op.execute("DELETE FROM events WHERE request_id NOT IN (SELECT id FROM requests)")
    with op.batch_alter_table("events") as events:
        events.drop_column("salts")
        events.drop_column("tenant_id")
        events.drop_column("reference")
        events.create_foreign_key(
            "fk_events_request_id", "requests", ["request_id"], ["id"], ondelete="CASCADE"
        )
