"""Mends: requests to change accounts, with their changes.

Revision: 0013, after 0012.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.store.models.base import BigId, UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, UtcDateTime(timezone=True), nullable=True)


def _text(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Text, nullable=False)


def upgrade() -> None:
    op.add_column("requests", sa.Column("mendable", sa.JSON, nullable=False, server_default="{}"))
    op.add_column("requests", _time("facts_stale_at"))
    op.add_column("posts", sa.Column("mend_id", BigId, nullable=False, server_default="0"))
    op.create_table(
        "mends",
        sa.Column("id", BigId, nullable=False),
        sa.Column("request_id", sa.String(8), nullable=False),
        sa.Column("tenant_id", sa.String(36), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("requester_id", sa.String(64), nullable=False),
        _text("requester_name"),
        _text("conversation_id"),
        sa.Column("four_eyes", sa.Boolean, nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        _text("reason"),
        sa.Column("digest", sa.String(64), nullable=False),
        _time("asked_at"),
        _time("expires_at"),
        sa.Column("decided_by_id", sa.String(64), nullable=False),
        _text("decided_by_name"),
        _time("decided_at"),
        _text("comment"),
        sa.Column("undo_by_id", sa.String(64), nullable=False),
        _text("undo_by_name"),
        _time("undo_asked_at"),
        _time("finished_at"),
        sa.Column("owner", sa.String(40), nullable=False),
        _time("lease_until"),
        _time("due_at"),
        sa.Column("passes", sa.Integer, nullable=False),
        _text("refused"),
        _time("access_wanted_since"),
        sa.Column("rechecking", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["requests.id"], name="fk_mends_request_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_mends"),
    )
    op.create_index("ix_mends_state_due_at", "mends", ["state", "due_at"])
    op.create_index("ix_mends_request_id", "mends", ["request_id"])
    op.create_table(
        "mend_changes",
        sa.Column("mend_id", BigId, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        _text("account"),
        _text("username"),
        sa.Column("object_id", sa.String(64), nullable=False),
        _text("replaces"),
        sa.Column("before", sa.Text, nullable=True),
        _text("after"),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("error", sa.String(40), nullable=False),
        _text("detail"),
        _time("since"),
        sa.ForeignKeyConstraint(
            ["mend_id"], ["mends.id"], name="fk_mend_changes_mend_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("mend_id", "number", name="pk_mend_changes"),
    )
    op.create_index("ix_mend_changes_mend_id_state", "mend_changes", ["mend_id", "state"])
    op.create_index("ix_mend_changes_account_mend_id", "mend_changes", ["account", "mend_id"])


def downgrade() -> None:
    op.drop_table("mend_changes")
    op.drop_table("mends")
    op.drop_column("posts", "mend_id")
    op.drop_column("requests", "facts_stale_at")
    op.drop_column("requests", "mendable")
