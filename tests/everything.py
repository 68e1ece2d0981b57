"""A long run of everything that a session can meet, and the epochs at which what stands before a question changed.

    .venv/bin/python -m tests.everything --actions 300 --seed 7

Two requests that follow one another are held against each other byte by byte. Where the later one does not begin with
the one before it up to its question, the log must have given the reason a name.
"""

import argparse
import asyncio
import json
import random
import re
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from rich.console import Console
from sqlalchemy import update
from structlog.testing import capture_logs

import migrations
from core.chores.timing_out import TimingOut
from core.events import Events
from core.memory.prompts import SUMMARIZE
from core.model.openai import OpenAIModel
from core.schema import sessions
from core.seam.messages import Audience, Deleted, Edited, Inbound
from core.store import connect
from tests.script import BRISK, House, ScriptedModel, TranscriptAdapter
from tests.values import ADA, BEN, HERE
from tests.wire.openai import KEY, MODEL, OpenAIServer, Request

BUDGET = 6_000
AT = 1_700_000_000.0
DAYS = 9 * 86_400_000
TALK = "and so we talked about this and that for long. "
OTHER = "gpt-other"


class Change(NamedTuple):
    """Requests that don't begin with the one before: after which action, how many, and what the log calls the reasons.

    Only those are counted whose process has made the one before it, too: no other one can tell.
    """

    number: int
    action: str
    times: int
    names: tuple[str, ...]


def answer(request: Request) -> str:
    """A record where one is asked for, else a word."""
    asked = re.search(r"Write the record of (-?\d+)-", request.texts[-1][1])
    return f"Noted, {len(request.texts)}." if asked is None else f"# facts\n- Ada told Ben much ({asked[1]})"


def is_fold(request: Request) -> bool:
    return "Write the record of" in request.texts[-1][1]


def beginning(request: Request) -> bytes:
    """What stands before its question, as it came over the wire."""
    question = json.dumps(request.texts[-1][1], ensure_ascii=False).encode()
    before, found, _ = request.raw.rpartition(b'{"role":"user","content":' + question)
    assert found
    return before


def _differ(before: Request, after: Request) -> bool:
    """Whether the later one of a process does not begin with the one before it."""
    names = [name for name in before.headers if name.lower() == "authorization"]
    is_same = all(before.headers[name] == after.headers.get(name) for name in names)
    begins_alike = before.instructions == after.instructions and after.raw.startswith(beginning(before))
    return is_same and not begins_alike


