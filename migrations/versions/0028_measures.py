"""By what a model's tokens are measured is stored, so that all processes measure alike.

A process of the release before this one measures by what it has learnt itself.
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "measures",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("measure", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("server", "model", name="pk_measures"),
    )


def downgrade() -> None:
    op.drop_table("measures")
