"""Which messages an answer of several has become stands in a table of its own when that is a day ago.

Deliveries are then no more than those of a day, among which one is found by its message without an index: on SQLite it
took as much room as they do.

A process of the release before this one goes on without the index, slower where a session is long. It does not know
the messages of such an answer any more: a deletion of one of them that reaches it takes no words out of memory.
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_KEY = ("workspace", "session", "seq")
_NAMED = sa.text("message IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "parts",
        *(sa.Column(name, sa.Integer(), autoincrement=False, nullable=False) for name in _KEY),
        sa.Column("part", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(*_KEY, "part", name="pk_parts"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_parts_message", "parts", ["workspace", "message", "session"])
    op.drop_index("ix_deliveries_message", "deliveries")


def downgrade() -> None:
    op.execute(  # 3 is sent
        "INSERT INTO deliveries (workspace, session, seq, part, state, tries, message) "
        "SELECT workspace, session, seq, part, 3, 1, message FROM parts"
    )
    op.create_index(
        "ix_deliveries_message",
        "deliveries",
        ["workspace", "message", "session"],
        postgresql_where=_NAMED,
        sqlite_where=_NAMED,
    )
    op.drop_table("parts")