@dataclass
class Everything:
    """One session that people talk in, by way of one process or two."""

    url: str
    server: OpenAIServer
    dice: random.Random
    screen: TranscriptAdapter = field(default_factory=TranscriptAdapter)
    said: list[Inbound] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    replicas: list[tuple[House, AsyncExitStack]] = field(default_factory=list)
    _number: int = 0
    _before: Request | None = None

    async def run(self, actions: int) -> None:
        """So many actions by chance, and behind each a question."""
        await self.start()
        await self.ask("the first question")
        for _ in range(actions):
            kind = self.dice.choice(_MIX)
            self.done[kind] += 1
            with capture_logs() as lines:
                await getattr(self, f"do_{kind}")()
                await self.ask(kind)
            self._compare(kind, [str(line["epoch"]) for line in lines if line["event"] == "prefix changed"])
        while self.replicas:
            await self.stop()

    def _compare(self, kind: str, names: list[str]) -> None:
        """Holds the newest requests, that of a summary among them, against the one before."""
        requests = [one for one in self.server.requests if not is_fold(one)]
        summaries = [one for one in requests if one.last.startswith(SUMMARIZE)]
        # those that were stale: asked once, of no conversation
        again = summaries[: -1 if kind == "summarize" else None]
        requests = [one for one in requests if one not in again]
        self.server.requests.clear()
        changed = 0
        for request in requests:
            changed += self._before is not None and _differ(self._before, request)
            self._before = request
        if changed or names:
            self.changes.append(Change(sum(self.done.values()), kind, changed, tuple(names)))

    # Processes

    async def start(self) -> None:
        stack = AsyncExitStack()
        self.replicas.append((await stack.enter_async_context(self._replica()), stack))

    async def stop(self) -> None:
        _, stack = self.replicas.pop(0)
        await stack.aclose()

    @asynccontextmanager
    async def _replica(self) -> AsyncIterator[House]:
        database, models = connect(self.url), [self._model(MODEL), self._model(OTHER)]
        owner = f"host:boot:{self._number}:a"
        async with House(database, ScriptedModel(), self.screen, owner=owner, budget=BUDGET) as running:
            running.mind.model = models[0]
            running.mind.others = {OTHER: (models[1], running.mind.calibration)}
            running.mind.policy = replace(running.mind.policy, model=MODEL, allowed=frozenset({OTHER}), may_set=None)
            yield running
        for model in models:
            await model.close()
        await database.close()

    def _model(self, name: str) -> OpenAIModel:
        return OpenAIModel(api_key=f"{KEY}-{self._number}", model=name, base_url=self.server.url, api="responses")

    @property
    def one(self) -> House:
        """The process whose turn it is to hear what is said."""
        return self.replicas[-1][0]

    # What people do

    def message(self, text: str, **facts: object) -> Inbound:
        self._number += 1
        author = (ADA, BEN)[self._number % 2]
        known: dict[str, object] = {"address": HERE, "author": author, "audience": Audience.BOT, "text": text}
        known |= {"id": f"m{self._number}", "at": AT + 40 * self._number}
        return Inbound(**(known | facts))  # type: ignore[arg-type]  # a test's shorthand

    async def ask(self, about: str) -> None:
        await self._say(self.one, self.message(f"{self._number} {about}: {TALK * self.dice.choice((0, 1, 8))}"))

    async def _say(self, running: House, *messages: Inbound) -> None:
        self.said += messages
        await running.say(*messages)
        await running.over()

    async def command(self, line: str) -> None:
        await self.one.say(self.message(f"!{line}"))
        await self.one.over()

    async def do_talk(self) -> None:
        for _ in range(4):
            await self._say(self.one, self.message(f"{self._number} {TALK * 8}"))

    async def do_overhear(self) -> None:
        await self._say(self.one, self.message(f"{self._number} lunch?", audience=Audience.OTHERS, direct=False))

    async def do_late(self) -> None:
        """Said before what was said last, and heard after it."""
        late = self.message(f"{self._number} by the way", audience=Audience.OTHERS, direct=False)
        await self._say(self.one, self.message(f"{self._number} first"), replace(late, at=late.at - 20))

    async def do_call(self) -> None:
        """What was said to others long ago is edited into a question."""
        heard = [one for one in self.said if one.audience is Audience.OTHERS]
        if heard:
            await self._edit(self.dice.choice(heard), audience=Audience.BOT)

    async def do_edit(self) -> None:
        await self._edit(self.dice.choice(self.said[-40:]))

    async def _edit(self, said: Inbound, **facts: object) -> None:
        self._number += 1
        fresh = replace(said, text=f"{self._number} in other words", **facts)  # type: ignore[arg-type]  # as above
        self.said[self.said.index(said)] = fresh
        await self.one.say(Edited(message=fresh, at=AT + 40 * self._number))
        await self.one.over()

    async def do_delete(self) -> None:
        said = self.dice.choice(self.said[-40:])
        self.said.remove(said)
        await self.one.say(Deleted(address=HERE, id=said.id))

    async def do_fold(self) -> None:
        """What is due is folded; else there may be more to fold than has room."""
        await self.one.folding.look()

    async def do_time_out(self) -> None:
        """Days go by, and the chore ends the session's present; the question after that wakes it."""
        running = self.one
        names = ("touched_at", "spoken_at", "silent_since", "present_since")
        back = {name: sessions.c[name] - DAYS for name in names}
        await running.database.write(lambda connection: connection.execute(update(sessions).values(back)))
        if self.dice.random() < 0.5:  # else it is the question that finds it over
            policy, adapter = running.mind.policy, self.screen
            chore = TimingOut(database=running.database, policy=policy, adapter=adapter, timings=BRISK, events=Events())
            await chore.sweep()

    async def do_reset(self) -> None:
        await self.command("reset")

    async def do_undo(self) -> None:
        await self.command("undo")

    async def do_summarize(self) -> None:
        await self.command("summarize")

    async def do_prefer(self) -> None:
        await self.command(f"prefer tone {self.dice.choice(('dry', 'kind', 'short'))}")

    async def do_set_persona(self) -> None:
        await self.command(f"set persona You are number {self._number}.")

    async def do_set_model(self) -> None:
        await self.command(f"set model {self.dice.choice((MODEL, OTHER))}")

    async def do_set_context(self) -> None:
        await self.command(f"set context_tokens {self.dice.choice((4_000, 5_000, 6_000))}")

    async def do_replica(self) -> None:
        """Another process comes and answers; or of two the other one does from now on, which has missed much."""
        if len(self.replicas) < 2:
            await self.start()
        else:
            self.replicas.reverse()
        await self._say(self.one, self.message(f"{self._number} who are you?"))

    async def do_restart(self) -> None:
        while self.replicas:
            await self.stop()
        await self.start()


_MIX = (
    *["talk"] * 5,
    *["overhear"] * 3,
    *["late"] * 2,
    *["call"] * 2,
    *["edit"] * 4,
    *["delete"] * 3,
    *["fold"] * 5,
    *["undo"] * 3,
    *["summarize"] * 2,
    *["prefer"] * 2,
    *("time_out", "reset", "set_persona", "set_model", "set_context", "restart"),
    *["replica"] * 2,
)


async def everything(url: str, *, actions: int, seed: int) -> Everything:
    """One run on a database that has the schema."""
    async with OpenAIServer(answer=answer) as server:
        run = Everything(url, server, random.Random(seed))
        await run.run(actions)
    return run


async def main(actions: int, seed: int) -> None:
    screen = Console()
    with tempfile.TemporaryDirectory(prefix="backscroll-") as folder:
        url = f"sqlite:///{folder}/backscroll.db"
        database = connect(url)
        await database.write(migrations.upgrade)
        await database.close()
        run = await everything(url, actions=actions, seed=seed)
    for number, action, times, names in run.changes:
        screen.print(f"{number:5} {action:12} {', '.join(names)}{' UNNAMED' if len(names) < times else ''}")
    named = Counter(name for change in run.changes for name in change.names)
    screen.print(f"{actions} actions ({dict(run.done)}), {len(run.changes)} changes: {dict(named)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actions", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    asyncio.run(main(given.actions, given.seed))
