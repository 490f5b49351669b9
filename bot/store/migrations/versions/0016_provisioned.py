"""When each phone was provisioned, from which the SIP Gateway counts its deadline.

Revision: 0016, after 0015.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.store.models.base import UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("phones", sa.Column("provisioned_at", UtcDateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("phones", "provisioned_at")
