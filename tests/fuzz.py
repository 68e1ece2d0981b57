"""Fuzz: real events, spoilt at random, reach the running program by the platform's own wire, and it must not care.

    .venv/bin/python -m tests.fuzz --events 10000 --platform slack --seed 7

After every batch a person asks something, and is answered in time. Each spoilt event is acknowledged; what can't be
read is kept as a rejection; no line is broken, and no word of what was sent is found in the log.
"""

import argparse
import asyncio
import json
import logging
import tempfile
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, redirect_stderr
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import structlog
from rich.console import Console

import migrations
from bots.program import logs
from core.schema import rejections
from core.store import connect
from core.timings import Timings
from tests.mutations import MARK, mutated, written
from tests.script import rows
from tests.talk import Running
from tests.wire.discord import DiscordStage
from tests.wire.openai import OpenAIServer
from tests.wire.slack import SlackStage
from tests.wire.slack.server import Envelope
from tests.wire.slack.workspace import BOT, BOT_USER, CHANNEL, TEAM

BATCH = 50
IN_TIME = 30.0
"""Seconds within which a question is answered between two batches, on a busy machine."""
LARGEST = 2_000_000
"""Characters of a frame: both client libraries close a socket over four million bytes."""
_SPOILT = 0.3
"""Of the platform's answers, so many are spoilt while a batch is on its way."""


class Wire(ABC):
    """One platform's wire: real events to begin with, and a way to send what became of them."""

    def __init__(self, dice: Random) -> None:
        self.dice = dice
        self.spoils = False

    @abstractmethod
    async def real(self) -> None:
        """Has people do all that they can do once."""

    @abstractmethod
    async def send(self) -> None:
        """One spoilt event."""

    @abstractmethod
    async def taken(self) -> None:
        """Returns once all that was sent has been acknowledged, where the platform knows that."""

    def answer(self, name: str, body: str) -> str:
        """An answer of the platform's, spoilt now and then."""
        return written(mutated(json.loads(body), self.dice)) if self._is_spoilt(name) and body else body

    def _is_spoilt(self, name: str) -> bool:
        return self.spoils and self.dice.random() < _SPOILT


class SlackWire(Wire):
    """Envelopes down a socket."""

    def __init__(self, stage: SlackStage, dice: Random) -> None:
        super().__init__(dice)
        self.stage = stage
        self._known: list[tuple[str, Any]] = []
        self._open: list[Envelope] = []
        self._count = 0
        stage.server.spoil = self.answer

    async def real(self) -> None:
        stage, workspace = self.stage, self.stage.server.workspace
        first = await stage.say("what is new?")
        file = workspace.upload("notes.txt", b"some notes")
        shared = workspace.forward(workspace.find(CHANNEL, first))
        said = await stage.write(
            f"<@{BOT_USER}> see <#C0OTHER> and <@U0BEN> <https://example.org|this>",
            files=[file],
            attachments=[shared, {"title": "A page", "fields": [{"title": "a", "value": "b"}], "fallback": "f"}],
            blocks=[{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [_TEXT]}]}],
        )
        await stage.edit(said, "what is old?")
        await stage.delete(await stage.say("never mind"))
        stage.shortcut("session_reset", workspace.find(CHANNEL, first), "U0ADA")
        stage.slash("status")
        here = {"user": "U0ADA", "channel": CHANNEL, "event_ts": first, "thread_ts": first}
        for event in (
            {"type": "agent_session_stopped", **here},
            {"type": "channel_archive", **here},
            {"type": "member_left_channel", **here, "user": BOT_USER},
            {"type": "message_metadata_posted", "channel_id": CHANNEL, "message_ts": first, "user_id": BOT_USER}
            | {"bot_id": BOT, "metadata": {"event_type": "backscroll_reply", "event_payload": {"key": "k", "part": 0}}},
        ):
            stage.server.event(event)
        session, trigger = stage.session("main"), "1.2.3"
        pressed = {"type": "block_actions", "trigger_id": trigger, "user": {"id": "U0ADA", "name": "ada"}}
        picked = {"action_id": "session_picker", "selected_option": {"value": f"status {session}"}}
        actions = [picked, {"action_id": "session_button_0", "value": f"prefer {session}"}]
        stage.server.send("interactive", pressed | {"channel": {"id": CHANNEL}, "actions": actions})
        view = {"id": "V1", "callback_id": "session_form", "private_metadata": f"prefer {session}", "team_id": TEAM}
        values = {"tone": {"tone 0": {"type": "plain_text_input", "value": "dry"}}}
        filled = {"type": "view_submission", "user": {"id": "U0ADA"}, "view": view | {"state": {"values": values}}}
        stage.server.send("interactive", filled)
        await asyncio.gather(*stage.server._later)
        self._known = [(one.kind, one.payload) for one in stage.server.envelopes]

    async def send(self) -> None:
        kind, payload = self.dice.choice(self._known)
        self._count += 1
        envelope = Envelope(id=f"spoilt-{self._count}", kind=kind, payload={})
        frame = {"envelope_id": envelope.id, "type": kind, "accepts_response_payload": kind != "events_api"}
        spoilt = {"payload": payload}
        for _ in range(10):
            if len(text := written(frame | mutated(spoilt, self.dice))) < LARGEST:
                break
        self._open.append(envelope)
        await self.stage.server.write(envelope, text)

    async def taken(self) -> None:
        try:
            await self.stage.until(lambda: all(one.acked.is_set() for one in self._open), IN_TIME)
        except TimeoutError:
            late = [one.id for one in self._open if not one.acked.is_set()]
            raise AssertionError(f"never acknowledged: {late}") from None
        self._open.clear()


