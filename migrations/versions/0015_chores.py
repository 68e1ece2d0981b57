"""Which process is at a chore that one does at a time is a table of its own, for all of them alike.

Catching up had its lease in `presence`, which keeps up to when a platform was heard. A process of the release before
this one goes on saying that it hears; it can't catch up any more, says "chore failed" each time, and leaves it to those
of this release.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_MOVE = """
INSERT INTO chores (name, place, owner, due_at)
SELECT 'catching up', platform, owner, due_at
FROM presence JOIN workspaces ON workspaces.workspace = presence.workspace WHERE due_at IS NOT NULL
"""
_MOVE_BACK = """
UPDATE presence SET owner = (SELECT chores.owner {held}), due_at = (SELECT chores.due_at {held})
"""
_HELD = """
FROM chores JOIN workspaces ON workspaces.platform = chores.place
WHERE workspaces.workspace = presence.workspace AND chores.name = 'catching up' AND chores.owner IS NOT NULL
"""


def upgrade() -> None:
    op.create_table(
        "chores",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text()),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "place", name=op.f("pk_chores")),
    )
    op.execute(_MOVE)
    op.drop_column("presence", "due_at")
    op.drop_column("presence", "owner")


def downgrade() -> None:
    op.add_column("presence", sa.Column("owner", sa.Text()))
    op.add_column("presence", sa.Column("due_at", sa.BigInteger()))
    op.execute(_MOVE_BACK.format(held=_HELD))
    op.drop_table("chores")
