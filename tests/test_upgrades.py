"""What the first release has stored comes through every migration, up and back down, as it was."""

import ast
import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, MetaData, Table, insert, select, text

import migrations
from core.store import connect
from tests.bots.program.test_cli import backscroll

FIRST = "0001"
VERSIONS = sorted((Path(migrations.__file__).parent / "versions").glob("[0-9]*.py"))
REVISIONS = [path.name.partition("_")[0] for path in VERSIONS]

WAITING, ANSWERED, DONE, HEARD, STOPPED, SKIPPED = range(6)
READY, SENDING, SENT, FAILED = range(1, 5)
PERSON, ASSISTANT = range(2)
EVERYTHING = -(2**31)

Row = dict[str, object]


def session(number: int, place: str, **facts: object) -> Row:
    row: Row = {"workspace": 1, "session": number, "address": place, "platform": "slack", "channel": "slack:T1:C1"}
    row |= {"tail": 9, "waiting": 0, "heard": True, "epoch": 0, "start": EVERYTHING, "fence": 3, "attempts": 0}
    return row | {"touched_at": 9} | facts


def turn(seq: int, state: int, **facts: object) -> Row:
    """A person's message, unless the facts say otherwise."""
    said = {"message": f"m{seq}", "author": "U1", "name": "Ada"} if facts.get("role") != ASSISTANT else {}
    row: Row = {"workspace": 1, "session": 1, "seq": seq, "role": PERSON, "state": state, "at": seq, "tokens": 5}
    return row | said | {"body": b"\x00words\xff"} | facts


def delivery(seq: int, part: int, state: int, **facts: object) -> Row:
    return {"workspace": 1, "session": 1, "seq": seq, "part": part, "state": state, "tries": 1} | facts


STORED: dict[str, list[Row]] = {
    "workspaces": [
        {"workspace": 1, "platform": "slack", "name": "T1", "sessions": 3},
        {"workspace": 2, "platform": "slack", "name": "", "sessions": 0},
    ],
    "sessions": [
        session(1, "slack:T1:C1:1.0", waiting=2, live_since=1, owner="host:1", due_at=99, attempts=2),
        session(2, "slack:T1:C1:2.0", epoch=2, start=6, live_since=2),
        session(3, "slack:T1:C1", heard=False),
    ],
    "epochs": [
        {"workspace": 1, "session": 2, "epoch": 1, "parent": 0, "parent_start": EVERYTHING, "opened_at": 10},
        {"workspace": 1, "session": 2, "epoch": 2, "parent": 1, "parent_start": 3, "opened_at": 11},
    ],
    "turns": [
        turn(1, DONE),
        turn(1, DONE, role=ASSISTANT, model="m-1"),
        turn(2, DONE, verb="reset"),
        turn(2, DONE, role=ASSISTANT),
        turn(3, HEARD),
        turn(4, DONE, error="not delivered: the thread is locked", envelope="{}"),
        turn(5, DONE),
        turn(5, STOPPED, role=ASSISTANT, model="m-1"),
        turn(6, SKIPPED),
        turn(7, ANSWERED, envelope="{}"),
        turn(7, DONE, role=ASSISTANT, model="m-1"),
        turn(8, WAITING, envelope='{"direct": true}', error="ModelStalled: nothing came"),
        turn(9, WAITING, verb="summarize", envelope="{}"),
        turn(-1, HEARD, name=None),
        turn(-2, HEARD, role=ASSISTANT, message="m-2", author="B1"),
        turn(1, DONE, session=2),
    ],
    "deliveries": [
        delivery(1, 0, SENT, message="p1"),
        delivery(4, 0, FAILED, error="the thread is locked"),
        delivery(7, 0, SENDING, tries=2, draft='{"id": "p2"}', body=b"first"),
        delivery(7, 1, READY, tries=0, body=b"second"),
        delivery(8, 0, 0, draft='{"id": "p3"}'),
    ],
    "usage": [
        {
            "workspace": 1,
            "day": 20_000,
            "author": "U1",
            "model": "m-1",
            "answers": 2,
            "shown": 9,
            "cached": 1,
            "written": 3,
        }
    ],
    "rejections": [{"workspace": 2, "id": "E1", "reason": "KeyError", "rejected_at": 7, "body": b"{}"}],
}
"""A row of every kind that the first release knew."""


