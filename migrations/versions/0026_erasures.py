"""What is to be forgotten is a row, worked off in small steps that go on after a crash.

A process of the release before this one knows nothing of it, and may store an answer that was begun before something
was forgotten: end it before anybody asks for that.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column("workspace", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("scope", "subject")),
        sa.Column("before", sa.BigInteger()),
        sa.Column("session", sa.Integer()),
        sa.Column("seq", sa.Integer()),
        sa.Column("author", sa.Text()),
        sa.Column("last_key", sa.Integer()),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("done_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("workspace", "scope", "subject", name="pk_erasures"),
    )


def downgrade() -> None:
    op.drop_table("erasures")
