"""One run: the plan is carried out, everything comes to rest, and the screens are judged."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic, time

from tests.chaos.chronicle import Chronicle
from tests.chaos.databases import Base, OneFile, Server, Turn
from tests.chaos.misfortune import Misfortune
from tests.chaos.people import People
from tests.chaos.plan import LEASE, Blow, Line, Notice, Plan
from tests.chaos.platforms import Discord, Seen, Slack
from tests.chaos.replicas import Replica
from tests.chaos.verdict import Asked, Prompt, Verdict, judge
from tests.chaos.words import MARKER, answer, asked
from tests.wire.openai import Fault, OpenAIServer, Request, Weather

_START = 90.0
"""Seconds within which all replicas must be connected."""

_REST = 2 * LEASE + 4
"""Seconds without a change after which nothing more is expected where nothing is left to do."""

_HOPELESS = 3 * _REST
"""Seconds without a change after which what is wrong stays wrong."""

_PIECE = 0.02
"""Seconds between two pieces of an answer: so it grows on screen for some time."""

_COUNTED = {
    "edits": "EDITED",
    "deletions": "DELETED",
    "notices": "TOLD",
    "kills": "KILL",
    "freezes": "FREEZE",
    "drains": "DRAIN",
    "crashes": "CRASH of the database",
    "cuts": "CUT from the database",
    "hangs": "HANG from the database",
}
"""The rows of the table that are counts of events."""

_LONGEST_STORY = 80
"""Lines that are told about one offence."""

_UNDER_WAY = 0.05
"""Seconds for which what was sent before a kill may still arrive."""


When = Callable[[float], Awaitable[None]]
"""Waits for this second of the plan."""


@dataclass(kw_only=True)
class Report:
    """What came out of a run."""

    plan: Plan
    verdict: Verdict
    naive: bool
    counts: dict[str, int]
    takeovers: list[tuple[float, float, str]]
    """From a kill to the next activity for each session that was being answered: seconds, when, and which."""
    writes: int
    ambiguous: int
    unplanned: list[str] = field(default_factory=list)
    stories: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Run:
    """A plan being carried out in a folder."""

    def __init__(self, plan: Plan, folder: Path, *, naive: bool = False, patience: float = 120.0) -> None:
        self.plan, self.folder, self.naive, self.patience = plan, folder, naive, patience
        self.chronicle = Chronicle(folder)
        self.misfortune = Misfortune(plan.seed, ambiguous=plan.ambiguous)
        self.slack = Slack(self.chronicle, self.misfortune)
        self.discord = Discord(self.chronicle, self.misfortune)
        self.base: Base = OneFile(folder) if plan.database == "sqlite" else Server(folder, plan.replicas)
        self.model = OpenAIServer(answer=self._answer, pause=_PIECE)
        self.weather = Weather(seed=plan.seed, rate=plan.failing)
        self.model.weather, self.model.whole = self._asked, self._answered
        self.replicas: list[Replica] = []
        self.people = People(plan, {"slack": self.slack, "discord": self.discord}, self.base, self.chronicle)
        self.asked: list[Asked] = []
        self.prompts: list[Prompt] = []
        self.begun: dict[str, float] = {}
        self.finished: dict[str, float] = {}
        self._held: list[tuple[float, str]] = []
        self._random = Random(f"run {plan.seed}")

    async def carry_out(self) -> Report:
        """Starts everything, lets it be broken, waits for rest, and judges."""
        began = monotonic()
        async with AsyncExitStack() as stack:
            for part in (self.slack, self.discord, self.model, self.base):
                await stack.enter_async_context(part)
            await self.discord.open([place for place in self.plan.places if place.platform == "discord"])
            async with AsyncExitStack() as processes:
                for number in range(self.plan.replicas):
                    replica = Replica(number, self.chronicle, self._environment(number))
                    self.replicas.append(await processes.enter_async_context(replica))
                await self._all_connected()
                self.chronicle.note("BEGIN")
                await self._perform()
                verdict = await self._settled()
            report = await self._report(verdict)
        report.seconds = monotonic() - began
        return report

    def _environment(self, number: int) -> dict[str, str]:
        return {
            "DATABASE_URL": self.base.url(number),
            "CHAOS_HOST": self.base.host(number),
            "CHAOS_BLIND": "1" if self.naive else "",
            "BACKSCROLL_LEASE_SECONDS": f"{LEASE:g}",
            "BACKSCROLL_DRAIN_SECONDS": "2",
            "BACKSCROLL_LOG": "json",
            **self.slack.environment(),
            **self.discord.environment(),
            **self.model.environment(),
        }

    async def _all_connected(self) -> None:
        for city in (self.slack, self.discord):
            await city.until_connected(self.plan.replicas, _START)

    def _asked(self, request: Request) -> Fault | None:
        said = (text for role, text in request.texts if role == "user")
        self.prompts.append(Prompt(at=time(), markers=frozenset(MARKER.findall("\n".join(said)))))
        return self.weather(request)

    def _answered(self, request: Request) -> None:
        marker = asked(request.last)
        self.finished.setdefault(marker, time())
        self.chronicle.note("model answered", marker=marker)

    def _answer(self, request: Request) -> str:
        marker = asked(request.last)
        self.begun.setdefault(marker, time())
        self.chronicle.note("model asked", marker=marker)
        return answer(marker) if marker else "Nobody has asked me anything."

    # The plan

    async def _perform(self) -> None:
        began = asyncio.get_running_loop().time()

        async def when(at: float) -> None:
            await asyncio.sleep(max(0.0, began + at - asyncio.get_running_loop().time()))

        watching = asyncio.create_task(self.people.watch())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._talk(when))
                for notice in () if self.naive else self.plan.notices:  # the blind may never hear of a session
                    group.create_task(self._tell(notice, when))
                for line in self.plan.lines:
                    group.create_task(self._think_again(line, when))
                for blow in self.plan.blows:
                    group.create_task(self._strike_at(blow, when))
        finally:
            watching.cancel()
        self.chronicle.note("END OF THE BLOWS")

    async def _talk(self, when: When) -> None:
        for line in self.plan.lines:
            await when(line.at)
            await self.people.say(line)

    async def _think_again(self, line: Line, when: When) -> None:
        for change in line.changes:
            await when(change.at)
            await self.people.change(line, change)

    async def _tell(self, notice: Notice, when: When) -> None:
        await when(notice.at)
        with suppress(TimeoutError):  # then it is missing
            async with asyncio.timeout(self.patience):
                await self.people.tell(notice)

    async def _strike_at(self, blow: Blow, when: When) -> None:
        await when(blow.at)
        await self._strike(blow)

    async def _strike(self, blow: Blow) -> None:
        match blow.kind:
            case "kill":
                await self._kill(blow)
            case "freeze":
                replica = await self._some(blow)
                replica.freeze()
                await asyncio.sleep(blow.seconds)
                replica.thaw()
            case "drain":
                (await self._some(blow)).drain()
            case "crash":
                self.chronicle.note("CRASH of the database", seconds=round(blow.seconds, 1))
                await self.base.crash(blow.seconds)
                self.chronicle.note("database is back")
            case "cut" | "hang":
                await self._sever(blow)
            case "sockets":
                await self._random.choice([self.slack, self.discord]).shake(self._random)

    async def _some(self, blow: Blow) -> Replica:
        """The blow's victim, or the next one that is there to be hit."""
        while True:
            for step in range(len(self.replicas)):
                replica = self.replicas[(blow.victim + step) % len(self.replicas)]
                if replica.pid is not None and not replica.frozen:
                    return replica
            await asyncio.sleep(0.05)

    async def _kill(self, blow: Blow) -> None:
        replica = await self._some(blow)
        pid = replica.pid
        assert pid is not None
        replica.stop()
        held = await self.base.held(pid)
        replica.kill(restart_after=blow.seconds)
        self._held.extend((time(), session) for session in held)

    async def _sever(self, blow: Blow) -> None:
        number = blow.victim % len(self.replicas)
        self.chronicle.note(f"{blow.kind.upper()} from the database", replica=number, seconds=round(blow.seconds, 1))
        (self.base.cut if blow.kind == "cut" else self.base.hang)(number)
        await asyncio.sleep(blow.seconds)
        self.base.heal(number)
        self.chronicle.note("healed", replica=number)

    # Rest and judgement

    async def _settled(self) -> Verdict:
        """The verdict once nothing changes any more. Misfortune goes on until everybody has some answer."""
        ends, before, since = monotonic() + self.patience, None, monotonic()
        while monotonic() < ends:
            await self.people.look()
            seen = self._seen()
            if seen != before:
                before, since = seen, monotonic()
            verdict, still = judge(self._known({}), seen), monotonic() - since
            if not verdict.number("missing") or still > _REST:
                self.misfortune.on = False
                self.weather.rate = 0.0
            if still > (_REST if verdict.is_clean or self.naive else _HOPELESS) and not await self._waits():
                break
            await asyncio.sleep(0.25)
        self.chronicle.note("AT REST")
        return await self._final()

    async def _waits(self) -> bool:
        """Whether a message is still to be answered, or an answer to be looked at once more.

        One call that hangs may hold up all that is behind it.
        """
        if self.naive:
            return False
        return any(turn.is_open for turn in (await self.base.turns()).values()) or await self.base.doubts()

    async def _final(self) -> Verdict:
        await self.people.look()
        self.asked = self._known(await self.base.turns())
        return judge(self.asked, self._seen(), self.prompts)

    def _known(self, turns: Mapping[str, Turn]) -> list[Asked]:
        return self.people.known(turns, self.begun, self.finished)

    def _seen(self) -> list[Seen]:
        return [*self.slack.seen(), *self.discord.seen()]

    async def _report(self, verdict: Verdict) -> Report:
        return Report(
            plan=self.plan,
            naive=self.naive,
            verdict=verdict,
            counts={name: self.chronicle.number(what) for name, what in _COUNTED.items()}
            | {"model faults": self.weather.sent.total()},
            writes=self.misfortune.writes,
            ambiguous=self.misfortune.ambiguous,
            takeovers=sorted(self._takeovers(), reverse=True),
            unplanned=[end for replica in self.replicas for end in replica.exits],
            stories=await self._stories(verdict),
        )

    async def _stories(self, verdict: Verdict) -> list[str]:
        turns = await self.base.turns() if verdict.offences else {}
        questions = {one.marker: one for one in self.asked}
        stories: list[str] = []
        for offence in verdict.offences:
            stories.append(f"{offence.kind.upper()} {offence.marker} in {offence.session}: {offence.why}")
            question = questions.pop(offence.marker, None)
            if question is not None:
                stories.append(f"  record: {_recorded(turns.get(question.id))}")
                lines = self.chronicle.story(question.session, question.versions, since=question.at, until=time())
                stories.extend(f"  {line}" for line in lines[:_LONGEST_STORY])
        return stories

    def _takeovers(self) -> Iterator[tuple[float, float, str]]:
        """From each kill to the next sign of life in every session that the dead was answering."""
        place = {marker: one.session for one in self.asked for marker in one.versions}
        alive = [
            (event.at, event.session or place.get(event.marker, ""))
            for event in self.chronicle.events
            if event.what == "model asked" or event.what.startswith("  ->")
        ]
        for at, session in self._held:
            after = next((then - at for then, there in alive if then > at + _UNDER_WAY and there == session), None)
            if after is not None:
                yield after, at - self.chronicle.began, session


def _recorded(turn: Turn | None) -> str:
    if turn is None:
        return "not known to the bot"
    return "overheard, and never taken in" if turn.is_overheard else str(turn)
