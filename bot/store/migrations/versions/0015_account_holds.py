"""Accounts are checked again at the approval; a new failure holds the request.

Revision: 0015, after 0014.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("hold", sa.String(12), nullable=False, server_default=""),
        sa.Column("hold_version", sa.Integer, nullable=False, server_default="0"),
        sa.Column("tenant_verdicts", sa.JSON, nullable=False, server_default="[]"),
        sa.Column("tenant_stops", sa.JSON, nullable=False, server_default="[]"),
        sa.Column("recheck_notices", sa.JSON, nullable=False, server_default="[]"),
    ):
        op.add_column("requests", column)
    for column in (
        sa.Column("approved_result", sa.String(12), nullable=False, server_default=""),
        sa.Column("approved_verdicts", sa.JSON, nullable=False, server_default="[]"),
        sa.Column("stops", sa.Boolean, nullable=False, server_default=sa.false()),
    ):
        op.add_column("account_checks", column)


def downgrade() -> None:
    for column in ("stops", "approved_verdicts", "approved_result"):
        op.drop_column("account_checks", column)
    for column in ("recheck_notices", "tenant_stops", "tenant_verdicts", "hold_version", "hold"):
        op.drop_column("requests", column)
