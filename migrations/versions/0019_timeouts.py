"""When people last talked with us in a session is stored, and since when its present goes on, which a time-out ends.

A session that lives is present from now on as if it had been so since its first talk. A process of the release before
this one answers on, but what is said to it wakes nobody and is no word against a silence; and where a session has been
timed out it can't undo. So end it before the first session is timed out: within a day.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_NAMES = ("spoken_at", "silent_since", "present_since")
_LIVE = "UPDATE sessions SET spoken_at = touched_at, present_since = live_since / 1000 WHERE live_since IS NOT NULL"
_MOVED_NOTHING = "UPDATE segments SET kind = 'undo' WHERE kind = 'timed out'"
"""An undo that went back to what was shown anyway: the release before knows such a one."""


def upgrade() -> None:
    for name in _NAMES:
        op.add_column("sessions", sa.Column(name, sa.BigInteger()))
    op.execute(_LIVE)
    present = sa.text("present_since IS NOT NULL")
    op.create_index(
        "ix_sessions_present",
        "sessions",
        ["workspace", "session"],
        postgresql_where=present,
        sqlite_where=present,
    )


def downgrade() -> None:
    op.execute(_MOVED_NOTHING)
    op.drop_index("ix_sessions_present", table_name="sessions")
    for name in reversed(_NAMES):
        op.drop_column("sessions", name)
