"""When a batch was last seen running, for how long batches take; and an index to read that by.

Revision: 0010, after 0009.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.store.models.base import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_INDEX = "ix_batches_tenant_id_region_done_at"


def upgrade() -> None:
    op.add_column(
        "batches", sa.Column("seen_running_at", UtcDateTime(timezone=True), nullable=True)
    )
    op.create_index(op.f(_INDEX), "batches", ["tenant_id", "region", "done_at"])


def downgrade() -> None:
    op.drop_index(op.f(_INDEX), table_name="batches")
    op.drop_column("batches", "seen_running_at")
