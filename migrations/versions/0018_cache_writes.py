"""What the provider's prompt cache takes in is billed by itself, so it is stored; and a session's calls are looked up.

A process of the release before this one writes it down as nothing, which it is for its models.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_COLUMN = "cache_written"


def upgrade() -> None:
    for table, kind in (("calls", sa.Integer()), ("usage", sa.BigInteger())):
        op.add_column(table, sa.Column(_COLUMN, kind, nullable=False, server_default=sa.text("0")))
    op.create_index("ix_calls_workspace_session", "calls", ["workspace", "session"])


def downgrade() -> None:
    op.drop_index("ix_calls_workspace_session", "calls")
    for table in ("calls", "usage"):
        op.drop_column(table, _COLUMN)
