"""Stand-ins of approvers, reviews of break-glass, and when approvers were reminded.

Revision: 0020, after 0018.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.store.models.base import UtcDateTime

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def _time(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, UtcDateTime(timezone=True), nullable=nullable)


def _text(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Text, nullable=False)


def upgrade() -> None:
    op.add_column(
        "requests", sa.Column("reminders", sa.Integer, nullable=False, server_default="0")
    )
    for name in ("reminded_at", "nudged_at", "escalated_at"):
        op.add_column("requests", _time(name))
    op.create_table(
        "reviews",
        sa.Column("request_id", sa.String(8), nullable=False),
        sa.Column("used_by_id", sa.String(64), nullable=False),
        _text("used_by_name"),
        _time("used_at", nullable=False),
        _text("reason"),
        _text("ticket"),
        sa.Column("votes", sa.Integer, nullable=False),
        _time("remind_at"),
        sa.Column("reviewed_by_id", sa.String(64), nullable=False, server_default=""),
        sa.Column("reviewed_by_name", sa.Text, nullable=False, server_default=""),
        _time("reviewed_at"),
        sa.Column("comment", sa.Text, nullable=False, server_default=""),
        sa.ForeignKeyConstraint(
            ["request_id"], ["requests.id"], name="fk_reviews_request_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("request_id", name="pk_reviews"),
    )
    op.create_index("ix_reviews_remind_at", "reviews", ["remind_at"])
    op.create_table(
        "stand_ins",
        sa.Column("tenant_id", sa.String(36), nullable=False),
        sa.Column("approver_id", sa.String(64), nullable=False),
        _text("approver_name"),
        sa.Column("stand_in_id", sa.String(64), nullable=False),
        _text("stand_in_name"),
        _time("until", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "approver_id", name="pk_stand_ins"),
    )
    op.create_index("ix_stand_ins_tenant_id_stand_in_id", "stand_ins", ["tenant_id", "stand_in_id"])
    op.create_index("ix_stand_ins_until", "stand_ins", ["until"])


def downgrade() -> None:
    op.drop_table("stand_ins")
    op.drop_table("reviews")
    for name in ("escalated_at", "nudged_at", "reminded_at", "reminders"):
        op.drop_column("requests", name)
