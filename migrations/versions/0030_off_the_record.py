"""Stretches of time of which a session keeps no word, and until when the newest one lasts.

A process of the release before this one knows nothing of them, and stores what is said off the record: end it first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "unrecorded",
        *(sa.Column(name, sa.Integer(), autoincrement=False, nullable=False) for name in ("workspace", "session")),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "session", "since", name="pk_unrecorded"),
    )
    op.create_index(
        "ix_unrecorded_until",
        "unrecorded",
        ["until"],
        postgresql_where=sa.text("NOT told"),
        sqlite_where=sa.text("NOT told"),
    )
    op.add_column("sessions", sa.Column("unrecorded_until", sa.BigInteger()))


def downgrade() -> None:
    """What was said off the record by then may be read back, and stored: nothing else knows of when that was."""
    op.drop_column("sessions", "unrecorded_until")
    op.drop_table("unrecorded")
