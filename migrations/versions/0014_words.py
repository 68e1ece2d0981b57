"""What is only known of a turn while it waits is its slip: an envelope is how a message is written for the model.

A process of the release before this one can't go on: nothing that it is sent is stored, or acknowledged, and what was
sent meanwhile is found by those that follow. So end it first, as for 0012.
"""

from alembic import op

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("turns", "envelope", new_column_name="slip")


def downgrade() -> None:
    op.alter_column("turns", "slip", new_column_name="envelope")
