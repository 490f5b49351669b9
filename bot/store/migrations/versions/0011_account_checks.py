"""What is known about each account of a request before its password is reset.

Revision: 0011, after 0010.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.store.models.base import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("preflight", sa.String(12), nullable=False, server_default="off"),
        sa.Column("preflight_owner", sa.String(40), nullable=False, server_default=""),
        sa.Column("preflight_until", UtcDateTime(timezone=True), nullable=True),
        sa.Column("accounts_checked_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("guarded_accounts", sa.Integer, nullable=False, server_default="0"),
    ):
        op.add_column("requests", column)
    op.add_column(
        "phones", sa.Column("left_out", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.create_table(
        "account_checks",
        sa.Column("request_id", sa.String(8), nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("result", sa.String(12), nullable=False),
        sa.Column("verdicts", sa.JSON, nullable=False),
        sa.Column("checked_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("included", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["requests.id"],
            name="fk_account_checks_request_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("request_id", "account", name="pk_account_checks"),
    )
    op.create_index(
        "ix_account_checks_request_id_number", "account_checks", ["request_id", "number"]
    )


def downgrade() -> None:
    op.drop_table("account_checks")
    op.drop_column("phones", "left_out")
    for column in (
        "guarded_accounts",
        "accounts_checked_at",
        "preflight_until",
        "preflight_owner",
        "preflight",
    ):
        op.drop_column("requests", column)
