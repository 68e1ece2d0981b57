"""Beside each answer stands what its window was made of: sections, and the checkpoints in it, each with its tokens.

A process of the release before this one stores none, and so what its answers were shown is told without them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("turns", sa.Column("shown_parts", sa.Text()))


def downgrade() -> None:
    op.drop_column("turns", "shown_parts")
