"""How many processes have ended over what a session is being answered: apart from its failed attempts.

A process of the release before this one counts both as attempts, and leaves this count as it finds it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("deaths", sa.SmallInteger(), nullable=False, server_default=sa.text("0")))


def downgrade() -> None:
    op.drop_column("sessions", "deaths")
