"""The migrations are the only way to a schema, and lead to the one that the code knows."""

import asyncio
import time
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

import migrations
from core.errors import DatabaseAhead
from core.schema import metadata
from core.seam.address import Address
from core.session import Kind, Progress, SessionKey, Validity
from core.store import connect, segments, timeouts


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
    led = {name for name, table in metadata.tables.items() if next(iter(table.primary_key)).name == "workspace"}

    assert metadata.tables.keys() - led == {"servers", "measures", "chores"}, (
        "they hold nobody's words, and are the deployment's"
    )


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


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_migration_that_waits_for_a_backup_holds_up_nobody_who_works(url: str) -> None:
    """pg_dump reads every table for as long as it takes; who asks to change one has all others wait behind it."""
    ours, backup, server = connect(url), await asyncpg.connect(url), connect(url, statement_seconds=None)
    await server.write(migrations.downgrade, "0031")
    await backup.execute("BEGIN")
    await backup.execute("LOCK TABLE deliveries IN ACCESS SHARE MODE")

    migrating = asyncio.create_task(server.write(migrations.upgrade))
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
    while not await ours.read(lambda connection: connection.execute(text(waiting)).scalar_one()):  # noqa: ASYNC110 – a server tells nobody
        await asyncio.sleep(0.01)
    begun = time.monotonic()
    await ours.read(lambda connection: connection.execute(text("SELECT count(*) FROM deliveries")).scalar_one())
    assert time.monotonic() - begun < 10
    assert not migrating.done(), "it tries again"
    await backup.execute("ROLLBACK")
    await migrating

    assert await ours.read(migrations.current) == migrations.newest()
    await backup.close()
    await ours.close()
    await server.close()


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_migration_may_take_longer_than_other_statements_of_its_role(url: str) -> None:
    """Hosts give a role a few seconds for each, and a large table takes longer."""
    database, server = connect(url, statement_seconds=None), await asyncpg.connect(url)
    await database.write(migrations.downgrade, "0032")
    await database.close()
    await server.execute(
        "CREATE FUNCTION nap() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.3); END';"
        "CREATE EVENT TRIGGER nap ON ddl_command_start EXECUTE FUNCTION nap()"
    )
    await server.execute(f"ALTER DATABASE {urlsplit(url).path[1:]} SET statement_timeout = '200ms'")
    database = connect(url, statement_seconds=None)

    await database.write(migrations.upgrade)

    assert await database.read(migrations.current) == migrations.newest()
    await server.close()
    await database.close()


def test_the_files_of_the_migrations_begin_with_their_revisions() -> None:
    """So that a start can tell whether there is anything to migrate without loading Alembic."""
    script = ScriptDirectory(str(Path(migrations.__file__).parent))

    assert script.get_current_head() == migrations.newest()
    assert all(Path(one.path).name.startswith(f"{one.revision}_") for one in script.walk_revisions())


_OLD_SESSIONS = """
INSERT INTO sessions (workspace, session, address, platform, channel, tail, waiting, heard, epoch, start, fence,
    attempts, touched_at)
VALUES (1, 1, 'console:local:main', 'console', 'console:local:main', 2, 1, true, 0, -2147483648, 3, 1, 9),
    (1, 2, 'console:local:main:side', 'console', 'console:local:main', 8, 0, true, 2, 6, 3, 1, 9)
"""
_OLD_EPOCHS = """
INSERT INTO epochs (workspace, session, epoch, parent, parent_start, opened_at)
VALUES (1, 2, 1, 0, -2147483648, 10), (1, 2, 2, 1, 3, 11)
"""
_OLD_TURN = """
INSERT INTO turns (workspace, session, seq, role, state, at, tokens, message, body)
VALUES (1, 1, :seq, 0, :state, 7, 5, :message, :body)
"""
_OLD_DELIVERY = """
INSERT INTO deliveries (workspace, session, seq, part, state, tries, message, draft, body)
VALUES (1, 1, 1, :part, :state, 1, :message, :draft, :body)
"""


