"""Rename columns to the field's terms; every row keeps its data.

Revision: 0002, after 0001.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_RENAMED = {
    "requests": {
        "signed_in_until": "delegation_until",
        "sign_in_since": "delegation_wanted_since",
    },
    "phones": {"batch": "batch_id"},
    "batches": {
        "remote_id": "remote_batch_id",
        "checks": "summary_reads",
        "next_look_at": "due_at",
        "stuck": "stalled",
    },
    "posts": {"batch": "batch_id"},
}
#: table -> (index before, index after, its columns before, its columns after)
_REINDEXED = {
    "phones": ("ix_phones_batch", "ix_phones_batch_id", ["batch"], ["batch_id"]),
    "batches": (
        "ix_batches_state_next_look_at",
        "ix_batches_state_due_at",
        ["state", "next_look_at"],
        ["state", "due_at"],
    ),
}


def upgrade() -> None:
    for table, (before, _, _, _) in _REINDEXED.items():
        op.drop_index(before, table_name=table)
    for table, columns in _RENAMED.items():
        for before, after in columns.items():
            # Both databases rename a column in place, so no table is copied.
            op.execute(f'ALTER TABLE {table} RENAME COLUMN "{before}" TO "{after}"')
    for table, (_, after, _, columns) in _REINDEXED.items():
        op.create_index(after, table, columns)


def downgrade() -> None:
    for table, (_, after, _, _) in _REINDEXED.items():
        op.drop_index(after, table_name=table)
    for table, columns in _RENAMED.items():
        for before, after in columns.items():
            op.execute(f'ALTER TABLE {table} RENAME COLUMN "{after}" TO "{before}"')
    for table, (before, _, columns, _) in _REINDEXED.items():
        op.create_index(before, table, columns)
