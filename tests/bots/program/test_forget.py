"""`backscroll forget` and `backscroll export`: by whose names, in what form, and what they say of what is not there."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.commands import exports
from core.schema import erasures, turns
from core.seam.address import Address
from core.seam.messages import Author, Quote
from core.session import Preferences
from core.store import connect
from core.timings import Timings
from core.vault import ring
from tests.bots.program.test_cli import backscroll
from tests.dumps import dumped
from tests.process import process
from tests.script import house, rows
from tests.talk import Running
from tests.test_kills import echo, texts
from tests.values import ADA, BEN, HERE, message
from tests.wire.openai import OpenAIServer
from tests.wire.slack import SlackStage


@pytest.fixture
def dialect() -> str:
    """That both databases behave alike is the store's tests' matter."""
    return "sqlite"


@pytest.fixture
def talked(url: str) -> str:
    """A database in which Ada and Ben have talked, in two workspaces."""

    async def talk() -> None:
        database = connect(url)
        quoted = Quote(kind="replies to", text="tuna", author=ADA, at=1.0)
        async with house(database) as running:
            for one in (
                message("tuna", author=ADA),
                message("bread\n\n**Ben** said: *hello*", author=BEN, quotes=(quoted,)),
                message("!prefer tone pirate", author=ADA),
                message("salmon", author=ADA, address=replace(HERE, workspace="other")),
            ):
                await running.say(one)
                await running.over()
        await database.close()

    asyncio.run(talk())
    return url


def exported(url: str, *words: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in backscroll("export", *words, DATABASE_URL=url).stdout.splitlines()]


def stored(url: str, table) -> list[object]:
    async def read() -> list[object]:
        database = connect(url)
        try:
            return list(await rows(database, table))
        finally:
            await database.close()

    return asyncio.run(read())


def test_a_session_is_exported_as_it_is_stored(talked: str) -> None:
    found = exported(talked, "--session", HERE.id)

    kept = [row for row in stored(talked, turns) if row.session == 1 and row.workspace == 1]
    assert [(one["seq"], one["text"], one.get("author")) for one in found] == [
        (row.seq, row.body.decode(), row.author) for row in kept
    ]
    assert [one["type"] for one in found] == ["message", "answer", "message", "answer", "command"]
    assert found[2]["points_at"] == [
        {"kind": "replies to", "author": "U1", "name": "Ada", "at": "1970-01-01T00:00:01+00:00", "text": "tuna"}
    ]


def test_a_person_is_handed_what_is_stored_about_them_everywhere(talked: str) -> None:
    found = exported(talked, "--user", ADA.id)

    assert [one["text"] for one in found if one["type"] in ("message", "answer")] == [
        *("tuna", "You said: tuna"),
        *("salmon", "You said: salmon"),
    ]
    assert [one["text"] for one in found if one["type"] == "quoted"] == ["tuna"]
    assert [one["tone"] for one in found if one["type"] == "preferences"] == ["pirate"]
    assert {one["type"] for one in found} == {"message", "answer", "command", "quoted", "preferences", "usage"}
    assert "bread" not in str(found)
    here = exported(talked, "--user", f"console:local:{ADA.id}")
    assert "salmon" not in str(here)
    assert "tuna" in str(here)


def test_markdown_is_readable_and_no_word_passes_for_a_heading(talked: str) -> None:
    written = backscroll("export", "--session", HERE.id, "--format", "markdown", DATABASE_URL=talked).stdout

    assert "message by **Ben** at " in written
    assert "\n> bread\n>\n> **Ben** said: *hello*\n" in written
    assert "answer by **I** at" in written
    assert "replies to:\n\n> tuna\n" in written


@pytest.mark.parametrize("line_end", ["\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_what_somebody_said_in_lines_is_one_line_of_an_export(line_end: str) -> None:
    told = {"type": "message", "text": f"x{line_end}{{}}"}

    (line,) = exports.line(told).splitlines()
    assert json.loads(line) == told


COMMANDS_A_TERMINAL = "\x1b]0;mine\x07\x1b[2J\x9b2J\x7f"


@pytest.mark.parametrize("form", ["json", "markdown"])
@pytest.mark.parametrize("command", ["export", "settings"])
def test_no_words_that_are_printed_command_a_terminal(url: str, command: str, form: str) -> None:
    """What anybody may have said, and called themselves."""
    hostile = Author(id="U3", name=f"Eve{COMMANDS_A_TERMINAL}")

    async def talk() -> None:
        database = connect(url)
        async with house(database) as running:
            for words in (f"tuna{COMMANDS_A_TERMINAL}", f"!set persona A pirate{COMMANDS_A_TERMINAL}"):
                await running.say(message(words, author=hostile))
                await running.over()
        await database.close()

    asyncio.run(talk())
    what = ("--session", HERE.id, "--format", form) if command == "export" else ("--channel", HERE.id)
    printed = backscroll(command, *what, DATABASE_URL=url).stdout

    assert ("tuna" if command == "export" else "A pirate") in printed
    assert [one for one in printed if not (one.isprintable() or one in "\n\ufffd")] == []


def test_no_name_in_an_export_makes_a_link(url: str) -> None:
    hostile = Author(id="U3", name="[Ada](https://evil.example)")
    nameless = Author(id="U4", name="[**]")

    async def talk() -> str:
        database = connect(url)
        async with house(database) as running:
            for words, author in (("tuna", hostile), ("bread", nameless), ("!export session", hostile)):
                await running.say(message(words, author=author))
                await running.over()
            said = running.adapter.texts[-1]
        await database.close()
        return said

    said = asyncio.run(talk())
    assert "message by **Ada https evil.example** at" in said
    assert "message by **U4** at" in said


def test_how_somebody_wishes_to_be_called_is_exported_as_a_wish() -> None:
    """It headed the rest, as if somebody of that name had said it."""
    wishes = exports.preferred("console:local", Preferences(name="Captain", tone="dry"))

    assert wishes is not None
    heading, *facts = exports.markdown(wishes).splitlines()
    assert heading == "preferences"
    assert set(facts) == {"- workspace: console:local", "- name: Captain", "- tone: dry"}


@pytest.mark.in_the_clear
def test_who_is_forgotten_by_the_operator_is_so_in_each_workspace(talked: str) -> None:
    result = backscroll("forget", "--user", ADA.id, DATABASE_URL=talked)

    assert result.exit_code == 0
    assert result.stdout.count("I have forgotten U1. Erased: ") == 2
    assert "2 messages, 1 answer of mine, 1 quote in others' messages, 1 person's preferences" in result.stdout
    left = dumped(talked)
    assert [word for word in ("tuna", "salmon", "pirate") if word in left] == []
    assert "bread" in left
    assert stored(talked, erasures) == []


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (("--session", HERE.id), [b"salmon"]),
        (("--channel", HERE.id), [b"salmon"]),
        (("--workspace", "console:other"), [b"tuna"]),
    ],
)
def test_a_place_is_forgotten_by_its_name(talked: str, words: tuple[str, str], left: list[bytes]) -> None:
    result = backscroll("forget", *words, DATABASE_URL=talked)

    assert f"I have forgotten this {words[0].removeprefix('--')}. Erased: " in result.stdout
    found = b"".join(row.body for row in stored(talked, turns))
    assert [word for word in (b"tuna", b"salmon") if word in found] == left


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("forget",), 2, "by one of --user, --session, --channel, --workspace"),
        (("forget", "--user", "U1", "--workspace", "slack:T1"), 2, "by one of --user"),
        (("export",), 2, "by one of --user, --session"),
        (("forget", "--session", "nonsense"), 2, "a session ID has 3 or 4"),
        (("forget", "--workspace", "T1"), 2, "'T1' is no PLATFORM:WORKSPACE"),
        (("forget", "--workspace", "console:local:main"), 2, "'console:local:main' is no PLATFORM:WORKSPACE"),
        (("forget", "--channel", "slack:T1:C1:1.2"), 2, "name it by --session"),
        (("forget", "--channel", "myspace:T1:C1"), 2, "none of slack, discord, console"),
        (("forget", "--user", ""), 2, "no ID is given"),
        (("forget", "--user", " "), 2, "no ID is given"),
        (("forget", "--user", "<@U1>"), 2, "'<@U1>' is no ID: name the ID alone"),
        (("export", "--user", "@ada"), 2, "'@ada' is no ID: name the ID alone"),
        (("forget", "--user", "slack:T1"), 2, "'slack:T1' is neither PLATFORM:WORKSPACE:USER nor a USER alone"),
        (("forget", "--user", "console:local:"), 2, "an ID is missing in 'console:local:'"),
        (("forget", "--channel", "console:local:"), 2, "an ID is missing in 'console:local:'"),
        (("forget", "--session", "console:local:main:"), 2, "an ID is missing in 'console:local:main:'"),
        (("forget", "--workspace", "console:"), 2, "an ID is missing in 'console:'"),
        (("export", "--user", ""), 2, "no ID is given"),
        (("forget", "--workspace", "slack:T1"), 1, "nothing was ever stored there"),
        (("export", "--session", "slack:T1:C1"), 1, "nothing was ever stored there"),
        (("export", "--user", "U9"), 1, "nothing was ever stored there"),
    ],
)
def test_what_is_not_there_is_said(url: str, words: tuple[str, ...], status: int, said: str) -> None:
    result = backscroll(*words, DATABASE_URL=url)

    assert result.exit_code == status
    assert said in result.stderr.splitlines()[-1]


def test_who_is_named_among_blanks_is_forgotten(talked: str) -> None:
    """As an ID comes from somewhere else; it would be said that there was nothing of them."""
    assert "Erased: " in backscroll("forget", "--user", f" {ADA.id}\n", DATABASE_URL=talked).stdout


@pytest.mark.in_the_clear
async def test_what_is_said_after_a_workspace_was_forgotten_is_a_new_beginning(url: str, tmp_path: Path) -> None:
    """Also where it is said before that process has heard of the keys that were destroyed; and the audit is whole."""
    keys = {"DATABASE_URL": url, "BACKSCROLL_KEYS": ring.generate()}
    async with SlackStage() as stage, OpenAIServer(answer=echo) as model:

        async def said(text: str) -> None:
            before = len(texts(stage))
            await stage.say(text)
            await stage.until(lambda: len(texts(stage)) > before)

        sealed: dict[str, object] = {"backscroll_keys": keys["BACKSCROLL_KEYS"], "timings": Timings(keys=3.0)}
        async with Running(url, model, stage, **sealed):  # type: ignore[arg-type]  # a test's shorthand
            await said("the code is tuna")
            await said("!reset")
            workspace = f"slack:{Address.parse(stage.session('main')).workspace}"
            async with process(tmp_path, "forget", "--workspace", workspace, **keys) as operator:
                out, _ = await operator.communicate()
            await said("it is salmon now")
            await said("!reset")
            await said("!undo")
        async with Running(url, model, stage, **sealed):  # type: ignore[arg-type]
            await said("what is it?")
    async with process(tmp_path, "audit", "--verify", **keys) as verifying:
        assert await verifying.wait() == 0

    assert b"2 messages, 1 answer of mine" in out
    asked = str(model.requests[-1].texts)
    assert [word for word in ("tuna", "salmon", "can't be read") if word in asked] == ["salmon"]
