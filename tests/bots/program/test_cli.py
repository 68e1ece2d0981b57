"""The program as people start it: its words, its exit status, and the line that it ends with."""

import asyncio
import json
import logging
import os
import shlex
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import structlog
from click.testing import Result
from typer.testing import CliRunner

import migrations
from bots.__main__ import main
from bots.program.cli import app
from core.config import Settings
from core.errors import ModelStalled
from core.session import ATTEMPTS
from core.store import connect, policies
from core.store.bodies import Mine
from core.vault import ring
from tests.apart import whole
from tests.bots.discord.test_connection import unused_port
from tests.process import ROOT, process
from tests.readonly import READER, STANDBY, only_read
from tests.script import House, ScriptedModel, TranscriptAdapter
from tests.sealed import seal_if_told, switch
from tests.test_kills import echo, texts
from tests.values import message
from tests.wire.discord import DiscordStage
from tests.wire.openai import OpenAIServer
from tests.wire.postgresql import road
from tests.wire.slack import SlackStage

SECRET = "sesame"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def signals_reach_the_tests_again() -> Iterator[None]:
    """A start in the test's own process heeds them until that ends."""
    heed = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield
    for number, heard in heed.items():
        signal.signal(number, heard)


def backscroll(*words: str, **settings: str) -> Result:
    """The program with these words and settings, and no others, in the test's own process; it has the test's ring."""
    root, structured = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    nothing = dict.fromkeys(name.upper() for name in Settings.model_fields)
    try:
        return CliRunner().invoke(app, words, env={**nothing, **switch(), **settings, "COLUMNS": "200"})
    finally:
        seal_if_told()
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**structured)


async def ended(running: asyncio.subprocess.Process) -> tuple[int, list[str]]:
    """The exit status, and the lines on standard error."""
    async with asyncio.timeout(20):
        _, said = await running.communicate()
    assert running.returncode is not None
    return running.returncode, said.decode().splitlines()


@pytest.fixture
async def slack() -> AsyncIterator[SlackStage]:
    async with SlackStage() as stage:
        yield stage


@pytest.fixture
async def discord() -> AsyncIterator[DiscordStage]:
    async with DiscordStage() as stage:
        yield stage


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "keeps one durable session per conversation"),
        (("run",), "Run the configured platforms"),
        (("migrate",), "Bring the database to the newest schema"),
        (("doctor",), "Check every setting against the real services"),
        (("manifest",), "Print the app manifest that fits this configuration"),
        (("manifest", "slack"), "Print the manifest of the Slack app"),
        (("forget",), "Erase what was said by a person, or in a session, channel or workspace"),
        (("export",), "Print what is stored of a person or a session"),
        (("dead",), "Messages that got no answer"),
        (("dead", "list"), "List the messages that got an apology"),
        (("dead", "retry"), "Have them answered after all"),
        (("dead", "drop"), "Forget that they got no answer"),
    ],
)
def test_help_says_what_a_command_does(words: tuple[str, ...], said: str) -> None:
    for ask in ("--help", "-h"):
        result = backscroll(*words, ask)

        assert result.exit_code == 0
        assert said in result.stdout


@pytest.mark.parametrize("words", [("nonsense",), ("run", "myspace"), ("run", "--fast"), ("manifest", "discord")])
def test_wrong_usage_is_status_2_and_names_what_is_wrong(words: tuple[str, ...]) -> None:
    result = backscroll(*words)

    assert result.exit_code == 2
    assert words[-1] in result.stderr
    assert "Traceback" not in result.output


