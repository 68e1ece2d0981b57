"""What was edited in a session in a certain time is found without looking through all that was ever said in it.

A process of the release before this one knows nothing of that, and answers on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_EDITED = sa.text("edited_at IS NOT NULL")


def upgrade() -> None:
    columns = ["workspace", "session", "edited_at"]
    op.create_index("ix_turns_edited_at", "turns", columns, postgresql_where=_EDITED, sqlite_where=_EDITED)


def downgrade() -> None:
    op.drop_index("ix_turns_edited_at", "turns")
