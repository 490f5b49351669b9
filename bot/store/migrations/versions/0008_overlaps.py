"""What requests have in common with others, by account and hardware ID; and audit events of no request.

Revision: 0008, after 0007.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from bot.store.models.base import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_READY: Any = {"postgresql_where": sa.text("ready"), "sqlite_where": sa.text("ready = 1")}
_PHONES = sa.table(
    "phones",
    sa.column("username", sa.Text()),
    sa.column("account", sa.Text()),
    sa.column("ready", sa.Boolean()),
)


def upgrade() -> None:
    op.create_table(
        "overlaps",
        sa.Column("request_id", sa.String(length=8), nullable=False),
        sa.Column("other_id", sa.String(length=8), nullable=False),
        sa.Column("requester_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("since", UtcDateTime(timezone=True), nullable=False),
        sa.Column("accounts", sa.Integer(), nullable=False),
        sa.Column("phones", sa.Integer(), nullable=False),
        sa.Column("examples", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["requests.id"],
            name=op.f("fk_overlaps_request_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("request_id", "other_id", name=op.f("pk_overlaps")),
    )
    op.add_column(
        "requests",
        sa.Column("overlaps_version", sa.Integer(), nullable=False, server_default="0"),
    )
    op.add_column(
        "requests", sa.Column("reason_wanted_since", UtcDateTime(timezone=True), nullable=True)
    )
    op.add_column("phones", sa.Column("account", sa.Text(), nullable=False, server_default=""))
    ready_phones = _PHONES.update().where(_PHONES.c.ready)
    # Usernames of ready rows are ASCII, so this is `phone_key`.
    op.execute(ready_phones.values(account=sa.func.lower(_PHONES.c.username)))
    for column in ("account", "hardware_id"):
        op.create_index(
            f"ix_phones_{column}_request_id", "phones", [column, "request_id"], **_READY
        )
    with op.batch_alter_table("events") as batch_op:
        batch_op.alter_column("request_id", existing_type=sa.String(length=8), nullable=True)
        batch_op.create_index("ix_events_actor_id_at", ["actor_id", "at"])


def downgrade() -> None:
    op.execute("DELETE FROM events WHERE request_id IS NULL")
    with op.batch_alter_table("events") as batch_op:
        batch_op.drop_index("ix_events_actor_id_at")
        batch_op.alter_column("request_id", existing_type=sa.String(length=8), nullable=False)
    op.drop_index("ix_phones_hardware_id_request_id", "phones")
    op.drop_index("ix_phones_account_request_id", "phones")
    op.drop_column("phones", "account")
    with op.batch_alter_table("requests") as batch_op:
        batch_op.drop_column("reason_wanted_since")
        batch_op.drop_column("overlaps_version")
    op.drop_table("overlaps")
