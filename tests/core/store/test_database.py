"""How functions are run as transactions."""

import asyncio
import os
import sqlite3
import stat
from typing import NamedTuple

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    select,
    text,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from core.errors import ConfigurationError, DatabaseError, DatabaseUnreachable
from core.session import Progress
from core.store import Database, connect, sqlite_files
from core.store.engine.prepared import Prepared
from core.store.engine.sql import alone, insert, notify


def add(connection: Connection, number: int) -> int:
    connection.execute(text("INSERT INTO numbers VALUES (:number)"), {"number": number})
    return number


def total(connection: Connection) -> int:
    return connection.execute(text("SELECT count(*) FROM numbers")).scalar_one()


def fail_after(connection: Connection, number: int) -> None:
    add(connection, number)
    raise LookupError(number)


@pytest.fixture
async def numbers(database: Database) -> Database:
    await database.write(lambda connection: connection.execute(text("CREATE TABLE numbers (number INTEGER)")) and None)
    return database


async def test_what_a_write_has_returned_every_read_sees(numbers: Database) -> None:
    for number in range(20):
        assert await numbers.write(add, number) == number

        assert await numbers.read(total) == number + 1


async def test_one_failing_function_takes_nobody_elses_work_back(numbers: Database) -> None:
    """Many functions share a commit on SQLite; each stands or falls alone."""
    jobs = [numbers.write(fail_after if number % 7 == 0 else add, number) for number in range(100)]

    results = await asyncio.gather(*jobs, return_exceptions=True)

    failed = [number for number, result in enumerate(results) if isinstance(result, LookupError)]
    assert failed == list(range(0, 100, 7))
    assert await numbers.read(total) == 100 - len(failed)


async def test_a_caller_that_gives_up_does_not_disturb_the_others(numbers: Database) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(numbers.write(add, number)) for number in range(50)]
        await asyncio.sleep(0)
        tasks[3].cancel()

    assert await numbers.read(total) >= 49


async def test_a_function_may_fail_in_part_and_go_on_where_it_says_so(numbers: Database) -> None:
    def try_twice(connection: Connection) -> int:
        try:
            with connection.begin_nested():
                add(connection, 1)
                connection.execute(text("SELECT * FROM nothing"))
        except SQLAlchemyError:
            add(connection, 2)
        return total(connection)

    assert await numbers.write(try_twice) == 1


async def test_a_function_that_swallows_an_error_is_not_said_to_have_been_committed_when_it_is_not(
    numbers: Database, dialect: str
) -> None:
    """To PostgreSQL the transaction is over, and its answer to COMMIT is a quiet ROLLBACK."""

    def swallow(connection: Connection) -> str:
        add(connection, 1)
        try:
            connection.execute(text("SELECT * FROM nothing"))
        except SQLAlchemyError:
            return "done"
        return "impossible"

    if dialect == "sqlite":
        assert await numbers.write(swallow) == "done"
        assert await numbers.read(total) == 1
    else:
        with pytest.raises(DatabaseError, match="went on"):
            await numbers.write(swallow)
        assert await numbers.read(total) == 0


async def test_the_drivers_words_hold_nothing_that_people_wrote(numbers: Database) -> None:
    wrong = Prepared(lambda dialect: insert(dialect, WORDS), tuple, columns=["id", "words"])

    tried = []

    def store(connection: Connection, **values: object) -> None:
        tried.append(values)
        wrong.run(connection, **values)

    unfit = [{"id": "quokka", "words": "quokka"}, {"id": 1, "words": {"quokka"}}, {"id": None, "words": "quokka"}]
    for values in unfit:
        with pytest.raises(DatabaseError) as raised:
            await numbers.write(store, **values)
        assert "quokka" not in str(raised.value)
        assert raised.value.__suppress_context__ or raised.value.__context__ is None
    assert tried == unfit, "what can't succeed is not tried again"


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_a_full_disk_fails_those_whose_work_was_not_stored_and_nobody_else(numbers: Database, url: str) -> None:
    """SQLite gives the whole transaction up: nobody in it is told that his work is stored, and nothing of it is."""

    def limit(connection: Connection, pages: int) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    def add_much(connection: Connection, number: int) -> int:
        connection.execute(text("INSERT INTO numbers VALUES (zeroblob(100000))"))
        return number

    await numbers.write(limit, await numbers.read(lambda c: c.execute(text("PRAGMA page_count")).scalar_one()) + 8)
    jobs = [numbers.write(add_much if number == 5 else add, number) for number in range(10)]

    results = await asyncio.gather(*jobs, return_exceptions=True)

    stored = [result for result in results if isinstance(result, int)]
    assert isinstance(results[5], DatabaseUnreachable)
    assert await numbers.read(total) == len(stored)
    await numbers.write(limit, 1_000_000)
    await numbers.write(add_much, 5)


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_a_writer_waits_for_another_process_to_end_its_transaction(numbers: Database, url: str) -> None:
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO numbers VALUES (1)")

    waiting = asyncio.create_task(numbers.write(add, 2))
    done, _ = await asyncio.wait([waiting], timeout=0.1)
    assert not done
    other.execute("COMMIT")
    other.close()

    assert await waiting == 2
    assert await numbers.read(total) == 2


