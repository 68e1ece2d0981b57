"""What several processes tell each other, what people change, and what is looked at again later.

What each column means stands in `core/schema/`. The release before this one runs on these tables as well, so that
replicas can be replaced one after the other.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NEWS, _DUE = sa.text("news OR stop IS NOT NULL"), sa.text("due_at IS NOT NULL")
_WRONG = sa.text("error IS NOT NULL")
_PLACE = ["workspace", "session", "seq"]


def upgrade() -> None:
    _rebuild_deliveries(with_rowid=False)
    op.add_column("sessions", sa.Column("news", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("sessions", sa.Column("stop", sa.Integer(), nullable=True))
    op.create_index(
        "ix_sessions_news", "sessions", ["workspace", "session"], postgresql_where=_NEWS, sqlite_where=_NEWS
    )
    op.add_column("turns", sa.Column("edited_at", sa.BigInteger(), nullable=True))
    op.add_column("turns", sa.Column("covers", sa.Integer(), nullable=True))
    op.create_index("ix_turns_dead", "turns", _PLACE, postgresql_where=_WRONG, sqlite_where=_WRONG)
    op.create_index("ix_deliveries_failed", "deliveries", _PLACE, postgresql_where=_WRONG, sqlite_where=_WRONG)
    op.add_column("deliveries", sa.Column("due_at", sa.BigInteger(), nullable=True))
    op.create_index("ix_deliveries_due_at", "deliveries", ["due_at"], postgresql_where=_DUE, sqlite_where=_DUE)
    op.create_table(
        "presence",
        sa.Column("workspace", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("workspace", name=op.f("pk_presence")),
    )


def downgrade() -> None:
    op.drop_table("presence")
    op.drop_index("ix_deliveries_due_at", table_name="deliveries")
    op.drop_column("deliveries", "due_at")
    op.drop_index("ix_deliveries_failed", table_name="deliveries")
    op.drop_index("ix_turns_dead", table_name="turns")
    op.drop_column("turns", "covers")
    op.drop_column("turns", "edited_at")
    op.drop_index("ix_sessions_news", table_name="sessions")
    op.drop_column("sessions", "stop")
    op.drop_column("sessions", "news")
    _rebuild_deliveries(with_rowid=True)


def _rebuild_deliveries(*, with_rowid: bool) -> None:
    """SQLite alone: a table kept in the order of its key uses the room again that a text leaves when it has arrived."""
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table("deliveries", recreate="always", table_kwargs={"sqlite_with_rowid": with_rowid}):
            pass
