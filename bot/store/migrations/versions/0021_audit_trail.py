"""How far the audit's chain is verified, delivered, and anchored; lookups of phones by prefix; and on
SQLite, which has no logins, triggers that keep the audit from being changed.

A later migration that makes `events` anew on SQLite (`batch_alter_table`) has to make its triggers anew.

Revision: 0021, after 0020.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from bot.store.models.base import UtcDateTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_READY: Any = {"postgresql_where": sa.text("ready"), "sqlite_where": sa.text("ready = 1")}
_LOOKED_UP = ("account", "hardware_id")

# A purge and an erasure are events themselves, recorded before they do what they tell of. So until the
# next event, the database can check that what goes is what the newest event tells of.
_TRIGGERS = {
    "audit_chain_unchanged": """
        BEFORE UPDATE ON audit_chain
        BEGIN SELECT RAISE(ABORT, 'links of the audit are never changed'); END""",
    "audit_chain_kept": """
        BEFORE DELETE ON audit_chain
        BEGIN SELECT RAISE(ABORT, 'links of the audit are never deleted'); END""",
    "events_unchanged": """
        BEFORE UPDATE ON events
        WHEN NOT EXISTS (
            SELECT 1 FROM events AS newest, json_each(newest.detail, '$.events') AS erased
            WHERE newest.id = (SELECT max(id) FROM events)
            AND newest.action = 'person erased' AND erased.value = OLD.id
        ) OR NEW.id <> OLD.id OR NEW.at <> OLD.at OR NEW.action <> OLD.action
          OR NEW.request_id IS NOT OLD.request_id OR NEW.tenant_id <> OLD.tenant_id
          OR NEW.reference <> OLD.reference
        BEGIN SELECT RAISE(ABORT, 'events of the audit are changed by an erasure only'); END""",
    "events_kept": """
        BEFORE DELETE ON events
        WHEN NOT EXISTS (
            SELECT 1 FROM events AS newest
            WHERE newest.id = (SELECT max(id) FROM events)
            AND newest.action = 'audit purged' AND newest.id <> OLD.id
            AND OLD.at < replace(rtrim(json_extract(newest.detail, '$.before'), 'Z'), 'T', ' ')
        )
        BEGIN SELECT RAISE(ABORT, 'events of the audit are deleted by a purge only'); END""",
}


def upgrade() -> None:
    op.create_table(
        "audit_progress",
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("seq", _ID, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("owner", sa.String(40), nullable=False),
        sa.Column("lease_until", UtcDateTime(timezone=True), nullable=True),
        sa.Column("fault", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_audit_progress"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for name, trigger in _TRIGGERS.items():
            op.execute(sa.text(f"CREATE TRIGGER {name} {trigger}"))
    else:
        _index_phones(dict.fromkeys(_LOOKED_UP, "text_pattern_ops"))


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in _TRIGGERS:
            op.execute(sa.text(f"DROP TRIGGER {name}"))
    else:
        _index_phones({})
    op.drop_table("audit_progress")


def _index_phones(operators: dict[str, str]) -> None:
    for column in _LOOKED_UP:
        name = f"ix_phones_{column}_request_id"
        op.drop_index(name, "phones")
        op.create_index(
            name,
            "phones",
            [column, "request_id"],
            postgresql_ops={key: value for key, value in operators.items() if key == column},
            **_READY,
        )