WRONG = [
    ({"DATABASE_URL": "nonsense"}, "sqlite:///FILE"),
    ({"DATABASE_URL": f"mysql://me:{SECRET}@localhost/x"}, "postgresql://"),
    ({"DATABASE_URL": "sqlite://"}, "sqlite:///FILE"),
    ({"SLACK_BOT_TOKEN": SECRET}, "SLACK_APP_TOKEN must be set"),
    ({"SLACK_APP_TOKEN": SECRET}, "SLACK_BOT_TOKEN must be set"),
    ({"SLACK_BOT_TOKEN": SECRET, "SLACK_APP_TOKEN": SECRET, "SLACK_API_URL": "slack.com"}, "https://host/path"),
    ({"DISCORD_TOKEN": SECRET, "DISCORD_API_URL": "discord.com"}, "https://host/path"),
    ({"DISCORD_TOKEN": SECRET, "DISCORD_CDN_URL": "ftp://discord.com"}, "https://host/path"),
    ({"DISCORD_TOKEN": SECRET, "DISCORD_GATEWAY_URL": "https://discord.com"}, "wss://host/path"),
    ({"no_proxy": "", "DISCORD_TOKEN": SECRET, "https_proxy": f"socks5://{SECRET}@127.0.0.1:1"}, "names no HTTP proxy"),
    ({"SLACK_BOT_TOKEN": SECRET, "SLACK_APP_TOKEN": SECRET, "SLACK_API_URL": "http://[::1"}, "https://host/path"),
    ({"DISCORD_TOKEN": SECRET, "DISCORD_API_URL": "http://[::1"}, "https://host/path"),
    ({"DISCORD_TOKEN": SECRET, "DISCORD_GATEWAY_URL": "wss://localhost:99999"}, "wss://host/path"),
    ({"no_proxy": "", "DISCORD_TOKEN": SECRET, "https_proxy": f"http://{SECRET}@[::1"}, "names no HTTP proxy"),
    ({"no_proxy": "", "DISCORD_TOKEN": SECRET, "https_proxy": f"http://{SECRET}@[::1]:99999"}, "names no HTTP proxy"),
    ({"OPENAI_BASE_URL": "localhost:11434"}, "https://host/v1"),
    ({"OPENAI_API_KEY": f"{SECRET} {SECRET}"}, "without blanks"),
    ({"DISCORD_TOKEN": f"{SECRET}\n{SECRET}"}, "without blanks"),
    ({"SLACK_BOT_TOKEN": f"“{SECRET}”", "SLACK_APP_TOKEN": SECRET}, "SLACK_BOT_TOKEN: no token has such characters"),
    ({"OPENAI_API": "soap"}, "'auto', 'responses' or 'chat'"),
    ({"BACKSCROLL_LEASE_SECONDS": "soon"}, "number"),
    ({"BACKSCROLL_CONTEXT_TOKENS": "12"}, "500"),
    ({"BACKSCROLL_INSTRUCTIONS": "Be kind.", "BACKSCROLL_INSTRUCTIONS_FILE": "be-kind.md"}, "remove one"),
    ({"BACKSCROLL_INSTRUCTIONS_FILE": "missing.md"}, "No such file"),
    ({"BACKSCROLL_PRICES_FILE": "missing.toml"}, "No such file"),
    ({"BACKSCROLL_AUDIT_RETENTION": "never"}, "write 90d, 365d or forever"),
    ({"BACKSCROLL_AUDIT_RETENTION": "a year"}, "write 90d, 365d or forever"),
]


@pytest.mark.parametrize(("settings", "remedy"), WRONG, ids=[list(settings)[-1] for settings, _ in WRONG])
def test_a_wrong_setting_is_status_2_and_one_line_before_anything_is_touched(
    settings: dict[str, str], remedy: str, tmp_path: Path
) -> None:
    result = backscroll("run", **settings)

    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert any(f"{name.upper().partition('_')[0]}_" in line for name in settings), "it names a variable"
    assert remedy in line
    assert SECRET not in result.output
    assert not list(tmp_path.iterdir()), "not even a database"


@pytest.mark.parametrize(
    ("platform", "needed"), [("slack", ["SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"]), ("discord", ["DISCORD_TOKEN"])]
)
def test_a_platform_without_its_tokens_says_what_it_needs(platform: str, needed: list[str]) -> None:
    result = backscroll("run", platform)

    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert all(variable in line for variable in needed)
    assert ".env.example" in line


def test_the_working_directorys_env_file_is_heeded() -> None:
    Path(".env").write_text("DATABASE_URL=nonsense\n")

    assert "DATABASE_URL" in backscroll("migrate").stderr
    assert backscroll("migrate", DATABASE_URL="sqlite:///mine.db").exit_code == 0
    assert Path("mine.db").exists()


