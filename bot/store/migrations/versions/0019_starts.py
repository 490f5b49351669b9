"""Requests that start at a set time.

Revision: 0019, after 0016.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.store.models.base import UtcDateTime

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_INDEX = "ix_requests_hold_run_at"


def upgrade() -> None:
    for column in (
        sa.Column("run_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("run_by", UtcDateTime(timezone=True), nullable=True),
        sa.Column("run_zone", sa.String(64), nullable=False, server_default=""),
        sa.Column("run_typed", sa.String(16), nullable=False, server_default=""),
        sa.Column("start_told", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("missed", sa.String(12), nullable=False, server_default=""),
        sa.Column("missed_why", sa.Text, nullable=False, server_default=""),
        sa.Column("opens_at", UtcDateTime(timezone=True), nullable=True),
    ):
        op.add_column("requests", column)
    op.create_index(_INDEX, "requests", ["hold", "run_at"])


def downgrade() -> None:
    op.drop_index(_INDEX, "requests")
    for column in (
        *("opens_at", "missed_why", "missed", "start_told"),
        *("run_typed", "run_zone", "run_by", "run_at"),
    ):
        op.drop_column("requests", column)
