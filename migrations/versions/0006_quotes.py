"""What messages point at: the words of others that they reply to or forward, and what they have attached.

A process of the release before this one stores none, and shows a turn without those that it has.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_KNOWN = sa.text("message IS NOT NULL")


def upgrade() -> None:
    op.add_column("turns", sa.Column("quotes", sa.SmallInteger()))
    op.create_table(
        "quotes",
        *(
            sa.Column(name, sa.Integer(), autoincrement=False, nullable=False)
            for name in ("workspace", "session", "seq")
        ),
        sa.Column("place", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text()) for name in ("author", "name")),
        sa.Column("at", sa.BigInteger()),
        sa.Column("title", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text()) for name in ("message", "source", "unread")),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "session", "seq", "place", name="pk_quotes"),
    )
    op.create_index(
        "ix_quotes_message", "quotes", ["workspace", "message"], postgresql_where=_KNOWN, sqlite_where=_KNOWN
    )


def downgrade() -> None:
    op.drop_index("ix_quotes_message", "quotes")
    op.drop_table("quotes")
    op.drop_column("turns", "quotes")