@pytest.mark.in_the_clear
async def test_a_misspelt_setting_is_told_with_the_nearest_one_at_the_start(tmp_path: Path) -> None:
    """A3."""
    async with process(tmp_path, "run", BACKSCROLL_CONTEXT_TOKEN=SECRET) as running:
        out, said = await running.communicate(b"hello\n")

    assert running.returncode == 0
    line, clear = said.decode().splitlines()
    assert "stored in the clear" in clear
    assert "BACKSCROLL_CONTEXT_TOKEN " in line
    assert "Write BACKSCROLL_CONTEXT_TOKENS, or remove it." in line
    assert SECRET not in f"{out!r}{line}"


async def test_python_m_bots_is_the_same_program(tmp_path: Path) -> None:
    """The manifest needs no settings, and goes to standard output alone."""
    (script,) = entry_points(group="console_scripts", name="backscroll")
    assert script.load() is main
    here = await asyncio.to_thread(backscroll, "manifest", "slack")

    async with process(tmp_path, "manifest", "slack") as running:
        out, said = await running.communicate()

    assert (running.returncode, said, out.decode()) == (0, b"", here.stdout)
    assert {"display_information", "features", "oauth_config", "settings"} <= json.loads(here.stdout).keys()


@pytest.mark.parametrize(
    ("words", "status", "last"),
    [
        (["manifest", "slack"], 1, []),
        (["settings"], 1, []),
        (["run", "console"], 2, ["backscroll: can't write to the console: Broken pipe"]),
    ],
)
async def test_output_that_nobody_reads_any_more_ends_the_program_without_a_crash(
    words: list[str], status: int, last: list[str], tmp_path: Path
) -> None:
    """As behind `| head`."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        async with process(tmp_path, *words, stdout=writer, BACKSCROLL_KEYS=ring.generate()) as running:
            _, said = await running.communicate(b"hello\n")
    finally:
        os.close(writer)

    assert (running.returncode, said.decode().splitlines()[-1:]) == (status, last)


@pytest.mark.parametrize("words", ["--help", "manifest slack", "keys generate", "settings", "retention --dry-run"])
async def test_a_full_disk_behind_the_output_is_told_in_one_line(words: str, tmp_path: Path) -> None:
    async with process(tmp_path, "migrate") as before:
        assert await before.wait() == 0
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        async with process(tmp_path, *words.split(), stdout=full) as running:
            _, said = await running.communicate()
    finally:
        os.close(full)

    told = "backscroll: what is printed can't be written: No space left on device"
    assert (running.returncode, said.decode().splitlines()) == (1, [told])


async def test_what_nobody_can_be_shown_any_more_is_left_to_the_next_start(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        async with process(tmp_path, "run", "console", stdout=writer) as running:
            await running.communicate(b"hello\n")
    finally:
        os.close(writer)
    async with process(tmp_path, "run", "console") as running:
        out, _ = await running.communicate(b"and?\n")

    ((tries, *_), *_) = await asyncio.to_thread(_tries, tmp_path / "backscroll.db")
    assert b"hello" in out
    assert tries < 4, "calls go on for as long as answers may take to finish"


def _tries(path: Path) -> list[tuple[int, ...]]:
    """How often each message was called for, oldest first."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT tries FROM deliveries ORDER BY seq, part").fetchall()


@pytest.mark.in_the_clear
async def test_a_clean_end_is_status_0(tmp_path: Path) -> None:
    async with process(tmp_path) as running:
        out, said = await running.communicate(b"hello\n")

    (line,) = said.decode().splitlines()
    assert running.returncode == 0
    assert "stored in the clear" in line
    assert b"hello" in out


async def test_with_a_key_ring_a_clean_end_says_nothing(tmp_path: Path) -> None:
    async with process(tmp_path, BACKSCROLL_KEYS=ring.generate()) as running:
        out, said = await running.communicate(b"hello\n")

    assert (running.returncode, said) == (0, b"")
    assert b"hello" in out


async def test_a_wrong_setting_is_status_2_of_the_process(tmp_path: Path) -> None:
    async with process(tmp_path, "run", BACKSCROLL_LEASE_SECONDS="0") as running:
        status, lines = await ended(running)

    assert status == 2
    assert len(lines) == 1
    assert lines[0].startswith("backscroll: BACKSCROLL_LEASE_SECONDS: ")


