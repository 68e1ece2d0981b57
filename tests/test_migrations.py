"""The migrations are the only way to a schema, and lead to the one that the code knows."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect

import migrations
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
