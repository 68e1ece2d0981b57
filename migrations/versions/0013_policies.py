"""What people set for a workspace or a channel is stored: one row for each of them that has something set.

A process of the release before this one goes on, and knows nothing of it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "policies",
        sa.Column("workspace", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "scope", name="pk_policies"),
    )


def downgrade() -> None:
    op.drop_table("policies")