def test_migrate_brings_a_database_to_the_newest_schema_and_can_be_repeated(empty_url: str) -> None:
    first, again = (backscroll("migrate", DATABASE_URL=empty_url) for _ in range(2))

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert "from nothing to" in first.stdout
    assert "The schema is at" in again.stdout


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_a_postgresql_that_is_behind_is_the_operators_to_migrate(empty_url: str) -> None:
    result = backscroll("run", "console", DATABASE_URL=empty_url)

    assert result.exit_code == 1
    assert "DATABASE_URL" in result.stderr.splitlines()[-1]
    assert "run `backscroll migrate`" in result.stderr.splitlines()[-1]


def test_a_database_that_does_not_answer_is_one_line_that_names_the_setting() -> None:
    result = backscroll("migrate", DATABASE_URL=f"postgresql://me:{SECRET}@127.0.0.1:{unused_port()}/x")

    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert "DATABASE_URL: the server does not answer" in line
    assert "host, port, name, user and password" in line
    assert SECRET not in result.output


@pytest.mark.parametrize(
    ("file", "words", "remedy"),
    [
        ("no/such/folder.db", "unable to open", "Its folder must be there"),
        ("words.db", "file is not a database", "put a backup back, or name another file"),
    ],
)
def test_a_file_that_is_no_database_is_told_with_its_path_and_what_fits_a_file(
    file: str, words: str, remedy: str, tmp_path: Path
) -> None:
    """G7."""
    (tmp_path / "words.db").write_text("Not a database. " * 100)

    started, examined = (backscroll(command, DATABASE_URL=f"sqlite:///{file}") for command in ("run", "doctor"))

    assert (started.exit_code, examined.exit_code) == (1, 1)
    assert f"DATABASE_URL: {tmp_path}/{file}: {words}" in started.stderr.splitlines()[-1]
    for said in (started.stderr.splitlines()[-1], examined.stdout):
        assert remedy in said
        assert "password" not in said


@pytest.mark.parametrize("role", [READER, STANDBY])
def test_a_database_that_takes_no_write_is_told_before_the_start_with_its_remedy(
    url: str, dialect: str, role: str
) -> None:
    """G1: another user's file, a role that may only read, a replica."""
    remedies = {"sqlite": "must be able to write the file", READER: "INSERT", STANDBY: "name the primary"}
    address = asyncio.run(only_read(url, role=role))

    started, examined = (backscroll(*words, DATABASE_URL=address) for words in (("run", "console"), ("doctor",)))

    assert (started.exit_code, examined.exit_code) == (1, 1)
    assert remedies[dialect if dialect == "sqlite" else role] in started.stderr.splitlines()[-1]
    assert "does not answer" not in started.output + examined.output
    assert remedies[dialect if dialect == "sqlite" else role] in examined.stdout
    assert "ready" not in started.stderr


@pytest.mark.parametrize("stdin", ["/dev/null", "closed", "an empty file", "an empty pipe"])
async def test_a_service_whose_settings_are_missing_is_status_2_and_makes_no_database(
    stdin: str, tmp_path: Path
) -> None:
    """G3."""
    (tmp_path / "empty").touch()
    ways = {"/dev/null": "</dev/null", "closed": "<&-", "an empty file": "<empty", "an empty pipe": ""}
    words = f"{shlex.quote(sys.executable)} -m bots run {ways[stdin]}"
    if stdin == "an empty pipe":
        words = f"true | {{ sleep 0.2; {words}; }}"  # it has ended by then

    running = await asyncio.create_subprocess_shell(
        words, cwd=tmp_path, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}, stderr=asyncio.subprocess.PIPE
    )
    _, said = await running.communicate()

    assert running.returncode == 2
    (line,) = said.decode().splitlines()
    assert all(name in line for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "DISCORD_TOKEN", f"{tmp_path}/.env"))
    assert await asyncio.to_thread(os.listdir, tmp_path) == ["empty"]


def test_a_start_that_fails_under_json_is_json_to_its_last_line() -> None:
    """G8."""
    for wrong in ({"DATABASE_URL": "sqlite:///no/such/folder.db"}, {"BACKSCROLL_LEASE_SECONDS": "soon"}):
        result = backscroll("run", "console", BACKSCROLL_LOG="json", **wrong)

        last = [json.loads(line) for line in result.stderr.splitlines()][-1]
        assert (last["event"], last["level"]) == ("ended", "critical")
        assert next(iter(wrong)) in last["reason"]


