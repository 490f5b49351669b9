"""When each phone was provisioned, from which the SIP Gateway counts its deadline.

Revision: 0014, after 0011.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.store.models import UtcDateTime

revision = "0014"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("phones", sa.Column("provisioned_at", UtcDateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("phones", "provisioned_at")
