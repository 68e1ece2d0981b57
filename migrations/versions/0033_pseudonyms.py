"""Of each workspace the secret by which those who were forgotten have pseudonyms, under which their spending counts.

A process of the release before this one does not find what stands under them: to it, who was forgotten has spent
nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pseudonyms",
        sa.Column("workspace", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", name="pk_pseudonyms"),
    )


def downgrade() -> None:
    """What stands under pseudonyms is nobody's any more."""
    op.drop_table("pseudonyms")
