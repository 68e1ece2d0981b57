"""What people have deleted lately, so that a deletion that comes before its message is not in vain.

A process of the release before this one notes none, and answers such a message.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gone",
        sa.Column("workspace", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("channel", "message")),
        sa.Column("gone_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "channel", "message", name="pk_gone"),
    )


def downgrade() -> None:
    op.drop_table("gone")