_TEXT = {"type": "text", "text": "look", "style": {"code": True}}


class DiscordWire(Wire):
    """Events of the gateway."""

    def __init__(self, stage: DiscordStage, dice: Random) -> None:
        super().__init__(dice)
        self.stage = stage
        self._known: list[tuple[str, Any]] = []
        self._asked = 0
        stage.rest.spoil = self.answer

    async def real(self) -> None:
        stage = self.stage
        first = await stage.say("what is new?")
        await stage.attach("see", ("notes.txt", b"some notes", "text/plain"))
        await stage.forward(first, "and this")
        await stage.answer(f"<@{stage.world.bot['id']}> is that right? <#1> <@2> <:a:3>", first)
        embed = {"title": "A page", "url": "https://example.org", "fields": [{"name": "a", "value": "b"}]}
        poll = {"question": {"text": "which?"}, "answers": [{"answer_id": 1, "poll_media": {"text": "a"}}]}
        await stage.speak("look", embeds=[embed], poll=poll, sticker_items=[{"id": "5", "name": "wave"}])
        await stage.edit(first, f"<@{stage.world.bot['id']}> what is old?")
        gone = [await stage.say("never mind"), await stage.say("nor this")]
        await stage.delete(gone[0], gone[1])
        await stage.delete(await stage.say("nor that"))
        await stage.thread("aside")
        await stage.say("hello", place="aside")
        await stage.command("status")
        await stage.command("prefer", text="tone dry")
        await stage.menu("Summarize up to here", first)
        channel, place = await stage.place("main"), stage.session("main")
        pressed = {"custom_id": f"prefer {place}", "component_type": 3, "values": ["tone"]}
        typed = {"custom_id": f"prefer {place}", "components": [{"component": {"custom_id": "tone 0", "value": "dry"}}]}
        for kind, data in ((3, pressed), (5, typed)):
            payload = stage.interaction("", channel, "ada") | {"type": kind, "data": data}
            await stage.gateway.dispatch("INTERACTION_CREATE", payload)
        await stage.remove("aside")
        (session,) = stage.gateway.connected
        self._known = [(one["t"], one["d"]) for one in session.sent if one["t"] in _HEARD]

    async def send(self) -> None:
        event, payload = self.dice.choice(self._known)
        (session,) = self.stage.gateway.connected
        assert session.socket is not None
        session.seq += 1
        for _ in range(10):
            frame = {"op": 0, "t": event, "s": session.seq, **mutated({"d": payload}, self.dice)}
            if len(text := written(frame)) < LARGEST:
                break
        await session.socket.write(text)

    async def taken(self) -> None:
        """Nothing is acknowledged there; but what is said behind it all, where most of it was said, is answered."""
        self._asked += 1
        await self.stage.say(f"are you there, {self._asked}?")
        await self.stage.until(lambda: any(f"there, {self._asked}?" in one.text for one in self.stage.shown()), IN_TIME)
        assert len(self.stage.gateway.identified) == 1, "the connection was lost over an event"
        assert self.stage.gateway.resumed == 0, "the connection was lost over an event"