def old_rows(connection: Connection) -> None:
    connection.execute(text(_OLD_SESSIONS))
    connection.execute(text(_OLD_EPOCHS))
    for seq in (1, 2):
        connection.execute(text(_OLD_TURN), {"seq": seq, "state": 2 - seq, "message": f"m{seq}", "body": b"\x00words"})
    for part, message in ((0, "shown"), (1, None)):
        row = {"part": part, "state": 3 - part, "message": message, "draft": None, "body": message and b"\xffsaid"}
        connection.execute(text(_OLD_DELIVERY), row)


def rows(connection: Connection) -> list[tuple[object, ...]]:
    """What there is, at any revision; one of its columns has had two names."""
    known = {column["name"] for column in inspect(connection).get_columns("sessions")}
    view = "segment" if "segment" in known else "epoch"
    columns = {
        "sessions": f"address, tail, waiting, {view}, start, fence, attempts",
        "turns": "seq, message, body",
        "deliveries": "seq, part, state, tries, message, draft, error, body",
    }
    return [
        tuple(row)
        for table, names in columns.items()
        for row in connection.execute(text(f"SELECT {names} FROM {table} ORDER BY 1, 2"))
    ]


def states(connection: Connection) -> list[int]:
    return list(connection.execute(text("SELECT state FROM turns ORDER BY seq")).scalars())


_NOTICE = "UPDATE turns SET notice = 'warning 1', verb = 'notice', slip = '{}' WHERE seq = 2"
_UNSENT = "INSERT INTO deliveries (workspace, session, seq, part, state, tries) VALUES (1, 1, 2, 0, 1, 0)"


async def test_a_notice_that_waits_is_let_go_on_the_way_down(empty_url: str) -> None:
    """The release before does not know what it is, and would call it an unknown command."""

    def told(connection: Connection) -> None:
        for statement in (_NOTICE, _UNSENT):
            connection.execute(text(statement))

    database = connect(empty_url)
    await database.write(migrations.upgrade, "0001")
    await database.write(old_rows)
    await database.write(migrations.upgrade)
    session, *others = await database.read(rows)
    await database.write(told)

    await database.write(migrations.downgrade, "0009")

    assert session == ("console:local:main", 2, 1, 0, -(2**31), 3, 1)
    assert await database.read(rows) == [("console:local:main", 2, 0, 0, -(2**31), 3, 1), *others]
    assert await database.read(states) == [1, 2]
    await database.close()


def epochs(connection: Connection) -> list[tuple[int, ...]]:
    return [tuple(row) for row in connection.execute(text("SELECT * FROM epochs ORDER BY session, epoch"))]


async def test_resets_become_segments_and_those_that_stand_become_epochs_again(empty_url: str) -> None:
    side = SessionKey(workspace=1, session=2, address=Address.parse("console:local:main:side"))
    database = connect(empty_url)
    await database.write(migrations.upgrade, "0010")
    await database.write(old_rows)
    before = await database.read(epochs)

    await database.write(migrations.upgrade)
    for seq, undone in ((7, "reset"), (8, "reset"), (9, "undo")):
        assert await database.write(segments.undo, side, seq) == undone
    await database.write(segments.reset, side, 10)
    await database.write(migrations.downgrade, "0010")

    assert [(epoch, start) for _, _, epoch, _, start, _ in await database.read(epochs)] == [(1, -(2**31)), (2, 3)]
    assert (await database.read(epochs))[0] == before[0]
    assert (await database.read(rows))[1] == ("console:local:main:side", 8, 0, 2, 10, 3, 1)
    await database.close()


