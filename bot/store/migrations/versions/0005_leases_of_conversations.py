"""Leases of conversations for the publisher; since when reads of a batch fail.

Revision: 0005, after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.store.models.base import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "publisher_leases",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("owner", sa.String(length=40), nullable=False),
        sa.Column("lease_until", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_publisher_leases")),
    )
    op.add_column("batches", sa.Column("failing_since", UtcDateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("batches", "failing_since")
    op.drop_table("publisher_leases")