_HEARD = frozenset(
    {"MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK", "INTERACTION_CREATE"}
    | {"THREAD_DELETE", "CHANNEL_DELETE", "GUILD_CREATE", "CHANNEL_CREATE", "THREAD_CREATE"}
)


@dataclass(kw_only=True)
class Fuzzed:
    """What a run has come to."""

    rejected: int = 0
    slowest: float = 0.0
    stalls: float = 0.0
    """The longest time that the event loop stood still."""
    logged: Counter[str] = field(default_factory=Counter)


async def fuzz(platform: str, url: str, *, events: int, seed: int) -> Fuzzed:
    """So many spoilt events, with a question after every batch, on this database. Raises AssertionError."""
    dice, done = Random(seed), Fuzzed()
    async with OpenAIServer() as model, _stage(platform) as stage:
        wire: Wire = SlackWire(stage, dice) if isinstance(stage, SlackStage) else DiscordWire(stage, dice)
        with _Log() as logged:
            try:
                async with Running(url, model, stage, timings=Timings()), _watching(done):
                    await wire.real()
                    await _asked(stage, 0, done)
                    for number in range(0, events, BATCH):
                        wire.spoils = True
                        for _ in range(min(BATCH, events - number)):
                            await wire.send()
                        wire.spoils = False
                        await wire.taken()
                        await _asked(stage, number + 1, done)
            except BaseException as error:
                error.add_note("\n".join(line[:300] for line in logged.getvalue().splitlines()[-30:]))
                raise
            lines = logged.getvalue().splitlines()
            done.logged = Counter(_event(line) for line in lines)
    _judge(lines)
    database = connect(url)
    done.rejected = len(await rows(database, rejections))
    await database.close()
    return done


def _stage(platform: str) -> SlackStage | DiscordStage:
    return SlackStage() if platform == "slack" else DiscordStage()


async def _asked(stage: SlackStage | DiscordStage, number: int, done: Fuzzed) -> None:
    """A person asks in a place of its own, and is answered in time."""
    place, began = f"question {number}", monotonic()
    await stage.say(f"question {number}", place=place)
    try:
        await stage.until(lambda: any("You said" in one.text for one in stage.shown(place)), IN_TIME)
    except TimeoutError:
        raise AssertionError(f"question {number} was not answered: {stage.shown(place)}") from None
    done.slowest = max(done.slowest, monotonic() - began)


def _judge(lines: Sequence[str]) -> None:
    for line in lines:
        told = json.loads(line)
        assert MARK.split()[0] not in line, f"what was said is in the log: {line[:2_000]}"
        assert told["event"] not in ("unheard", "event failed", "events lost"), line[:4_000]


def _event(line: str) -> str:
    try:
        return str(json.loads(line)["event"])[:60]
    except ValueError:
        return line[:60]


class _Log:
    """The log of what runs meanwhile, as it is written in production."""

    def __enter__(self) -> StringIO:
        root = logging.getLogger()
        self._before = root.handlers[:], root.level, structlog.get_config()
        written = StringIO()
        with redirect_stderr(written):
            logs.configure("json")
        asyncio.get_running_loop().set_exception_handler(logs.unheard)
        return written

    def __exit__(self, *_: object) -> None:
        root = logging.getLogger()
        root.handlers[:], level, structured = self._before
        root.setLevel(level)
        structlog.configure(**structured)


@asynccontextmanager
async def _watching(done: Fuzzed) -> AsyncIterator[None]:
    """Meanwhile, how long the event loop stands still is measured."""

    async def watch() -> None:
        while True:
            before = monotonic()
            await asyncio.sleep(0.05)
            done.stalls = max(done.stalls, monotonic() - before - 0.05)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()


async def main(platforms: Sequence[str], events: int, seed: int) -> None:
    """One run on each platform."""
    screen = Console()
    with tempfile.TemporaryDirectory(prefix="backscroll-") as folder:
        for platform in platforms:
            url = f"sqlite:///{Path(folder)}/{platform}.db"
            database = connect(url)
            await database.write(migrations.upgrade)
            await database.close()
            done = await fuzz(platform, url, events=events, seed=seed)
            screen.print(f"{platform}: {events} events, {done.rejected} rejected, slowest answer {done.slowest:.1f} s,")
            screen.print(f"  longest standstill {done.stalls:.2f} s, logged: {dict(done.logged)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--platform", choices=["slack", "discord"], action="append")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    asyncio.run(main(given.platform or ["slack", "discord"], given.events, given.seed))
