"""What model servers turned out to be like, and a ledger of every call of theirs.

A process of the release before this one writes to neither: its calls are in `usage` alone, as before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "servers",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("manners", sa.Text(), nullable=False),
        sa.Column("learnt_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("server", "model", name="pk_servers"),
    )
    op.create_table(
        "calls",
        sa.Column("workspace", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("call", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("session", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text()),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("purpose", "model", "outcome")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("shown", "cached", "written", "reasoning")),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "call", name="pk_calls"),
    )


def downgrade() -> None:
    op.drop_table("calls")
    op.drop_table("servers")
