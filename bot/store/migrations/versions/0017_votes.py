"""Approvals that are not the last one: votes.

Revision: 0017, after 0016.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.store.models.base import UtcDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "votes",
        sa.Column("request_id", sa.String(8), nullable=False),
        sa.Column("voter_id", sa.String(64), nullable=False),
        sa.Column("voter_name", sa.Text, nullable=False),
        sa.Column("for_id", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("overlaps_version", sa.Integer, nullable=False),
        sa.Column("ids", sa.JSON, nullable=False),
        sa.Column("void", sa.String(12), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["requests.id"],
            name=op.f("fk_votes_request_id_requests"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("request_id", "voter_id", name=op.f("pk_votes")),
    )


def downgrade() -> None:
    op.drop_table("votes")
