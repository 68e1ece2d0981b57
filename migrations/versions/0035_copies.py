"""Of a copy of which nobody knows whose words it has, it is kept of which message it is one: that may be heard later.

A process of the release before this one stores none, and answers on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_KNOWN = sa.text("copied IS NOT NULL")


def upgrade() -> None:
    op.add_column("quotes", sa.Column("copied", sa.Text()))
    columns = ["workspace", "copied"]
    op.create_index("ix_quotes_copied", "quotes", columns, postgresql_where=_KNOWN, sqlite_where=_KNOWN)


def downgrade() -> None:
    op.drop_index("ix_quotes_copied", "quotes")
    op.drop_column("quotes", "copied")
