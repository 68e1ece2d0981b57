"""The logs: one line each, session, platform and outcome in it; never what people wrote, never a token."""

import asyncio
import json
import logging
import re
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from pathlib import Path

import pytest
import structlog
import typer

from bots.program import exits, logs
from bots.program.wiring import run
from core.config import Settings
from core.errors import PlatformError
from core.model.llm import Finish, Prompt
from core.model.offline import OfflineModel
from core.seam.adapter import Adapter, Receive
from core.seam.address import Address
from core.seam.messages import Audience, Author, Draft, Inbound, Reply
from core.store import connect
from tests.process import process
from tests.stage import Stage
from tests.stages import STAGES
from tests.test_kills import texts
from tests.wire.discord import DiscordStage
from tests.wire.openai import KEY, Break, OpenAIServer, Status
from tests.wire.slack import SlackStage

SAID, ANSWERED, NAME = "quokka", "axolotl", "grizelda"
PRIVATE = (SAID, ANSWERED, NAME)


@pytest.fixture
def dialect() -> str:
    """What is logged does not depend on the database."""
    return "sqlite"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """`configure` is for a whole process; the tests' own goes on."""
    root, structured = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**structured)


def assert_private(logged: str, *secrets: str) -> None:
    for word in (*PRIVATE, *secrets):
        assert word not in logged.lower(), f"{word} is in the log"


def fail() -> None:
    """Fails with what somebody wrote in the message of an error and in a local variable, as libraries do."""
    words = f"{NAME} said {SAID}"
    try:
        raise KeyError(words)
    except KeyError as error:
        raise ExceptionGroup(words, [ValueError(words)]) from error


