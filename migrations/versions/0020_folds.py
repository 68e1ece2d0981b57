"""Which sessions are due to be folded is stored, and from when until when a checkpoint tells.

A process of the release before this one answers on, from turns alone, and marks no session as due. An edit or a
deletion that reaches it makes no checkpoint stale, so end it before anything is folded.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_TIMES = ("since", "until")


def upgrade() -> None:
    for name in _TIMES:
        op.add_column("checkpoints", sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    op.create_table(
        "folds",
        *(sa.Column(name, sa.Integer(), autoincrement=False, nullable=False) for name in ("workspace", "session")),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "session", name="pk_folds"),
    )
    op.create_index("ix_folds_due_at", "folds", ["due_at"])


def downgrade() -> None:
    op.drop_table("folds")
    for name in reversed(_TIMES):
        op.drop_column("checkpoints", name)
