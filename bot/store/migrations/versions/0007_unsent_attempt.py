"""Of which attempt no byte has been sent. Intents that were claimed before count as sent.

Revision: 0007, after 0006.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("batches", sa.Column("unsent_attempt", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("batches", "unsent_attempt")