def test_json_is_one_object_a_line_whatever_happens(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")
    log = structlog.get_logger()
    log.info("answered", session="slack:T1:C1", platform="slack", outcome="two\nlines")
    logging.getLogger("some.library").warning("a warning\nof two lines")
    try:
        fail()
    except ExceptionGroup:
        log.exception("failed", session="slack:T1:C1")

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    assert [line["event"] for line in lines] == ["answered", "a warning\nof two lines", "failed"]
    assert lines[0].items() >= {"session": "slack:T1:C1", "platform": "slack", "level": "info"}.items()
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert "in fail" in lines[2]["exception"]


def test_text_is_one_line_with_the_same_facts(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("text")
    structlog.get_logger().info("answered", session="slack:T1:C1", platform="slack", outcome="two\nlines")
    logging.getLogger("some.library").warning("a warning")

    ours, theirs = capsys.readouterr().err.splitlines()

    assert all(fact in ours for fact in ("answered", "session=slack:T1:C1", "platform=slack", r"outcome=two\nlines"))
    assert "a warning" in theirs
    assert "\x1b" not in ours + theirs, "colours are for terminals"


FORGED = "x\n2026-11-29T12:00:00Z [info] answered\r\x1b[2J\x85\u2028\u202e\ud800 é🙂"
"""A line of the log, and signs that move a terminal's cursor or turn its text around."""


@pytest.mark.parametrize("form", ["text", "json"])
def test_nobody_forges_a_line(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json" if form == "json" else "text")
    structlog.get_logger().info("answered", session=FORGED, ids=[FORGED], reason=FORGED)
    logging.getLogger("some.library").warning(FORGED)

    logged = capsys.readouterr().err

    assert logged.isascii() or form == "text"
    assert logged.count("\n") == 2
    assert all(line.isprintable() for line in logged.splitlines())


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_libraries_own_chatter_stays_out(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json" if form == "json" else "text")
    for library in (
        "discord",
        "discord.gateway",
        "slack_sdk",
        "slack_bolt",
        "openai",
        "httpx",
        "sqlalchemy",
        "aiohttp",
    ):
        logging.getLogger(library).debug(SAID)
        logging.getLogger(library).info(SAID)

    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_traceback_tells_the_place_and_not_the_words(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither local variables nor the messages of errors that are not ours."""
    logs.configure("json" if form == "json" else "text")
    try:
        fail()
    except ExceptionGroup as error:
        structlog.get_logger().error("failed", exc_info=error)
        logging.getLogger("asyncio").exception("failed")

    logged = capsys.readouterr().err

    assert logged.count("test_logs.py") >= 4
    assert all(told in logged for told in ("KeyError", "ExceptionGroup", "ValueError"))
    assert_private(logged)


def test_an_error_of_our_own_says_what_it_is() -> None:
    """Its words are written for the log."""
    assert logs.trace(PlatformError("Slack is closed")).endswith("\nPlatformError: Slack is closed")


def crash(work: Callable[[], Coroutine[object, object, int]]) -> int:
    with pytest.raises(typer.Exit) as ended:
        exits.go(work)
    return ended.value.exit_code


def test_a_crash_ends_with_a_line_that_explains_it_and_tells_no_words(capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> int:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(fail))
        return 0

    status = crash(work)

    logged = capsys.readouterr().err
    assert status == 1
    assert "in fail" in logged
    assert logged.splitlines()[-1].startswith("backscroll: ended by an unexpected ExceptionGroup")
    assert_private(logged)


def test_of_several_failures_the_one_that_has_a_name_explains_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """The others are logged."""

    async def refuse() -> None:
        raise PlatformError("Slack is closed: open it")

    async def stumble() -> None:
        fail()

    async def work() -> int:
        async with asyncio.TaskGroup() as outer, asyncio.TaskGroup() as inner:
            inner.create_task(refuse())
            outer.create_task(stumble())
        return 0

    assert crash(work) == 2

    logged = capsys.readouterr().err
    assert logged.splitlines()[-1] == "backscroll: Slack is closed: open it"
    assert "in stumble" in logged
    assert_private(logged)


def test_a_failure_that_nobody_awaits_is_told_without_words(capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> int:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(asyncio.to_thread(fail), name=f"about {SAID}")
        await asyncio.wait([task])
        del task
        loop.call_soon(int, SAID)
        await asyncio.sleep(0)
        loop.call_exception_handler({"message": "something is odd"})
        raise PlatformError("done")

    assert crash(work) == 2

    logged = capsys.readouterr().err
    assert logged.count("a task or callback failed") == 2
    assert "in fail" in logged
    assert "something is odd" in logged
    assert_private(logged)


class Clumsy(Adapter):
    """A platform whose library fails once in every way, and quotes what was said each time."""

    platform = "clumsy"
    max_text = 1000
    preview_every = 0.01

    def __init__(self) -> None:
        self.delivered: list[str] = []
        self.failed: set[str] = set()
        self.done = asyncio.Event()

    def fail_once(self, where: str) -> None:
        if where not in self.failed:
            self.failed.add(where)
            fail()

    async def listen(self, receive: Receive) -> None:
        here = Address(platform=self.platform, workspace="W", channel="C", thread="T")
        ada = Author(id="U1", name=NAME)
        await receive(Inbound(address=here, id="1", author=ada, text=SAID, at=1_700_000_000, audience=Audience.BOT))
        await asyncio.Event().wait()

    async def preview(self, reply: Reply) -> Draft | None:
        fail()
        return None

    async def backscroll(self, message: Inbound, limit: int) -> list[Inbound]:
        self.fail_once("backscroll")
        return []

    async def deliver(self, reply: Reply) -> str:
        self.fail_once("deliver")
        self.delivered.append(reply.text)
        self.done.set()
        return "sent"


class Moody(OfflineModel):
    """A model whose library fails once, and quotes what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.failed = False

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | Finish, None]:
        yield ANSWERED
        if not self.failed:
            self.failed = True
            fail()
        yield Finish(model="moody")


async def test_unforeseen_errors_are_logged_without_words(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")
    database, adapter, stop = connect(url), Clumsy(), asyncio.Event()
    settings = Settings(_env_file=None, database_url=url)  # type: ignore[call-arg]  # pydantic-settings' own
    try:
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            group.create_task(
                run(settings, database=database, model=Moody(), adapters={adapter.platform: adapter}, stop=stop)
            )
            await adapter.done.wait()
            stop.set()
    finally:
        await database.close()

    logged = capsys.readouterr().err
    assert adapter.delivered == [ANSWERED]
    assert logged.count("clumsy:W:C:T") >= 3
    assert_private(logged)


QUOTING = f"{NAME} said {SAID}, and I {ANSWERED}"


def spoil(stage: Stage) -> None:
    """The platform refuses what is said next, and quotes it if that is its way."""
    if isinstance(stage, SlackStage):
        for method in ("chat.startStream", "chat.postMessage"):
            stage.server.fail(method, "restricted_action")
    if isinstance(stage, DiscordStage):
        stage.world.fault("POST .*/messages$", status=400, body={"code": 50035, "message": QUOTING, "errors": {}})


@pytest.mark.parametrize(("platform", "form"), [("slack", "json"), ("discord", "text")])
async def test_a_conversation_leaves_no_words_in_the_log(platform: str, form: str, url: str, tmp_path: Path) -> None:
    """Nor does one in which the model and the platform fail, quoting it; tokens stay out as well."""
    async with STAGES[platform]() as stage, OpenAIServer(answer=lambda request: ANSWERED) as model:
        settings = {"DATABASE_URL": url, "BACKSCROLL_LOG": form, **stage.environment(), **model.environment()}
        async with process(tmp_path, "run", **settings) as running:
            await stage.say(f"about the {SAID}", author=NAME)
            await stage.until(lambda: texts(stage) == [ANSWERED])
            await stage.say("!status", author=NAME)
            await stage.until(lambda: len(texts(stage)) == 2)

            model.faults += [Break(how="error", message=QUOTING), Status(status=400, message=QUOTING, code="odd")]
            await stage.say(f"more about the {SAID}", author=NAME)
            await stage.until(lambda: "not set up" in texts(stage)[-1])

            spoil(stage)
            await stage.say(f"{SAID}!", author=NAME, place="elsewhere")
            await model.until(lambda: len(model.requests) == 4)
            await stage.say(f"{SAID}?", author=NAME)
            await stage.until(lambda: texts(stage)[-1] == ANSWERED)
            running.send_signal(signal.SIGTERM)
            _, said = await running.communicate()

        session = stage.session("main")
    logged = said.decode()
    assert running.returncode == 0
    assert_private(logged, KEY, *(value for name, value in stage.environment().items() if name.endswith("TOKEN")))
    lines = logged.splitlines()
    assert any(session in line and "RequestNotTaken" in line for line in lines), "it names the session and the outcome"
    assert any("ready" in line and platform in line for line in lines)
    for line in lines:
        assert form == "text" or json.loads(line)["event"]
        assert form == "json" or re.match(r"\d{4}-\d\d-\d\dT\S+Z \[\w+ *\] ", line)


@pytest.mark.in_the_clear
async def test_a_conversation_in_the_console_has_the_screen_to_itself(url: str, tmp_path: Path) -> None:
    """Only warnings are logged there, and without words."""
    async with OpenAIServer(answer=lambda request: ANSWERED) as model:
        model.faults.append(Break(how="error", message=QUOTING))
        async with process(tmp_path, "run", "console", DATABASE_URL=url, **model.environment()) as running:
            shown, said = await running.communicate(f"about the {SAID}\n!status\n".encode())

    assert running.returncode == 0
    assert ANSWERED in shown.decode()
    in_the_clear, line = said.decode().splitlines()
    assert "BACKSCROLL_KEYS" in in_the_clear
    assert "to be tried again" in line
    assert_private(said.decode(), KEY)
