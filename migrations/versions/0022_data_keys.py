"""The keys by which bodies are sealed, each wrapped by a key of the operator's; without any, bodies are in the clear.

A process of the release before this one knows nothing of sealed bodies: end all of those before a key is configured.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "data_keys",
        *(sa.Column(name, sa.Integer(), autoincrement=False, nullable=False) for name in ("workspace", "number")),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("ring", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "number", name="pk_data_keys"),
    )
    op.create_index("ix_data_keys_workspace_author", "data_keys", ["workspace", "author", "number"])
    op.create_index("ix_data_keys_changed_at", "data_keys", ["changed_at"])


def downgrade() -> None:
    op.drop_table("data_keys")