async def test_a_time_out_becomes_an_undo_of_nothing_that_the_release_before_passes_over(empty_url: str) -> None:
    side = SessionKey(workspace=1, session=2, address=Address.parse("console:local:main:side"))
    database = connect(empty_url)
    await database.write(migrations.upgrade, "0010")
    await database.write(old_rows)
    await database.write(migrations.upgrade, "0018")
    await database.write(lambda connection: connection.execute(text(_TALKED)) and None)

    await database.write(migrations.upgrade)
    (one,) = await database.read(timeouts.present, "console", after=timeouts.FIRST, most=9)
    assert (one.key, one.since, one.spoken_at) == (side, 7, 9), "as if its present had begun with its life"
    assert await database.write(timeouts.time_out, [one]) == [one]
    await database.write(migrations.downgrade, "0018")

    def moves(connection: Connection) -> list[tuple[object, ...]]:
        return [
            tuple(row) for row in connection.execute(text("SELECT kind, start, back_to FROM segments ORDER BY number"))
        ]

    assert await database.read(moves) == [("reset", 3, None), ("reset", 6, None), ("undo", 6, 2)]
    assert (await database.read(rows))[1] == ("console:local:main:side", 8, 0, 3, 6, 3, 1)
    await database.write(migrations.upgrade)
    assert await database.write(segments.undo, side, 9) == "reset"
    await database.close()


_TALKED = "UPDATE sessions SET live_since = 7999 WHERE session = 2"

_STATES = """
INSERT INTO turns (workspace, session, seq, role, state, at, tokens, author, verb, notice, covers, follows,
    body)
VALUES (1, 3, :seq, :role, :state, 7, 5, :author, :verb, :notice, :covers, :follows, :body)
"""
_TURNS = [
    # what it was, by its old number; and what it is
    ({"state": 0, "author": "U"}, (0, 0, 0)),
    ({"state": 0, "author": "U", "verb": "reset"}, (2, 0, 0)),
    ({"state": 0, "verb": "notice", "notice": "idle 1"}, (5, 0, 0)),
    ({"state": 1, "author": "U"}, (0, 1, 0)),
    ({"state": 2, "author": "U"}, (0, 2, 0)),
    ({"state": 2, "author": "U", "verb": "reset"}, (2, 2, 0)),
    ({"state": 2, "role": 1}, (3, 2, 0)),
    ({"state": 2, "role": 1, "covers": 1}, (4, 2, 0)),
    ({"state": 3, "author": "U", "follows": 2}, (1, 2, 0)),
    ({"state": 3, "author": "B", "role": 1}, (1, 2, 0)),
    ({"state": 4, "role": 1}, (3, 3, 0)),
    ({"state": 5, "author": "U"}, (0, 4, 0)),
    ({"state": 6, "role": 1, "covers": 1}, (4, 2, 2)),
    ({"state": 7}, (0, 2, 3)),
    ({"state": 7, "role": 1}, (3, 2, 3)),
    ({"state": 8, "author": "U"}, (0, 5, 0)),
    ({"state": 8, "author": "U", "follows": 2}, (1, 5, 0)),
]


