"""The doctor, against the real services' wire: what is well, what is wrong, and how to mend it."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import migrations
from core.store import connect, servers
from tests.bots.discord.test_connection import unused_port
from tests.bots.program.test_cli import backscroll
from tests.wire.discord import DiscordStage
from tests.wire.openai import BROKEN, NO_CREDIT, RATE_LIMITED, WRONG_KEY, OpenAIServer, Request, Status
from tests.wire.slack import SlackStage

SECRET = "sesame"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUp:
    """Everything that can be set up, set up rightly; tests spoil one thing or another."""

    slack: SlackStage
    discord: DiscordStage
    model: OpenAIServer
    settings: dict[str, str] = field(default_factory=dict)

    async def examined(self) -> tuple[int, list[str]]:
        """The exit status, and the report."""
        result = await asyncio.to_thread(backscroll, "doctor", **self.settings)
        assert result.stderr == ""
        return result.exit_code, result.stdout.splitlines()


@pytest.fixture
async def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SetUp]:
    monkeypatch.chdir(tmp_path)
    async with SlackStage() as slack, DiscordStage() as discord, OpenAIServer() as model:
        settings = {**slack.environment(), **discord.environment(), **model.environment()}
        yield SetUp(slack=slack, discord=discord, model=model, settings=settings)


def small(request: Request) -> Status | None:
    """A model of 2,048 tokens, answer included, that tells so in a refusal alone."""
    over = int(request.body.get("max_tokens", 0)) > 2_000
    words = "This model's maximum context length is 2048 tokens. However, you requested 4021 tokens."
    return Status(status=400, message=words) if over else None


def wrong(lines: list[str]) -> list[str]:
    """What is wrong, each with its remedy on the same line."""
    joined = "\n".join(lines).replace("\n      ", " → ").splitlines()
    return [line for line in joined if line.startswith("wrong ")]


async def test_all_is_well_where_everything_is_set_up(full: SetUp, url: str) -> None:
    full.settings["DATABASE_URL"] = url

    status, lines = await full.examined()

    assert status == 0
    assert all(line.startswith("ok ") for line in lines), lines
    named = "instructions", "database", "schema", "model", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "DISCORD_TOKEN"
    assert all(any(f"{subject}:" in line for line in lines) for subject in named)


async def test_nothing_is_posted_or_changed(full: SetUp) -> None:
    await full.examined()

    assert {method for method, _, _ in full.slack.server.calls} == {"auth.test", "apps.connections.open"}
    assert {request.method for request in full.discord.world.requests} == {"GET"}
    assert not full.discord.gateway.identified
    assert len(full.model.requests) == 1, "one short answer"
    assert not full.slack.server.opened


def unset(*names: str) -> Callable[[SetUp], None]:
    return lambda full: [full.settings.pop(name) for name in names] and None


def setting(**values: str) -> Callable[[SetUp], None]:
    return lambda full: full.settings.update(values)


def failing_model(fault: Status) -> Callable[[SetUp], None]:
    return lambda full: full.model.faults.append(fault)


def mute_model(full: SetUp) -> None:
    full.model.weather = lambda _: Status(status=503, message="no workers are left")


def without_scope(full: SetUp) -> None:
    full.slack.server.scopes = full.slack.server.scopes.replace("commands,", "")


def without_socket_mode(full: SetUp) -> None:
    full.slack.server.fail("apps.connections.open", "link_disabled")


def without_intent(full: SetUp) -> None:
    full.discord.world.flags = 0


def without_session_starts(full: SetUp) -> None:
    full.discord.world.session_starts = 1


NOBODY = f"http://127.0.0.1:{unused_port()}"

WRONG: dict[str, tuple[Callable[[SetUp], None], str, str]] = {
    "bot token": (setting(SLACK_BOT_TOKEN=SECRET), "SLACK_BOT_TOKEN", "OAuth & Permissions"),
    "no bot token": (unset("SLACK_BOT_TOKEN"), "SLACK_BOT_TOKEN", ".env.example"),
    "scope": (without_scope, "missing: commands", "reinstall"),
    "app token": (setting(SLACK_APP_TOKEN=SECRET), "SLACK_APP_TOKEN", "connections:write"),
    "no app token": (unset("SLACK_APP_TOKEN"), "SLACK_APP_TOKEN", ".env.example"),
    "socket mode": (without_socket_mode, "SLACK_APP_TOKEN", "Settings > Socket Mode"),
    "discord token": (setting(DISCORD_TOKEN=SECRET), "DISCORD_TOKEN", "Bot"),
    "intent": (without_intent, "intent", "MESSAGE CONTENT INTENT"),
    "session starts": (without_session_starts, "1 of 1000 session starts", "wait"),
    "discord address": (setting(DISCORD_API_URL="discord.com"), "DISCORD_API_URL", "https://host/path"),
    "discord away": (setting(DISCORD_API_URL=f"{NOBODY}/api"), "Discord", "DISCORD_API_URL"),
    "model": (setting(OPENAI_MODEL="gpt-0"), "gpt-test", "OPENAI_MODEL"),
    "key": (failing_model(WRONG_KEY), "does not accept the key", "OPENAI_API_KEY"),
    "credit": (failing_model(NO_CREDIT), "out of credit", "OPENAI_API_KEY"),
    "model away": (setting(OPENAI_BASE_URL=f"{NOBODY}/v1"), "model", "OPENAI_BASE_URL"),
    "model broken": (failing_model(BROKEN), "500", "OPENAI_BASE_URL"),
    "model busy": (failing_model(RATE_LIMITED), "429", "later"),
    "model's words": (failing_model(Status(status=400, message="no [/INST] :bug: [red]")), "[/INST] :bug: [red]", ""),
    "model mute": (mute_model, "no workers are left", "later"),
    "model address": (setting(OPENAI_BASE_URL="localhost"), "OPENAI_BASE_URL", "https://host/v1"),
    "instructions": (
        setting(BACKSCROLL_INSTRUCTIONS_FILE="missing.md"),
        "BACKSCROLL_INSTRUCTIONS_FILE",
        "No such file",
    ),
    "prices": (setting(BACKSCROLL_PRICES_FILE="missing.toml"), "BACKSCROLL_PRICES_FILE", "No such file"),
    "long instructions": (
        setting(BACKSCROLL_CONTEXT_TOKENS="500", BACKSCROLL_INSTRUCTIONS="Be kind. " * 100),
        "of 500 tokens",
        "BACKSCROLL_CONTEXT_TOKENS",
    ),
    "long persona": (
        setting(BACKSCROLL_CONTEXT_TOKENS="2000", BACKSCROLL_PERSONA="Be kind. " * 400),
        "BACKSCROLL_INSTRUCTIONS and BACKSCROLL_PERSONA: they take",
        "BACKSCROLL_CONTEXT_TOKENS",
    ),
    "database": (setting(DATABASE_URL="nonsense"), "DATABASE_URL", "sqlite:///FILE"),
    "hints": (
        setting(DATABASE_LISTEN_URL=f"postgresql://me:{SECRET}@127.0.0.1:{unused_port()}/x"),
        "DATABASE_LISTEN_URL",
        "DATABASE_LISTEN_URL",
    ),
    "no folder": (setting(DATABASE_URL="sqlite:///no/folder/x.db"), "no/folder/x.db", "Its folder must be there"),
    "number": (setting(BACKSCROLL_LEASE_SECONDS="soon"), "BACKSCROLL_LEASE_SECONDS", "number"),
    "misspelt": (
        setting(BACKSCROLL_CONTEXT_TOKEN=SECRET),
        "BACKSCROLL_CONTEXT_TOKEN is no setting",
        "Write BACKSCROLL_CONTEXT_TOKENS",
    ),
    "choice": (setting(OPENAI_API="soap"), "OPENAI_API", "'auto', 'responses' or 'chat'"),
}


@pytest.mark.parametrize("thing", WRONG)
async def test_what_is_wrong_is_named_with_its_remedy_and_hides_nothing_else(full: SetUp, thing: str) -> None:
    spoil, named, remedy = WRONG[thing]
    spoil(full)

    status, lines = await full.examined()

    assert status == 1
    (line,) = wrong(lines)
    assert named in line
    assert remedy in line
    assert SECRET not in line
    assert sum(line.startswith("ok ") for line in lines) >= 5, lines


async def test_it_does_not_stop_at_the_first_wrong_thing(full: SetUp) -> None:
    full.settings.update(
        DATABASE_URL=f"postgresql://me:{SECRET}@127.0.0.1:{unused_port()}/x",
        BACKSCROLL_INSTRUCTIONS="Be kind.",
        BACKSCROLL_INSTRUCTIONS_FILE="be-kind.md",
        BACKSCROLL_HEAR="everything",
        OPENAI_MODEL="gpt-0",
        SLACK_BOT_TOKEN=SECRET,
        SLACK_APP_TOKEN=SECRET,
        DISCORD_TOKEN=SECRET,
    )

    status, lines = await full.examined()

    assert status == 1
    for setting in full.settings.keys() & {"DATABASE_URL", "BACKSCROLL_INSTRUCTIONS_FILE", "BACKSCROLL_HEAR"}:
        assert any(setting in line for line in wrong(lines)), setting
    for setting in ("OPENAI_MODEL", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "DISCORD_TOKEN"):
        assert any(setting in line for line in wrong(lines)), setting
    assert SECRET not in "\n".join(lines)


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_a_postgresql_that_is_behind_is_the_operators_to_migrate(full: SetUp, empty_url: str) -> None:
    full.settings["DATABASE_URL"] = empty_url

    status, lines = await full.examined()

    assert status == 1
    assert wrong(lines)[0].startswith("wrong schema: is at nothing")
    assert "Run `backscroll migrate`" in wrong(lines)[0]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_tables_that_do_not_keep_workspaces_apart_as_a_start_demands_are_told(full: SetUp, url: str) -> None:
    """A4: a start refuses them, and the doctor has said that all is well."""
    full.settings["DATABASE_URL"] = url
    told = os.environ.get("BACKSCROLL_ROW_SECURITY") == "on"
    full.settings["BACKSCROLL_ROW_SECURITY"] = "off" if told else "on"

    status, lines = await full.examined()
    refused = await asyncio.to_thread(backscroll, "audit", **full.settings)  # which begins as a start does

    assert (status, refused.exit_code) == (1, 2), (lines, refused.stderr)
    assert wrong(lines) == [f"wrong row security: {refused.stderr.strip().removeprefix('backscroll: ')}"]


async def test_what_is_postgresqls_alone_is_no_help_to_a_file_and_told_so(full: SetUp) -> None:
    full.settings.update(BACKSCROLL_ROW_SECURITY="on", DATABASE_LISTEN_URL="postgresql://me@127.0.0.1/x")

    status, lines = await full.examined()

    assert status == 1
    assert [line.split(":")[0] for line in wrong(lines)] == ["wrong row security", "wrong DATABASE_LISTEN_URL"]


async def test_a_newcomer_without_settings_is_told_what_runs(full: SetUp) -> None:
    full.settings.clear()

    status, lines = await full.examined()

    assert status == 0
    assert any("stand-in" in line and "OPENAI_API_KEY" in line for line in lines)
    assert any("the console" in line for line in lines)


def test_what_a_start_refuses_the_doctor_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A4."""
    monkeypatch.chdir(tmp_path)
    refused, found = [
        backscroll(*words, BACKSCROLL_CONTEXT_TOKENS="500") for words in (("run", "console"), ("doctor",))
    ]

    assert (refused.exit_code, found.exit_code) == (2, 1)
    (line,) = wrong(found.stdout.splitlines())
    assert refused.stderr.strip().removeprefix("backscroll: ") in line


