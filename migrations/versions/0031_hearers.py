"""Which process hears which platform now, for whoever asks from outside whether all is well.

A process of the release before this one says nothing of that, and counts as one that hears nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hearers",
        sa.Column("workspace", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "owner", name="pk_hearers"),
    )


def downgrade() -> None:
    op.drop_table("hearers")