WORDS = Table(
    "words",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("state", Integer, nullable=False, server_default="0"),
    Column("loud", Boolean, nullable=False, server_default=text("false")),
    Column("words", Text),
    Column("body", LargeBinary),
)


class Word(NamedTuple):
    """A row, as a prepared statement makes it."""

    id: int
    state: int
    loud: bool
    words: str | None
    body: bytes | None


STORE = Prepared(
    lambda dialect: insert(dialect, WORDS).on_conflict_do_nothing(), tuple, columns=[c.name for c in WORDS.columns]
)
FIND = Prepared(lambda _: select(WORDS).where(WORDS.c.id >= bindparam("least")).order_by(WORDS.c.id), Word)
SHOUT = Prepared(
    lambda _: (
        update(WORDS)
        .where(WORDS.c.id == bindparam("one"), WORDS.c.loud.is_(False))
        .values(loud=True, state=Progress.DONE)
    ),
    tuple,
)
RAISE = Prepared(
    lambda _: update(WORDS).values(state=WORDS.c.state + bindparam("by")).returning(WORDS.c.state, WORDS.c.loud),
    lambda state, loud: (state, loud),
)


@pytest.fixture
async def words(database: Database) -> Database:
    await database.write(WORDS.create)
    return database


async def test_a_prepared_statement_gives_and_takes_what_the_columns_hold(words: Database) -> None:
    one = {"id": 1, "state": Progress.STOPPED, "loud": True, "words": "héllo", "body": b"\x00\xff"}
    other = {"id": 2, "state": Progress.WAITING, "loud": False, "words": None, "body": None}

    assert await words.write(lambda connection: STORE.run(connection, **one)) == 1
    assert await words.write(lambda connection: STORE.run(connection, **one)) == 0
    assert await words.write(lambda connection: STORE.run(connection, **other)) == 1

    assert await words.read(FIND.all, least=1) == [
        Word(1, 3, True, "héllo", b"\x00\xff"),
        Word(2, 0, False, None, None),
    ]
    found = await words.read(FIND.first, least=2)
    assert found is not None
    assert found.loud is False
    assert await words.read(FIND.first, least=3) is None
    assert await words.write(SHOUT.run, one=2) == 1
    assert await words.write(SHOUT.run, one=2) == 0
    assert await words.write(RAISE.all, by=10) == [(13, True), (12, True)]


async def test_a_prepared_statement_refuses_what_it_does_not_know(words: Database) -> None:
    several = Prepared(lambda _: select(WORDS.c.id).where(WORDS.c.id.in_(bindparam("ids", expanding=True))), tuple)

    with pytest.raises(TypeError, match="least"):
        await words.read(FIND.all)
    with pytest.raises(TypeError, match="least"):
        await words.read(FIND.all, least=1, most=2)
    with pytest.raises(TypeError, match="IN over a parameter"):
        await words.read(several.all, ids=[1, 2])


async def test_a_failed_prepared_statement_takes_the_whole_function_back(words: Database) -> None:
    strict = Prepared(lambda _: WORDS.insert(), tuple, columns=["id"])

    def store_twice(connection: Connection) -> None:
        strict.run(connection, id=7)
        strict.run(connection, id=7)

    with pytest.raises(DatabaseError):
        await words.write(store_twice)

    assert await words.read(FIND.all, least=0) == []


async def test_a_function_that_runs_a_statement_alone_is_committed_like_any_other(words: Database, url: str) -> None:
    @alone
    def store(connection: Connection) -> int:
        return STORE.run(connection, id=1, state=0, loud=False, words="", body=b"")

    assert await words.write(store) == 1

    elsewhere = connect(url)
    assert await elsewhere.read(FIND.first, least=1) is not None
    await elsewhere.close()


async def test_a_hint_may_be_given_on_every_database(words: Database) -> None:
    await words.write(notify)


async def test_a_database_that_can_not_be_reached_is_said_so(tmp_path: object) -> None:
    database = connect(f"sqlite:///{tmp_path}/no/such/folder/file.db")

    with pytest.raises(DatabaseUnreachable, match="unable to open"):
        await database.write(total)

    await database.close()


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("nonsense", "sqlite:///FILE"),
        ("mysql://localhost/x", "postgresql://"),
        ("sqlite://", "sqlite:///FILE"),
        ("sqlite:///:memory:", "sqlite:///FILE"),
    ],
)
def test_a_wrong_url_is_refused_with_the_remedy(url: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=remedy):
        connect(url)


@pytest.mark.parametrize("listen_url", ["nonsense", "sqlite:///file.db"])
def test_a_wrong_url_for_listening_is_refused_by_its_name(listen_url: str) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_LISTEN_URL"):
        connect("postgresql://localhost/x", listen_url)


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_a_new_file_is_for_its_owner_alone(empty_url: str) -> None:
    """A2: people's words are in it, and in the two files beside it."""
    before = os.umask(0o022)
    try:
        database = connect(empty_url)
        await database.write(lambda connection: connection.execute(text("CREATE TABLE numbers (number INTEGER)")))
        modes = [stat.S_IMODE(file.stat().st_mode) for file in sqlite_files(empty_url)]
        await database.close()
    finally:
        os.umask(before)

    assert modes == [0o600] * 3
