"""What people ask of a session takes no longer where much was said in it: summaries, messages of ours and calls are
found by indexes of their own.

A process of the release before this one knows nothing of them, and answers on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_turns_covers", "turns", ["workspace", "session", "seq"], sa.text("covers IS NOT NULL")),
    ("ix_deliveries_message", "deliveries", ["workspace", "message", "session"], sa.text("message IS NOT NULL")),
    ("ix_calls_workspace_session_seq_call", "calls", ["workspace", "session", "seq", "call"], None),
)


def upgrade() -> None:
    for name, table, columns, where in _INDEXES:
        op.create_index(name, table, columns, postgresql_where=where, sqlite_where=where)
    op.drop_index("ix_calls_workspace_session", "calls")


def downgrade() -> None:
    op.create_index("ix_calls_workspace_session", "calls", ["workspace", "session"])
    for name, table, *_ in reversed(_INDEXES):
        op.drop_index(name, table)