@pytest.mark.parametrize("words", [("run", "console"), ("doctor",), ("health",)])
async def test_under_json_a_line_of_the_settings_that_cannot_be_read_is_told_in_json(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    """Whatever says it, and before the log is set up: a process of its own, as nothing else keeps a library quiet."""
    (tmp_path / ".env").write_text(f"BACKSCROLL_LOG=json\nOPENAI_API_KEY: {SECRET}\n")

    async with process(tmp_path, *words) as running:
        out, said = await running.communicate(b"hello\n")

    assert all(json.loads(line) for line in said.decode().splitlines())
    assert ("line 2 of .env" in f"{out!r}{said!r}") == (words != ("health",))
    assert SECRET not in f"{out!r}{said!r}"


@pytest.mark.parametrize("wrong", ["database", "role", "option", "port"])
@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_a_database_that_will_not_have_us_is_one_line_that_names_the_setting(empty_url: str, wrong: str) -> None:
    urls = {
        "database": empty_url.replace("/test_", "/nowhere_"),
        "role": whole(empty_url).replace("//postgres:", f"//nobody:{SECRET}"),
        "option": f"{empty_url}&colour=blue",
        "port": f"postgresql://me:{SECRET}@localhost:5432a/x",
    }

    result = backscroll("migrate", DATABASE_URL=urls[wrong])

    assert result.exit_code == (2 if wrong in ("option", "port") else 1)
    (line,) = result.stderr.splitlines()
    assert "DATABASE_URL" in line
    assert SECRET not in result.output


@pytest.mark.parametrize("wrong", ["bot token", "app token", "socket mode"])
async def test_a_slack_that_will_not_have_us_ends_the_process_with_one_line(
    tmp_path: Path, slack: SlackStage, wrong: str
) -> None:
    settings = {
        "bot token": {"SLACK_BOT_TOKEN": SECRET},
        "app token": {"SLACK_APP_TOKEN": SECRET},
        "socket mode": {},
    }
    named = {"bot token": "SLACK_BOT_TOKEN", "app token": "SLACK_APP_TOKEN", "socket mode": "Settings > Socket Mode"}
    async with process(tmp_path, "run", **(slack.environment() | settings[wrong])) as running:
        if wrong == "socket mode":
            await slack.until(lambda: slack.server.sockets)
            await slack.server.disconnect("link_disabled")
        status, lines = await ended(running)

    assert status == 2
    assert lines[-1].startswith("backscroll: Slack ")
    assert named[wrong] in lines[-1]
    assert not any("Traceback" in line or SECRET in line for line in lines)
    assert slack.server.number_of("auth.test") <= 2, "it does not try again and again"


@pytest.mark.parametrize("wrong", ["token", "intent"])
async def test_a_discord_that_will_not_have_us_ends_the_process_with_one_line(
    tmp_path: Path, discord: DiscordStage, wrong: str
) -> None:
    settings = discord.environment()
    if wrong == "token":
        settings["DISCORD_TOKEN"] = SECRET
    else:
        discord.gateway.refuse.append(4014)
    async with process(tmp_path, "run", **settings) as running:
        status, lines = await ended(running)

    assert status == 2
    assert lines[-1].startswith("backscroll: Discord ")
    assert "DISCORD_TOKEN" in lines[-1]
    assert wrong != "intent" or "MESSAGE CONTENT INTENT" in lines[-1]
    assert not any("Traceback" in line or SECRET in line for line in lines)
    assert len(discord.gateway.identified) <= 1, "there is no login loop"


async def test_a_platform_that_will_not_have_us_any_more_ends_no_other(
    tmp_path: Path, slack: SlackStage, discord: DiscordStage
) -> None:
    async with OpenAIServer(answer=echo) as model:
        settings = {**slack.environment(), **discord.environment(), **model.environment()}
        async with process(tmp_path, "run", **settings) as running:
            await slack.until(lambda: slack.server.sockets)
            await slack.server.disconnect("link_disabled")
            assert running.stderr is not None
            seen = b""
            while b"platform lost" not in seen:
                seen = await running.stderr.readline()
                assert seen, "it ended"
            assert b"Settings > Socket Mode" in seen
            await discord.say("hello")
            await discord.until(lambda: texts(discord) == ["You said: hello"])
            running.send_signal(signal.SIGTERM)
            status, _ = await ended(running)

    assert status == 0


async def test_a_start_that_waits_for_its_platform_can_be_stopped(tmp_path: Path) -> None:
    settings = {"SLACK_BOT_TOKEN": SECRET, "SLACK_APP_TOKEN": SECRET}
    settings["SLACK_API_URL"] = f"http://127.0.0.1:{unused_port()}/api/"
    async with process(tmp_path, "run", **settings) as running:
        assert running.stderr is not None
        while b"out of reach" not in await running.stderr.readline():
            assert running.returncode is None
        running.send_signal(signal.SIGTERM)
        status, lines = await ended(running)

    assert status == 0
    assert not any("Traceback" in line or SECRET in line for line in lines)


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-", "<&- >&- 2>&-"])
async def test_who_has_closed_what_it_writes_to_has_it_run_all_the_same(closed: str, tmp_path: Path) -> None:
    order = f"echo hello | {sys.executable} -m bots run console {closed}"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), **switch()}
    running = await asyncio.create_subprocess_shell(
        order, cwd=tmp_path, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    status, lines = await ended(running)

    assert status == 0
    assert "Traceback" not in "".join(lines)


@pytest.mark.parametrize(("words", "status"), [("run slak", 2), ("health --nope", 2), ("manifest slack", 0)])
async def test_under_json_wrong_words_are_json_as_well(words: str, status: int, tmp_path: Path) -> None:
    async with process(tmp_path, *words.split(), BACKSCROLL_LOG="json") as running:
        ended_with, lines = await ended(running)

    assert ended_with == status
    assert [json.loads(line)["event"] for line in lines] == ["ended"] * bool(status)


@pytest.mark.parametrize("dialect", ["postgresql"])
@pytest.mark.parametrize("awaited", ["starting", "out of reach"], ids=["at the start", "later"])
async def test_a_database_that_hangs_keeps_nobody_from_ending_it_in_time(
    url: str, awaited: str, tmp_path: Path
) -> None:
    """It would be waited for for minutes, and supervisors wait for 35 seconds in all."""
    settings = {"SLACK_BOT_TOKEN": SECRET, "SLACK_APP_TOKEN": SECRET, "BACKSCROLL_DRAIN_SECONDS": "0"}
    settings["SLACK_API_URL"] = f"http://127.0.0.1:{unused_port()}/api/"
    async with road(url) as way:
        if awaited == "starting":
            way.hang()
        async with process(tmp_path, "run", DATABASE_URL=way.url, **settings) as running:
            assert running.stderr is not None
            while awaited.encode() not in await running.stderr.readline():
                assert running.returncode is None
            way.hang()
            running.send_signal(signal.SIGTERM)
            status, _ = await ended(running)

    assert status == 0


async def test_a_signal_that_comes_again_keeps_a_process_from_none_of_its_last_steps(tmp_path: Path) -> None:
    async with process(tmp_path, "run", "console") as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(b"hello\n")
        await running.stdout.readline()
        end = asyncio.create_task(running.wait())
        while not end.done():
            with suppress(ProcessLookupError):
                os.kill(running.pid, signal.SIGTERM)  # send_signal would take its exit status from the event loop
            await asyncio.wait([end], timeout=0.001)

    assert end.result() == 0


async def a_dead_letter(url: str) -> None:
    """A message of which five attempts have failed."""
    database = connect(url)
    await database.write(migrations.upgrade)
    failures = [ModelStalled("nothing came")] * ATTEMPTS
    async with House(database, ScriptedModel(*failures), TranscriptAdapter()) as running:
        await running.say(message("an embarrassing question"))
        await running.over()
    await database.close()


@pytest.fixture
def letter(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/letters.db"
    asyncio.run(a_dead_letter(url))
    return url


@pytest.mark.parametrize(
    "words",
    [
        "audit --verify",
        "dead list",
        "dead drop console:local:main#1",
        "export --user U1",
        "forget --user U1",
        "keys rotate",
        "keys status",
        "retention --dry-run",
        "settings --channel console:local:main",
        "settings --workspace console:local --unset answers",
    ],
)
def test_who_looks_into_a_database_that_is_not_there_is_told_so_and_makes_none(words: str, tmp_path: Path) -> None:
    """As where its address is mistyped: nobody is to be told that nothing is stored there."""
    result = backscroll(*words.split(), DATABASE_URL=f"sqlite:///{tmp_path}/mistyped.db")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"backscroll: DATABASE_URL: there is no {tmp_path}/mistyped.db\n"
    assert list(tmp_path.glob("mistyped*")) == []


def test_dead_letters_are_listed_with_their_reason_and_without_their_words(letter: str) -> None:
    result = backscroll("dead", "list", DATABASE_URL=letter)

    assert result.exit_code == 0
    assert "console:local:main#1" in result.stdout
    assert "5 attempts failed" in result.stdout or "ModelStalled" in result.stdout
    assert "embarrassing" not in result.output


def test_a_dead_letter_that_is_retried_or_dropped_is_listed_no_more(letter: str) -> None:
    for order, said in (("retry", "waits again"), ("drop", "no dead letter")):
        result = backscroll("dead", order, "console:local:main#1", DATABASE_URL=letter)
        assert said in result.output

    assert "No dead letters." in backscroll("dead", "list", DATABASE_URL=letter).stdout


def test_a_dropped_letter_is_gone(letter: str) -> None:
    result = backscroll("dead", "drop", "console:local:main#1", DATABASE_URL=letter)

    assert (result.exit_code, result.stdout.strip()) == (0, "console:local:main#1 is dropped.")
    assert "No dead letters." in backscroll("dead", "list", DATABASE_URL=letter).stdout


def test_a_letter_that_does_not_exist_is_an_error_with_a_remedy(letter: str) -> None:
    result = backscroll("dead", "retry", "nonsense", DATABASE_URL=letter)

    assert result.exit_code == 1
    assert "backscroll dead list" in result.stderr


def test_the_effective_settings_are_shown_with_where_they_come_from(url: str) -> None:
    async def set_something() -> None:
        database = connect(url)
        async with House(database, ScriptedModel(), TranscriptAdapter()) as running:
            await running.say(message())
            await running.answered("You said: hello")
        await database.write(policies.keep, Mine(1), "console:local:main", '{"answer_tokens": "77"}')
        await database.close()

    asyncio.run(set_something())

    deployed = backscroll("settings", BACKSCROLL_HEAR="off")
    here = backscroll("settings", "--channel", "console:local:main:side", DATABASE_URL=url, BACKSCROLL_HEAR="off")
    elsewhere = backscroll("settings", "--channel", "slack:T1:C1", DATABASE_URL=url)
    odd = backscroll("settings", "--channel", "general", DATABASE_URL=url)
    misspelt = backscroll("settings", "--channel", "Slack:T1:C1", DATABASE_URL=url)

    assert (deployed.exit_code, here.exit_code, elsewhere.exit_code) == (0, 0, 0)
    assert "- `hear`: off (set by my operator)" in deployed.stdout
    assert "- `answer_tokens`: 4,000 (built in)" in deployed.stdout
    assert "- `hear`: off (set by my operator)" in here.stdout
    assert "- `answer_tokens`: 77 (set for this channel)" in here.stdout
    assert "- `answer_tokens`: 4,000 (built in)" in elsewhere.stdout
    assert odd.exit_code == 2
    assert odd.stderr.startswith("backscroll: --channel: 'general' has 1 parts")
    assert misspelt.exit_code == 2
    assert misspelt.stderr == "backscroll: --channel: 'Slack' is none of slack, discord, console\n"


def test_the_operator_takes_back_what_people_have_set(url: str) -> None:
    async def lock_all_out() -> None:
        database = connect(url)
        async with House(database, ScriptedModel(), TranscriptAdapter()) as running:
            await running.say(message())
            await running.answered("You said: hello")
        await database.write(policies.keep, Mine(1), "console:local:main", '{"may_set": "U0", "answer_tokens": "77"}')
        await database.write(policies.keep, Mine(1), policies.WORKSPACE, '{"may_set": "U1"}')
        await database.close()

    asyncio.run(lock_all_out())

    channel, workspace = ("--channel", "console:local:main"), ("--workspace", "console:local")
    first = backscroll("settings", *channel, "--unset", "may_set", DATABASE_URL=url)
    again = backscroll("settings", *channel, "--unset", "may_set", DATABASE_URL=url)
    all_of_it = backscroll("settings", *workspace, "--unset", "may_set", DATABASE_URL=url)
    here = backscroll("settings", *channel, DATABASE_URL=url)
    around = backscroll("settings", *workspace, DATABASE_URL=url)

    assert first.stdout == "`may_set` is no longer set there: it is U1 (set for the workspace).\n"
    assert again.stdout == "`may_set` was not set there: it is U1 (set for the workspace).\n"
    assert all_of_it.stdout == "`may_set` is no longer set there: it is admins (built in).\n"
    assert "- `may_set`: admins (built in)" in here.stdout
    assert "- `answer_tokens`: 77 (set for this channel)" in here.stdout
    assert "- `answer_tokens`: 4,000 (built in)" in around.stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--unset", "may_set"), "--unset: say where, by --channel or --workspace"),
        (("--channel", "slack:T1:C1", "--unset", "mayset"), "--unset: 'mayset' is none of hear, "),
        (("--channel", "slack:T1:C1", "--workspace", "slack:T1"), "--channel and --workspace: name one of them"),
        (("--workspace", "T1"), "--workspace: 'T1' is no PLATFORM:WORKSPACE"),
        (("--workspace", "slack:T1:C1"), "--workspace: 'slack:T1:C1' is no PLATFORM:WORKSPACE"),
        (("--workspace", "irc:T1"), "--workspace: 'irc' is none of slack, discord, console"),
    ],
)
def test_an_option_of_settings_that_does_not_fit_says_what_would(words: tuple[str, ...], why: str) -> None:
    result = backscroll("settings", *words)

    assert result.exit_code == 2
    assert result.stderr.startswith(f"backscroll: {why}")