async def test_what_a_turn_was_by_one_number_it_is_by_three_and_back(empty_url: str) -> None:
    nothing = dict.fromkeys(("author", "verb", "notice", "covers", "follows"))
    old = [{**nothing, "role": 0, **was} for was, _ in _TURNS]

    def store(connection: Connection) -> None:
        connection.execute(text(_STATES), [{"seq": seq, "body": b"x", **one} for seq, one in enumerate(old, 1)])

    def read(connection: Connection, columns: str) -> list[tuple[int, ...]]:
        return [tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM turns ORDER BY seq"))]

    database = connect(empty_url)
    await database.write(migrations.upgrade, "0011")
    await database.write(store)

    await database.write(migrations.upgrade, "0012")
    assert await database.read(read, "kind, progress, validity") == [now for _, now in _TURNS]
    assert {(Kind(kind), Progress(far), Validity(valid)) for _, (kind, far, valid) in _TURNS}, "numbers that we know"
    await database.write(migrations.downgrade, "0011")

    assert await database.read(read, "state") == [(was["state"],) for was, _ in _TURNS]
    await database.close()


_CATCHING_UP = """
INSERT INTO presence (workspace, heard_at, owner, due_at) VALUES (7, 5, 'host:1', 99), (8, 6, NULL, NULL)
"""
_HEARD = "INSERT INTO workspaces (workspace, platform, name, sessions) VALUES (7, 'slack', '', 0), (8, 'line', '', 0)"


async def test_who_is_catching_up_stays_at_it_both_ways(empty_url: str) -> None:
    def store(connection: Connection) -> None:
        for statement in (_HEARD, _CATCHING_UP):
            connection.execute(text(statement))

    def read(connection: Connection, table: str) -> list[tuple[object, ...]]:
        return [tuple(row) for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY 1"))]

    database = connect(empty_url)
    await database.write(migrations.upgrade, "0014")
    await database.write(store)
    before = await database.read(read, "presence")

    await database.write(migrations.upgrade, "0015")
    assert await database.read(read, "chores") == [("catching up", "slack", "host:1", 99)]
    assert await database.read(read, "presence") == [(7, 5), (8, 6)]
    await database.write(migrations.downgrade, "0014")

    assert await database.read(read, "presence") == before
    await database.close()


_CALL = """
INSERT INTO calls (workspace, call, session, seq, at, purpose, model, outcome, shown, cached, written, reasoning,
    estimated)
VALUES (1, 7, 2, 3, 4, 'answer', 'm', 'answered', 100, 50, 20, 5, false)
"""


async def test_a_call_of_an_older_release_has_written_to_no_cache(empty_url: str) -> None:
    def read(connection: Connection, columns: str) -> tuple[int, ...]:
        return tuple(connection.execute(text(f"SELECT {columns} FROM calls")).one())

    def store(connection: Connection) -> None:
        connection.execute(text(_CALL))

    database = connect(empty_url)
    await database.write(migrations.upgrade, "0017")
    await database.write(store)

    await database.write(migrations.upgrade, "0018")
    assert await database.read(read, "shown, cached, cache_written, written") == (100, 50, 0, 20)
    await database.write(migrations.downgrade, "0017")

    assert await database.read(read, "shown, cached, written") == (100, 50, 20)
    await database.close()


_ANSWER = """
INSERT INTO turns (workspace, session, seq, role, kind, progress, validity, at, tokens, shown_seqs, body)
VALUES (1, 1, 7, 1, 3, 2, 0, 9, 5, '1..6', :body)
"""


async def test_what_an_older_release_has_answered_is_known_without_its_parts(empty_url: str) -> None:
    def read(connection: Connection, columns: str) -> tuple[object, ...]:
        return tuple(connection.execute(text(f"SELECT {columns} FROM turns")).one())

    database = connect(empty_url)
    await database.write(migrations.upgrade, "0020")
    await database.write(lambda connection: connection.execute(text(_ANSWER), {"body": b"Yes."}) and None)

    await database.write(migrations.upgrade, "0021")
    assert await database.read(read, "seq, shown_seqs, shown_parts, body") == (7, "1..6", None, b"Yes.")
    parts = text("UPDATE turns SET shown_parts = 'turns=950'")
    await database.write(lambda connection: connection.execute(parts) and None)
    await database.write(migrations.downgrade, "0020")

    assert await database.read(read, "seq, shown_seqs, body") == (7, "1..6", b"Yes.")
    await database.write(migrations.upgrade)
    assert await database.read(read, "seq, shown_parts") == (7, None)
    await database.close()


_OLD_PLACES = """
INSERT INTO sessions (workspace, session, address, platform, channel, tail, waiting, backscroll_read, segment, start,
    fence, attempts, touched_at)
VALUES (1, 1, 'console:local:main', 'console', 'console:local:main', 2, 0, true, 0, 0, 3, 0, 9),
    (1, 2, 'console:local:main:side', 'console', 'console:local:main', 8, 0, true, 0, 0, 3, 0, 9)
"""
_OLD_CALL = """
INSERT INTO calls (workspace, call, session, seq, at, author, purpose, model, outcome, shown, cached, cache_written,
    written, reasoning, estimated)
VALUES (1, :call, :session, 1, :at, :author, 'answer', 'm', 'answered', 10, 2, 3, 4, 0, false)
"""


async def test_what_was_spent_before_is_known_by_day_channel_and_person(empty_url: str) -> None:
    database, day = connect(empty_url), 86_400_000

    def old_calls(connection: Connection) -> None:
        connection.execute(text(_OLD_PLACES))
        told = [(1, 1, "U1"), (2, 2, "U1"), (3, 1, None), (4, 9, "U1")]  # the last is of a session that is gone
        for call, session, author in told:
            at = 20_000 * day + call
            connection.execute(text(_OLD_CALL), {"call": call, "session": session, "at": at, "author": author})

    def spent(connection: Connection) -> list[tuple[object, ...]]:
        columns = "day, channel, author, model, above, calls, shown, cached, cache_written, written"
        return [tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM spent ORDER BY author"))]

    await database.write(migrations.upgrade, "0023")
    await database.write(old_calls)
    await database.write(migrations.upgrade)
    assert await database.read(spent) == [
        (20_000, "console:local:main", "", "m", 0, 1, 10, 2, 3, 4),
        (20_000, "console:local:main", "U1", "m", 0, 2, 20, 4, 6, 8),
    ]
    await database.close()


_SHIFT = "INSERT INTO chores (name, place, owner, due_at) VALUES (:name, :place, :owner, 7)"


async def test_what_old_shifts_have_left_goes_and_what_is_being_done_stays(empty_url: str) -> None:
    left = [{"name": "folding", "place": f"1/{number}", "owner": None} for number in range(3)]
    stays = [
        {"name": "folding", "place": "1/9", "owner": "host:1"},
        {"name": "catching up", "place": "slack", "owner": None},
    ]

    def places(connection: Connection) -> list[str]:
        return list(connection.execute(text("SELECT place FROM chores ORDER BY place")).scalars())

    database = connect(empty_url)
    await database.write(migrations.upgrade, "0024")
    await database.write(lambda connection: connection.execute(text(_SHIFT), [*left, *stays]) and None)

    await database.write(migrations.upgrade, "0025")
    assert await database.read(places) == ["1/9", "slack"]
    await database.write(migrations.downgrade, "0024")
    assert await database.read(places) == ["1/9", "slack"]
    await database.close()


async def test_on_sqlite_the_outbox_is_kept_in_the_order_of_its_key(empty_url: str, dialect: str) -> None:
    """The room of a text that has arrived is used again, which nothing that is only appended to does."""
    if dialect == "postgresql":
        pytest.skip("its tables have no order")
    database = connect(empty_url)
    await database.write(migrations.upgrade)

    words = text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'deliveries'")
    assert "WITHOUT ROWID" in await database.read(lambda connection: connection.execute(words).scalar_one())
    await database.close()


_ARRIVED = """
INSERT INTO deliveries (workspace, session, seq, part, state, tries, message)
VALUES (1, 1, 4, 0, 3, 2, 'p1'), (1, 1, 4, 1, 3, 1, 'p2'), (1, 1, 5, 0, 3, 1, 'p3')
"""
_AWAY = "INSERT INTO parts (workspace, session, seq, part, message) VALUES (1, 1, 4, 0, 'p1'), (1, 1, 4, 1, 'p2')"


async def test_what_an_answer_has_become_is_kept_both_ways(empty_url: str) -> None:
    def execute(connection: Connection, *statements: str) -> None:
        for statement in statements:
            connection.execute(text(statement))

    def read(connection: Connection) -> list[tuple[object, ...]]:
        columns = "seq, part, state, message, body, due_at"
        return [tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM deliveries ORDER BY 1, 2"))]

    database = connect(empty_url)
    await database.write(migrations.upgrade, "0031")
    await database.write(execute, _ARRIVED)
    before = await database.read(read)

    await database.write(migrations.upgrade, "0032")
    assert await database.read(read) == before
    await database.write(execute, "DELETE FROM deliveries WHERE seq = 4", _AWAY)
    await database.write(migrations.downgrade, "0031")

    assert await database.read(read) == before
    await database.close()
