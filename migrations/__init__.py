"""The schema, step by step: the only way to a database's tables, and the only place that knows Alembic.

Every function takes a `Connection` and is run as one transaction, so that a migration happens as a whole or not at all.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from core.errors import DatabaseAhead


def newest() -> str:
    """The revision that this program needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None, "there is at least one migration"  # noqa: S101 – a fact about this folder, not about input
    return head


def current(connection: Connection) -> str | None:
    """The revision that the database has; None for an empty one. Raises DatabaseAhead."""
    revision = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise DatabaseAhead(f"its schema is at {revision}, which only a newer release of Backscroll knows")
    return revision


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Brings the database to a revision, the newest by default. Raises DatabaseAhead."""
    current(connection)
    command.upgrade(_config(connection), revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Takes the database back to a revision; `base` is an empty one."""
    command.downgrade(_config(connection), revision)


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