async def test_a_small_models_window_is_shown_as_a_turn_would_find_it(full: SetUp) -> None:
    """The first request leaves no room beside its answer: what a turn does then, the doctor does."""
    full.model.weather = small

    status, lines = await full.examined()

    assert status == 0, lines
    assert any(line.startswith("ok    window: of a context of 2,048 tokens 1,536 are shown, ") for line in lines), lines


async def test_a_model_too_small_for_the_instructions_is_wrong(full: SetUp) -> None:
    full.model.described = {"max_model_len": 400}

    status, lines = await full.examined()

    assert status == 1
    (line,) = wrong(lines)
    assert line.startswith("wrong window: of a context of 400 tokens 300 are shown, ")
    assert "OPENAI_MODEL" in line


async def test_what_was_learnt_by_a_process_the_doctor_knows_and_shows(full: SetUp, url: str) -> None:
    full.settings["DATABASE_URL"] = url
    database = connect(url)
    await database.write(migrations.upgrade)
    learnt = '{"refused": ["max_tokens", "stream_options"], "system": false}'
    await database.write(servers.keep, f"{full.model.url} auto", full.settings["OPENAI_MODEL"], learnt)
    await database.close()

    status, lines = await full.examined()

    assert status == 0, lines
    (asked,) = full.model.requests
    assert not asked.body.keys() & {"max_tokens", "stream_options"}
    assert "refuses max_tokens, stream_options; takes no system role" in "\n".join(lines)


