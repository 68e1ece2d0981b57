"""What people have told us about how they wish to be answered, one row for each person of a workspace.

A process of the release before this one answers on without them, and does not know the commands that change them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "preferences",
        sa.Column("workspace", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "author", name="pk_preferences"),
    )


def downgrade() -> None:
    op.drop_table("preferences")
