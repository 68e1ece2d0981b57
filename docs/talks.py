"""The conversations of the README's pictures, which are really held; only the model's words are written down here.

Slack's client talks to a Slack on loopback, the core keeps the session in a database, and what is told is what that
Slack has on screen. Days pass by moving all times in the database back; the dates on screen are then those of a story
that ends on `LAST`, and every hour of a day in it is the same one, so that the pictures are the same whenever they are
drawn.
"""

import re
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import migrations
from core.config import Settings
from core.store import connect
from core.timings import Timings
from tests.talk import Running
from tests.test_timeouts import days_pass, has_timed_out
from tests.wire.openai import OpenAIServer, Request
from tests.wire.slack import Message, SlackStage

LAST, HOUR = date(2026, 11, 30), "09:12"
"""The day on which the stories end, and what time it is in them."""

MODEL = str(Settings.model_fields["openai_model"].default)

_DATE = re.compile(r"(\d{4}-\d\d-\d\d)( \d\d:\d\d)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message, as people see it; `who` is empty where it is ours."""

    who: str
    text: str
    private: bool = False


Held = Sequence[Said | str]
"""A conversation, and what happened in between."""


async def launch() -> Held:
    """A launch is moved, the program is restarted, and somebody asks what is left for him."""
    async with _room(_LAUNCH) as room:
        async with room.running():
            await room.say("ada", "we move the launch to Thursday. Ben takes the changelog.", mention=True)
        room.tell("Backscroll is restarted")
        async with room.running():
            await room.say("ben", "sorry, I was away. What is left for me?")
            await room.say("ada", "!summarize")
            await room.say("ben", "!status")
        return room.held


_LAUNCH = {
    "Summarize": (
        "# decided\n- Ada moved the launch to **Thursday** (1)\n- Ben writes the **changelog** (1, 2)\n"
        "# open\n- Nobody has said who announces it (1)"
    ),
    "changelog": "Got it: the launch moves to **Thursday**, and Ben owns the changelog.",
    "left for me": "Just the **changelog**, Ben. Ada moved the launch to Thursday, so that is all.",
}


async def month() -> Held:
    """Four weeks of a thread: it is timed out, wakes up, and says what it knows."""
    async with _room(_MONTH, days=28) as room:
        async with room.running():
            room.tell_day()
            await room.say(
                "ada", "release 2.4 (`BILL-42`) goes out on 2026-11-19, without new invoices. OK?", mention=True
            )
            await room.say("ben", "I'll write the changelog. Which ticket was it?")
        await room.pass_days(3)
        async with room.running():
            room.tell_day()
            await room.say("ada", "the testers found two bugs, so we ship on 2026-12-01 instead.")
        await room.pass_days(23)
        async with room.running():
            await room.time_out()
            room.tell("nobody speaks for three weeks: after one of them the session is timed out, without a word")
            room.tell_day()
            await room.say("ben", "back from my holidays! When do we ship, and what is left for me?", more=2)
        await room.pass_days(2)
        async with room.running():
            room.tell_day()
            await room.say("ada", "!context")
            await room.say("ben", "!summarize")
        return room.held


_MONTH = {
    "Summarize": (
        "# about\n- Release 2.4 of the billing service (1-4)\n"
        "# decided\n- Ada moved the release from 2026-11-19 to **2026-12-01**, for two bugs (1, 3)\n"
        "- New invoices are left out (1)\n"
        "# open\n- Ben writes the **changelog** (2, 4)\n"
        "# links\n- `BILL-42` is the release's ticket (1)"
    ),
    "goes out": "Noted: release **2.4** on 2026-11-19, without new invoices.",
    "Which ticket": "`BILL-42`. And you write the **changelog**.",
    "two bugs": "Then it is **2026-12-01**, in place of 2026-11-19. The invoices stay out.",
    "holidays": "We ship on **2026-12-01**: the testers found two bugs. The **changelog** is left for you.",
}


@dataclass(kw_only=True)
class _Room:
    """A thread in Slack, the model behind it, and how many days are still to come."""

    url: str
    stage: SlackStage
    model: OpenAIServer
    days: int
    held: list[Said | str] = field(default_factory=list)

    def running(self) -> Running:
        """One life of the program."""
        return Running(self.url, self.model, self.stage, openai_model=MODEL, timings=Timings(poll=0.1))

    async def say(self, who: str, text: str, *, mention: bool = False, more: int = 1) -> None:
        """Somebody says this, and is answered in so many messages."""
        before = len(self._done())
        await self.stage.say(text, author=who)
        await self.stage.until(lambda: len(self._done()) >= before + more)
        self.held.append(Said(who=who, text=f"@Backscroll {text}" if mention else text))
        shown = [one for one in self.stage.shown() if one.done][before:]
        messages = {one.ts: one for one in self.stage.server.workspace.messages}
        texts = [_seen(messages[one.id]) or one.text for one in shown]
        self.held += [
            Said(who="", text=self._dated(text), private=one.private) for text, one in zip(texts, shown, strict=True)
        ]

    def _done(self) -> Sequence[str]:
        return [one.id for one in self.stage.shown() if one.done]

    def tell(self, what: str) -> None:
        """What happens in between."""
        self.held.append(what)

    def tell_day(self) -> None:
        """Which day it is."""
        self.tell(f"{LAST - timedelta(days=self.days):%A, %-d %B}")

    async def pass_days(self, days: int) -> None:
        """While nothing runs, so many days pass."""
        await days_pass(self.url, days)
        self.days -= days

    async def time_out(self) -> None:
        """Waits until the session is timed out."""
        await has_timed_out(self.url, 1)

    def _dated(self, text: str) -> str:
        """What is on screen, with the days of the story in place of those on which it is held."""
        today = datetime.now(UTC).date()
        past = {f"{today - timedelta(days=days)}": LAST - timedelta(days=days + self.days) for days in range(40)}

        def told(found: re.Match[str]) -> str:
            day = past.get(found[1])
            return found[0] if day is None or found[2] is None else f"{day} {HOUR}"

        return _DATE.sub(told, text)


def _seen(message: Message) -> str:
    """What stands in a message's blocks, with a chart as a fence of its own: a bar in each line."""
    parts = list[str]()
    for block in message.blocks:
        if block["type"] == "markdown":
            parts.append(block["text"])
        if block["type"] == "data_visualization":
            bars = [(point["label"], point["value"]) for one in block["chart"]["series"] for point in one["data"]]
            parts.append("\n".join(("```chart", *(f"{label}\t{value}" for label, value in bars), "```")))
    return "\n".join(parts)


@asynccontextmanager
async def _room(words: Mapping[str, str], *, days: int = 0) -> AsyncIterator[_Room]:
    """Where a conversation is held: the model says these words to what has their cue in it, the first that fits."""

    def answer(request: Request) -> str:
        return next((said for cue, said in words.items() if cue in request.last), "Yes.")

    with tempfile.TemporaryDirectory(prefix="backscroll-") as folder:
        url = f"sqlite:///{folder}/picture.db"
        database = connect(url)
        await database.write(migrations.upgrade)
        await database.close()
        async with SlackStage() as stage, OpenAIServer(answer=answer) as model:
            yield _Room(url=url, stage=stage, model=model, days=days)
