"""How long a batch's status has been unreadable, whether a person was asked about it, and retries that
wait until phones without a result were looked up.

Revision: 0009, after 0008.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.store.models.base import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "batches", sa.Column("unreadable_seconds", sa.Double(), nullable=False, server_default="0")
    )
    op.add_column(
        "batches",
        sa.Column("unreadable_asked", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.create_table(
        "asked_retries",
        sa.Column("request_id", sa.String(length=8), nullable=False),
        sa.Column("requester_id", sa.String(length=64), nullable=False),
        sa.Column("requester_name", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("four_eyes", sa.Boolean(), nullable=False),
        sa.Column("until", UtcDateTime(timezone=True), nullable=False),
        sa.Column("phones", sa.Integer(), nullable=False),
        sa.Column("looked_up", sa.Integer(), nullable=False),
        sa.Column("signed_in", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["requests.id"],
            name=op.f("fk_asked_retries_request_id_requests"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_asked_retries")),
    )


def downgrade() -> None:
    op.drop_table("asked_retries")
    op.drop_column("batches", "unreadable_asked")
    op.drop_column("batches", "unreadable_seconds")
