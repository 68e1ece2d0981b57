"""Who was told that they are not talked with is stored for a day; and of a session, whether all may see its place.

A process of the release before this one answers on, and everybody: so end it before people are kept out. An undo that
it does may bring back what was set aside when a place was opened. Taking this back makes a reset of that.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_SET_ASIDE = "UPDATE segments SET kind = 'reset' WHERE kind = 'opened'"


def upgrade() -> None:
    op.add_column("sessions", sa.Column("public", sa.Boolean()))
    op.create_table(
        "denials",
        sa.Column("workspace", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "channel", "author", name="pk_denials"),
    )


def downgrade() -> None:
    op.execute(_SET_ASIDE)
    op.drop_table("denials")
    op.drop_column("sessions", "public")
