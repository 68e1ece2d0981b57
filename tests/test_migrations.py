"""The migrations are the only way to a schema, and lead to the one that the code knows."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

import migrations
from core.errors import DatabaseAhead
from core.schema import metadata
from core.store import connect


def differences(connection: Connection) -> object:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return compare_metadata(context, metadata)


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


async def test_up_down_and_up_again_ends_at_the_tables_that_the_code_knows(empty_url: str) -> None:
    database = connect(empty_url)

    await database.write(migrations.upgrade)
    assert await database.read(differences) == []
    await database.write(migrations.downgrade, "base")
    assert await database.read(tables) == set()
    await database.write(migrations.upgrade)

    assert await database.read(differences) == []
    assert await database.read(migrations.current) == migrations.newest()
    await database.close()


async def test_an_upgrade_of_the_newest_schema_changes_nothing(empty_url: str) -> None:
    database = connect(empty_url)
    await database.write(migrations.upgrade)

    await database.write(migrations.upgrade)

    assert await database.read(differences) == []
    await database.close()


async def test_the_workspace_leads_every_key() -> None:
    for table in metadata.tables.values():
        assert next(iter(table.primary_key.columns)).name == "workspace", table.name


async def test_a_database_that_a_newer_release_has_migrated_is_refused_and_left_alone(empty_url: str) -> None:
    database = connect(empty_url)
    await database.write(migrations.upgrade)

    def leap(connection: Connection) -> None:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    await database.write(leap)

    with pytest.raises(DatabaseAhead, match="newer release"):
        await database.write(migrations.upgrade)

    with pytest.raises(DatabaseAhead, match="9999"):
        await database.read(migrations.current)
    await database.close()


def test_the_files_of_the_migrations_begin_with_their_revisions() -> None:
    """So that a start can tell whether there is anything to migrate without loading Alembic."""
    script = ScriptDirectory(str(Path(migrations.__file__).parent))

    assert script.get_current_head() == migrations.newest()
    assert all(Path(one.path).name.startswith(f"{one.revision}_") for one in script.walk_revisions())
