"""What calls cost is summed by day, channel, person and model, and held before a call where there is a budget.

What the ledger knows is taken over, its days by UTC and at the price of a request that is not long.
A process of the release before this one answers on; it holds nothing, and what it spends counts towards no budget, so
end it soon. `usage` is written no more.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_SUMS = ("calls", "shown", "cached", "cache_written", "written")

_FILL = """
INSERT INTO spent (workspace, day, channel, author, model, above, calls, shown, cached, cache_written, written)
SELECT c.workspace, c.at / 86400000, s.channel, coalesce(c.author, ''), c.model, 0,
       count(*), sum(c.shown), sum(c.cached), sum(c.cache_written), sum(c.written)
FROM calls AS c JOIN sessions AS s ON s.workspace = c.workspace AND s.session = c.session
GROUP BY 1, 2, 3, 4, 5
"""


def upgrade() -> None:
    op.create_table(
        "spent",
        *(sa.Column(name, sa.Integer(), autoincrement=False, nullable=False) for name in ("workspace", "day")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("channel", "author", "model")),
        sa.Column("above", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _SUMS),
        sa.PrimaryKeyConstraint("workspace", "day", "channel", "author", "model", "above", name="pk_spent"),
    )
    op.create_table(
        "holds",
        sa.Column("workspace", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hold", sa.BigInteger(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("channel", "author", "model")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("shown", "written")),
        sa.Column("held_at", sa.BigInteger(), nullable=False),
        sa.Column("session", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "hold", name="pk_holds"),
    )
    op.create_table(
        "warned",
        sa.Column("workspace", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("channel", "author", "cap")),
        sa.Column("since", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "channel", "author", "cap", name="pk_warned"),
    )
    op.execute(_FILL)


def downgrade() -> None:
    for name in ("warned", "holds", "spent"):
        op.drop_table(name)
