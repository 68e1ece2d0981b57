"""Nothing that people can ask costs more in a long session than in a short one.

What it costs is what SQLite does for it: the steps of its virtual machine, which are the same on every machine.
"""

import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import count

from sqlalchemy import Connection, text, update

from core.policy import edited
from core.schema import sessions
from core.seam.links import Linked
from core.seam.messages import Deleted, Edited, Event
from core.session import Kind, Progress
from core.store import connect, policies
from core.store.bodies import Mine
from core.store.engine.threads import driver_of
from core.store.unrecorded import PAGE
from tests.script import House, TranscriptAdapter, house, memory
from tests.values import BEN, HERE, message

_moments = count(1_800_000_100)
"""Behind all that was said before."""


def _now() -> float:
    return float(next(_moments))


SHORT, LONG = 2_500, 10_000
"""Questions, each with an answer of two messages, long ago: what a person can be told in one breath is in both."""

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i <= :number)"
_FILL = (
    f"""
    INSERT INTO turns (workspace, session, seq, role, kind, progress, validity, at, tokens, message, author, name, body,
                       shown_seqs)
    {_NUMBERS} SELECT 1, 1, i, role, role * {Kind.ANSWER:d}, {Progress.DONE:d}, 0, 1700000000000000 + i * 1000000, 20,
        CASE role WHEN 0 THEN 'old' || i END, CASE role WHEN 0 THEN 'U9' END, CASE role WHEN 0 THEN 'Ed' END,
        CAST('some words' AS BLOB), CASE role WHEN 1 THEN (i - 1) || '' END
    FROM n, (SELECT 0 AS role UNION SELECT 1)
    """,
    f"""
    INSERT INTO calls (workspace, call, session, seq, at, author, purpose, model, outcome, shown, cached, cache_written,
                       written, reasoning, estimated)
    {_NUMBERS} SELECT 1, i, 1, i, 0, 'U9', 'answer', 'scripted', 'answered', 10, 0, 0, 5, 0, 0 FROM n
    """,
    f"""
    INSERT INTO parts (workspace, session, seq, part, message)
    {_NUMBERS} SELECT 1, 1, i, part, 'ours' || i || '.' || part
    FROM n, (SELECT 0 AS part UNION SELECT 1)
    """,
)


class Linking(TranscriptAdapter):
    """A platform whose links end with the IDs of messages."""

    async def linked(self, words: str) -> Linked | None:
        return Linked(address=HERE, message=words.rpartition("/")[2])


ASKED: Mapping[str, Callable[[], Event]] = {
    "talk": lambda: message("something"),
    "status": lambda: message("!status"),
    "context": lambda: message("!context"),
    "the context of an answer": lambda: message(f"!context https://chat.example/ours{SHORT}.1"),
    "usage": lambda: message("!usage"),
    "settings": lambda: message("!settings"),
    "help": lambda: message("!help"),
    "an export of all": lambda: message("!export session"),
    "stop": lambda: message("!stop"),
    "a reset": lambda: message("!reset"),
    "a reset by somebody who never spoke": lambda: message("!reset", author=BEN, direct=False),
    "an undo": lambda: message("!undo"),
    "an undo of that": lambda: message("!undo"),
    "an undo of that, too": lambda: message("!undo"),
    "an edit": lambda: Edited(at=1_800_000_000, message=message("other words", id="old3")),
    "a deletion": lambda: Deleted(address=HERE, id="old4"),
    "a deletion of ours": lambda: Deleted(address=HERE, id="ours5.1"),
    "a deletion of what nobody knows": lambda: Deleted(address=HERE, id="other"),
    "a summary": lambda: message("!summarize"),
    "forgetting": lambda: message("!forget session"),
    "what was said since": lambda: message("!summarize since 2h", at=_now()),
    "what was said since long ago": lambda: message("!summarize since 2023-11-14", at=_now()),
    "what was said since a visit": lambda: message("!summarize since my last visit", at=_now()),
    "what was said since a visit that never was": lambda: message(
        "!summarize since my last visit", at=_now(), author=BEN
    ),
    "a wish": lambda: message("!prefer tone dry", at=_now()),
    "wishes": lambda: message("!preferences", at=_now()),
    "a setting": lambda: message("!set persona You are dry.", at=_now()),
    "a setting taken back": lambda: message("!unset persona", at=_now()),
    "usage of the channel": lambda: message("!usage channel", at=_now()),
    "off the record": lambda: message("!off the record", at=_now()),
    "talk off the record": lambda: message("something else", at=_now()),
    "on the record": lambda: message("!on the record", at=_now()),
}
READING = ("status", "context", "the context of an answer", "usage", "settings", "help", "an export of all")


