"""The first tables: workspaces, sessions, epochs, turns, deliveries, usage and rejections.

What each column means stands in `core/schema/`. There is no older release that could still be running.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deliveries",
        sa.Column("workspace", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("session", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("part", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("tries", sa.SmallInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("draft", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("workspace", "session", "seq", "part", name=op.f("pk_deliveries")),
    )
    op.create_table(
        "epochs",
        sa.Column("workspace", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("session", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("parent", sa.Integer(), nullable=False),
        sa.Column("parent_start", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "session", "epoch", name=op.f("pk_epochs")),
    )
    op.create_table(
        "rejections",
        sa.Column("workspace", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rejected_at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "id", name=op.f("pk_rejections")),
    )
    op.create_table(
        "sessions",
        sa.Column("workspace", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("session", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("tail", sa.Integer(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("live_since", sa.BigInteger(), nullable=True),
        sa.Column("heard", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("touched_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "session", name=op.f("pk_sessions")),
        sa.UniqueConstraint("workspace", "address", name=op.f("uq_sessions_workspace_address")),
    )
    op.create_index(
        "ix_sessions_due_at",
        "sessions",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
        sqlite_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_sessions_workspace_channel_touched_at", "sessions", ["workspace", "channel", "touched_at"], unique=False
    )

    op.create_table(
        "turns",
        sa.Column("workspace", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("session", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("role", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("author", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("verb", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("envelope", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "session", "seq", "role", name=op.f("pk_turns")),
    )
    op.create_index(
        "ix_turns_waiting",
        "turns",
        ["workspace", "session", "at", "seq"],
        unique=False,
        postgresql_where=sa.text("state < 2"),
        sqlite_where=sa.text("state < 2"),
    )
    op.create_index(
        "uq_turns_message",
        "turns",
        ["workspace", "session", "message"],
        unique=True,
        postgresql_where=sa.text("message IS NOT NULL"),
        sqlite_where=sa.text("message IS NOT NULL"),
    )

    op.create_table(
        "usage",
        sa.Column("workspace", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("answers", sa.BigInteger(), nullable=False),
        sa.Column("shown", sa.BigInteger(), nullable=False),
        sa.Column("cached", sa.BigInteger(), nullable=False),
        sa.Column("written", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "day", "author", "model", name=op.f("pk_usage")),
    )
    op.create_table(
        "workspaces",
        sa.Column("workspace", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sessions", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", name=op.f("pk_workspaces")),
        sa.UniqueConstraint("platform", "name", name=op.f("uq_workspaces_platform_name")),
    )


def downgrade() -> None:
    op.drop_table("workspaces")
    op.drop_table("usage")
    op.drop_index(
        "uq_turns_message",
        "turns",
        postgresql_where=sa.text("message IS NOT NULL"),
        sqlite_where=sa.text("message IS NOT NULL"),
    )
    op.drop_index("ix_turns_waiting", "turns", postgresql_where=sa.text("state < 2"), sqlite_where=sa.text("state < 2"))

    op.drop_table("turns")
    op.drop_index("ix_sessions_workspace_channel_touched_at", "sessions")
    op.drop_index(
        "ix_sessions_due_at",
        "sessions",
        postgresql_where=sa.text("due_at IS NOT NULL"),
        sqlite_where=sa.text("due_at IS NOT NULL"),
    )

    op.drop_table("sessions")
    op.drop_table("rejections")
    op.drop_table("epochs")
    op.drop_table("deliveries")
