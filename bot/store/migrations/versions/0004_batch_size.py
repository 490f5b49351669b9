"""Let a request say how many phones a batch holds at most; existing requests keep the SIP Gateway's 100.

Revision: 0004, after 0003.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "requests", sa.Column("batch_size", sa.Integer(), nullable=False, server_default="100")
    )


def downgrade() -> None:
    # Both databases drop a column in place, so no table is copied.
    op.execute("ALTER TABLE requests DROP COLUMN batch_size")