async def test_a_database_that_others_may_open_is_told_with_the_command_that_closes_it(full: SetUp) -> None:
    """A2: one that was made before, or copied, under an open umask."""
    full.settings["DATABASE_URL"] = "sqlite:///open.db"
    await asyncio.to_thread(backscroll, "migrate", **full.settings)
    await asyncio.to_thread(Path("open.db").chmod, 0o644)

    status, lines = await full.examined()

    assert status == 1
    assert wrong(lines) == ["wrong database: others on this machine may open open.db → Run `chmod 600 open.db`."]


async def test_the_doctor_leaves_no_database_behind(full: SetUp) -> None:
    """A4."""
    full.settings["DATABASE_URL"] = "sqlite:///new.db"

    status, _ = await full.examined()
    new = [name for name in await asyncio.to_thread(os.listdir) if name.startswith("new.db")]

    assert status == 0
    assert not new


async def test_a_model_that_may_answer_beside_the_usual_one_is_examined_as_well(full: SetUp) -> None:
    full.settings["BACKSCROLL_CHEAPER_MODEL"] = "gpt-test-nano"

    status, lines = await full.examined()

    assert status == 1
    (line,) = wrong(lines)
    assert line.startswith("wrong model gpt-test-nano: The server does not know the model (404, model_not_found)")
    assert line.endswith("→ Check BACKSCROLL_MODELS and BACKSCROLL_CHEAPER_MODEL.")
