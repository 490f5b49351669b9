"""What Entra ID's sign-in log shows of phones that were signed in.

Revision: 0014, after 0013.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.store.models.base import BigId, UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("seen_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("sign_in_failed_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("sign_in_error", sa.Integer, nullable=False, server_default="0"),
    ):
        op.add_column("phones", column)
    op.create_index("ix_batches_done_at", "batches", ["done_at"])
    op.create_table(
        "sightings",
        sa.Column("batch_id", BigId, nullable=False, autoincrement=False),
        sa.Column("request_id", sa.String(8), nullable=False),
        sa.Column("tenant_id", sa.String(36), nullable=False),
        sa.Column("since", UtcDateTime(timezone=True), nullable=False),
        sa.Column("looks", sa.Integer, nullable=False),
        sa.Column("due_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("owner", sa.String(40), nullable=False),
        sa.Column("lease_until", UtcDateTime(timezone=True), nullable=True),
        sa.Column("gap", sa.String(12), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name="fk_sightings_batch_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["requests.id"], name="fk_sightings_request_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("batch_id", name="pk_sightings"),
    )
    op.create_index("ix_sightings_due_at", "sightings", ["due_at"])
    op.create_index("ix_sightings_request_id", "sightings", ["request_id"])


def downgrade() -> None:
    op.drop_table("sightings")
    op.drop_index("ix_batches_done_at", table_name="batches")
    for column in ("sign_in_error", "sign_in_failed_at", "seen_at"):
        op.drop_column("phones", column)
