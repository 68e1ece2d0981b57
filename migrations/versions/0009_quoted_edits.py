"""A quote knows the newest edit of what it quotes, so that one that was overtaken changes nothing.

A process of the release before this one notes none, and quotes nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("quotes", sa.Column("edited_at", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("quotes", "edited_at")
