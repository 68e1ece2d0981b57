"""Two indexes of the turns, for what they cost with every message.

A message's ID comes before its session: messages arrive in the order of their IDs, so that the index grows at its end,
where it fills its pages, instead of at as many places as there are sessions. What waits is told by its envelope
instead of its state: PostgreSQL then need not touch any index when a question has been answered. Deliveries that are
certain are no longer due for anything: they are forgotten by the age of what they answer.

The release before this one runs on these indexes as well, slower where a session is long.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NAMED, _WAITS, _OPEN = sa.text("message IS NOT NULL"), sa.text("envelope IS NOT NULL"), sa.text("state < 2")


def upgrade() -> None:
    _index("uq_turns_message", ["workspace", "message", "session"], _NAMED, unique=True)
    _index("ix_turns_waiting", ["workspace", "session", "at", "seq"], _WAITS)
    op.execute("UPDATE deliveries SET due_at = NULL WHERE state >= 3 AND body IS NULL")


def downgrade() -> None:
    _index("ix_turns_waiting", ["workspace", "session", "at", "seq"], _OPEN)
    _index("uq_turns_message", ["workspace", "session", "message"], _NAMED, unique=True)


def _index(name: str, columns: list[str], where: sa.TextClause, *, unique: bool = False) -> None:
    op.drop_index(name, table_name="turns")
    op.create_index(name, "turns", columns, unique=unique, postgresql_where=where, sqlite_where=where)