def tables(connection: Connection) -> Iterator[Table]:
    found = MetaData()
    found.reflect(connection)
    return (table for table in found.sorted_tables if table.name != "alembic_version")


def store(connection: Connection) -> None:
    for table in tables(connection):
        for row in STORED[table.name]:
            connection.execute(insert(table).values(row))


Everything = dict[str, list[Row]]


def everything(connection: Connection) -> Everything:
    """All rows of all tables, whatever tables there are."""
    return {table.name: sorted(_rows(connection, table), key=repr) for table in tables(connection)}


def _rows(connection: Connection, table: Table) -> list[Row]:
    return [dict(sorted(row._mapping.items())) for row in connection.execute(select(table))]


async def test_what_the_first_release_has_stored_comes_through_all_steps_and_back(empty_url: str) -> None:
    """Up to each release, back to the first one, and up again: both have what they had."""
    database = connect(empty_url)
    await database.write(migrations.upgrade, FIRST)
    await database.write(store)
    first = await database.read(everything)
    assert {name: len(rows) for name, rows in first.items()} == {name: len(rows) for name, rows in STORED.items()}

    for revision in REVISIONS[1:]:
        await database.write(migrations.upgrade, revision)
        then = await database.read(everything)
        await database.write(migrations.downgrade, FIRST)
        assert await database.read(everything) == first, f"down from {revision}"
        await database.write(migrations.upgrade, revision)
        assert await database.read(everything) == then, f"up to {revision} again"

    await database.close()


RENAMED = {
    ("sessions", "heard"): "backscroll_read",
    ("sessions", "epoch"): "segment",
    ("turns", "envelope"): "slip",
}
GONE = {"turns": {"state"}, "presence": {"owner", "due_at"}}
"""Columns that others have taken the place of."""


async def test_nothing_that_the_first_release_has_stored_is_another_thing_now(empty_url: str) -> None:
    """Each of its columns that there still is has what it had."""
    database = connect(empty_url)
    await database.write(migrations.upgrade, FIRST)
    await database.write(store)
    first = await database.read(everything)
    await database.write(migrations.upgrade)
    now = await database.read(everything)
    await database.close()

    assert first.keys() - now.keys() == {"epochs"}, "segments have taken their place"
    assert len(now["segments"]) == len(first["epochs"])
    for name in first.keys() & now.keys():
        before = [{RENAMED.get((name, column), column): value for column, value in row.items()} for row in first[name]]
        kept = before[0].keys() & now[name][0].keys()
        assert before[0].keys() - kept == GONE.get(name, set())
        assert _parts(now[name], kept) == _parts(before, kept)


def _parts(rows: list[Row], names: set[str]) -> list[list[tuple[str, object]]]:
    return sorted(([(name, row[name]) for name in sorted(names)] for row in rows), key=repr)


@pytest.mark.parametrize("path", VERSIONS[1:], ids=REVISIONS[1:])
def test_a_migration_says_what_a_process_of_the_release_before_sees(path: Path) -> None:
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""

    assert "release before" in said, "what becomes of one that still runs?"
    assert not re.search(r"Why, and what happens|Revision ID", said), "the template wants to be filled in"


def leap(url: str) -> None:
    """A newer release has been here."""

    def say(connection: Connection) -> None:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    async def leap() -> None:
        database = connect(url)
        await database.write(say)
        await database.close()

    asyncio.run(leap())


@pytest.mark.parametrize("command", ["run", "migrate"])
def test_a_program_that_is_older_than_the_schema_says_so_and_changes_nothing(
    empty_url: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    backscroll("migrate", DATABASE_URL=empty_url)
    leap(empty_url)

    words = ["run", "console"] if command == "run" else [command]
    result = backscroll(*words, DATABASE_URL=empty_url)

    assert result.exit_code == 1
    line = result.stderr.splitlines()[-1]
    assert line == "backscroll: DATABASE_URL: its schema is at 9999, which only a newer release of Backscroll knows"
