"""Turns that nobody has said: notices of our own, which wait to be delivered as an answer does.

A notice has a name, so that it is told once. A process of the release before this one takes a waiting notice for a
command that it does not know, and says so; none is told yet by the release that brings this column, so that only who
skips that release has both at once.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_NAMED = sa.text("notice IS NOT NULL")
_UNSENT = """
DELETE FROM deliveries WHERE state < 3 AND EXISTS (
    SELECT 1 FROM turns WHERE turns.workspace = deliveries.workspace AND turns.session = deliveries.session
    AND turns.seq = deliveries.seq AND turns.notice IS NOT NULL
)
"""
_FEWER = """
UPDATE sessions SET waiting = waiting - (
    SELECT count(*) FROM turns WHERE turns.workspace = sessions.workspace AND turns.session = sessions.session
    AND turns.notice IS NOT NULL AND turns.state < 2
)
"""
_OVER = "UPDATE turns SET state = 2, envelope = NULL, error = NULL WHERE notice IS NOT NULL"


def upgrade() -> None:
    op.add_column("turns", sa.Column("notice", sa.Text()))
    op.create_index(
        "uq_turns_notice",
        "turns",
        ["workspace", "session", "notice"],
        unique=True,
        postgresql_where=_NAMED,
        sqlite_where=_NAMED,
    )


def downgrade() -> None:
    """What has not been delivered is not any more; whoever claims its session finds nothing, and lets it idle."""
    for statement in (_UNSENT, _FEWER, _OVER):
        op.execute(statement)
    op.drop_index("uq_turns_notice", "turns")
    op.drop_column("turns", "notice")