@pytest.mark.parametrize(
    ("proxies", "status"),
    [
        ({"ALL_PROXY": "socks5://127.0.0.1:1"}, 2),
        ({"ALL_PROXY": "socks5://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1"}, 0),
        ({"ALL_PROXY": "socks5://127.0.0.1:1", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}, 0),
    ],
    ids=["that is needed", "beside an HTTP proxy", "to ourselves"],
)
async def test_a_socks_proxy_is_told_in_one_line_where_it_is_needed_and_else_in_nobodys_way(
    proxies: dict[str, str], status: int, tmp_path: Path
) -> None:
    """G5."""
    async with process(tmp_path, "run", "console", OPENAI_API_KEY=SECRET, **proxies) as running:
        _, said = await running.communicate(b"!status\n")

    assert running.returncode == status
    lines = said.decode().splitlines()
    assert not any("Traceback" in line or "ImportError" in line for line in lines)
    assert status == 0 or (len(lines) == 1 and "ALL_PROXY names no HTTP proxy" in lines[0])


async def test_a_user_without_a_name_and_a_home_can_run_everything(tmp_path: Path) -> None:
    """G5: as a container that is given a number."""
    nobody = (
        "import pwd, sys\n"
        "def unknown(_): raise KeyError\n"
        "pwd.getpwuid = unknown\n"
        "import bots.slack, bots.discord, core.model.openai, core.store.engine.postgresql\n"
        "from bots.__main__ import main\n"
        "sys.argv = ['backscroll', 'run', 'console']\n"
        "main()\n"
    )
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        nobody,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, said = await running.communicate(b"hello\n")

    assert (running.returncode, b"hello" in out) == (0, True), said


def test_slack_tokens_that_are_swapped_are_told_before_anybody_is_asked() -> None:
    """G6."""
    result = backscroll("run", SLACK_BOT_TOKEN=f"xapp-{SECRET}", SLACK_APP_TOKEN=f"xoxb-{SECRET}")

    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert all(words in line for words in ("SLACK_BOT_TOKEN", "xoxb-…", "SLACK_APP_TOKEN", "xapp-…"))
    assert SECRET not in result.output


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
@pytest.mark.parametrize("said", [b"", b"hello\n"])
async def test_the_end_of_input_is_quiet_on_postgresql_too(url: str, said: bytes, tmp_path: Path) -> None:
    """G8: also while connections are being made."""
    keys = ring.generate()
    async with road(url) as way:
        for _ in range(3):
            async with process(tmp_path, "run", "console", DATABASE_URL=way.url, BACKSCROLL_KEYS=keys) as running:
                _, logged = await running.communicate(said)

            assert (running.returncode, logged) == (0, b"")
