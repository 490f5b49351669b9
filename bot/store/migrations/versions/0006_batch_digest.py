"""The digest that a batch is checked against before it is sent. Batches planned before have none.

Revision: 0006, after 0005.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "batches", sa.Column("digest", sa.String(length=64), nullable=False, server_default="")
    )


def downgrade() -> None:
    op.drop_column("batches", "digest")
