"""What was overheard knows what it follows, so that a window reads past it, however much it is.

A process of the release before this one stores it without; that is read past by a look at all of it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("turns", sa.Column("follows", sa.Integer()))


def downgrade() -> None:
    op.drop_column("turns", "follows")
