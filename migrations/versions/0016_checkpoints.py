"""Texts in place of folded turns are stored, and turns count how often their words have changed.

A process of the release before this one answers on, from turns alone. An edit or a deletion that reaches it makes no
checkpoint stale, so end it before anything is folded.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_KEY = ("workspace", "session", "number")


def upgrade() -> None:
    op.create_table(
        "checkpoints",
        *(sa.Column(name, sa.Integer(), autoincrement=False, nullable=False) for name in _KEY),
        *(sa.Column(name, sa.SmallInteger(), nullable=False) for name in ("kind", "level")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("first", "last", "tokens")),
        sa.Column("validity", sa.SmallInteger(), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(*_KEY, name="pk_checkpoints"),
    )
    op.create_index(
        "ix_checkpoints_validity_kind_last", "checkpoints", ["workspace", "session", "validity", "kind", "last"]
    )
    op.add_column("turns", sa.Column("changes", sa.SmallInteger()))


def downgrade() -> None:
    op.drop_column("turns", "changes")
    op.drop_table("checkpoints")
