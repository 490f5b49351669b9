"""What an approver is shown of a request besides its rows, as it was when approval was requested.

Revision: 0018, after 0017.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_TEXTS = ("ticket", "requester_upn", "requester_account")


def upgrade() -> None:
    for name in _TEXTS:
        op.add_column("requests", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.add_column("requests", sa.Column("evidence", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    for name in (*_TEXTS, "evidence"):
        op.drop_column("requests", name)