class Steps:
    """How many hundreds of steps each of SQLite's two threads takes."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()

    def watch(self, connection: Connection) -> None:
        def count() -> int:
            self.taken[threading.current_thread().name] += 1
            return 0

        driver_of(connection).set_progress_handler(count, 100)


def filled(connection: Connection, questions: int) -> None:
    for statement in _FILL:
        connection.execute(text(statement), {"number": questions})
    connection.execute(update(sessions).values(tail=questions + 1))


@asynccontextmanager
async def session(url: str, questions: int) -> AsyncIterator[House]:
    """A house in which so many questions were asked and answered."""

    database = connect(url)
    try:
        async with house(database, adapter=Linking()) as running:
            await running.say(message("hello", at=1_700_000_000))
            await running.over()
            await database.write(filled, questions)
            yield running
    finally:
        await database.close()


async def costs(url: str, questions: int) -> dict[str, Counter[str]]:
    """What each thing costs that people can ask, in a session of this length."""
    found: dict[str, Counter[str]] = {}
    async with session(url, questions) as running:
        await running.database.write(policies.keep, Mine(1), HERE.id, edited(None, "may_reset", "members"))
        steps = Steps()
        await running.database.write(steps.watch)
        await running.database.read(steps.watch)
        for name, event in ASKED.items():
            steps.taken = Counter()
            await running.say(event())
            await running.over()
            found[name] = steps.taken
    return found


async def test_nothing_that_people_ask_costs_more_in_a_long_session(make_url: Callable[[str], str]) -> None:
    short = await costs(make_url("sqlite"), SHORT)
    long = await costs(make_url("sqlite"), LONG)

    more = {name: (short[name].total(), steps.total()) for name, steps in long.items()}
    assert {name: both for name, both in more.items() if both[1] > 1.3 * both[0] + _LITTLE} == {}


async def test_talk_off_the_record_is_found_behind_all_that_was_read_in_a_history_meanwhile(
    make_url: Callable[[str], str],
) -> None:
    database = connect(make_url("sqlite"))
    async with house(database, adapter=Linking()) as running:
        asked = message("!off the record", at=1_800_000_000)
        await running.say(message("salmon", at=1_800_000_001))
        await running.over()
        await database.write(filled, PAGE - 10)
        await running.say(asked)
        await running.over()

    assert "salmon" not in str([text for _, text in await memory(database)])
    await database.close()


async def test_what_changes_nothing_leaves_the_one_writer_to_others(make_url: Callable[[str], str]) -> None:
    long = await costs(make_url("sqlite"), LONG)

    assert {name: steps for name in READING if (steps := long[name]["sqlite-writer"]) > _LITTLE} == {}


_LITTLE = 40
"""Hundreds of steps: as many as an answer takes that is stored; how often others look for work is in it."""


async def test_of_very_many_turns_people_are_told_that_there_are_more(make_url: Callable[[str], str]) -> None:
    async with session(make_url("sqlite"), SHORT) as running:
        for line in ("!status", "!reset", "!undo", "!undo", "!undo", f"!context https://chat.example/ours{SHORT}.1"):
            await running.say(message(line, author=BEN))
            await running.over()
        status, *moves, context = running.adapter.texts[1:]

    assert status.startswith("I remember more than 2,000 turns here, since 2023-11-14 22:13 UTC.\n")
    assert " tokens in its last 1,000 calls, " in status
    assert moves == [
        "A fresh start: I set more than 2,000 turns aside. `undo` brings them back.",
        "The last reset is undone: I remember more than 2,000 turns again.",
        "The last undo is undone: I set more than 2,000 turns aside again.",
        "The last reset is undone: I remember more than 2,000 turns again.",
    ]
    assert "not shown: more than 2,000 turns of more than 40,020 tokens, left out for what is newer" in context
