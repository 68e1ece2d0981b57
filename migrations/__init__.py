"""The schema, step by step: the only way to a database's tables, and the only place that knows Alembic.

Every function takes a `Connection` and is run as one transaction, so that a migration happens as a whole or not at all.
Alembic is only loaded where there is something to migrate: it is a good part of what a start takes.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from core.errors import DatabaseAhead

if TYPE_CHECKING:
    from alembic.config import Config

_HERE = Path(__file__).parent


def newest() -> str:
    """The revision that this program needs."""
    return max(_revisions())


def current(connection: Connection) -> str | None:
    """The revision that the database has; None for an empty one. Raises DatabaseAhead."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if revision is not None and revision not in _revisions():
        raise DatabaseAhead(f"its schema is at {revision}, which only a newer release of Backscroll knows")
    return revision


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Brings the database to a revision, the newest by default. Raises DatabaseAhead."""
    if current(connection) == (newest() if revision == "head" else revision):
        return
    from alembic import command

    command.upgrade(_config(connection), revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Takes the database back to a revision; `base` is an empty one."""
    from alembic import command

    command.downgrade(_config(connection), revision)


def _revisions() -> set[str]:
    """The revisions by the names of their files, which begin with them."""
    return {file.stem.partition("_")[0] for file in (_HERE / "versions").glob("[0-9]*.py")}


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
