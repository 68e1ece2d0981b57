"""One run: the plan is carried out, everything comes to rest, and the screens are judged."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from time import monotonic, time

from core.store.segments import Move
from tests.chaos.ageing import judge_ageing
from tests.chaos.ages import Aged
from tests.chaos.aims import Aim, Aims
from tests.chaos.chronicle import Chronicle
from tests.chaos.databases import Base, OneFile, Server, Turn
from tests.chaos.misfortune import Gusts, Misfortune
from tests.chaos.people import People
from tests.chaos.plan import LEASE, Blow, Line, Notice, Order, Plan, Silence
from tests.chaos.platforms import Discord, Seen, Slack
from tests.chaos.replicas import Replica
from tests.chaos.verdict import Asked, Prompt, Verdict, judge
from tests.chaos.words import MARKER, answer, asked, folds, in_records, in_turns, is_moving, is_waking, record
from tests.wire.openai import KEY, Fault, OpenAIServer, Request, Weather

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
    "records": "record written",
    "kills": "KILL",
    "aimed kills": "AIMED",
    "freezes": "FREEZE",
    "jumps of clocks": "CLOCK ahead",
    "refused handshakes": "REFUSAL by a platform",
    "dead addresses": "ASTRAY by a platform",
    "senseless limits": "SILENCE by a platform",
    "said in vain": "SAID in vain",
    "drains": "DRAIN",
    "crashes": "CRASH of the database",
    "cuts": "CUT from the database",
    "hangs": "HANG from the database",
}
"""The rows of the table that are counts of events."""

_CONTEXT = 4_000
"""Tokens of a window: it is full after a few messages, and the least with which anything is folded is 3,000."""

_LONG_CONTEXT = 16_000
"""The same in a run that is lasting: what stands in for a model writes records that can't be put more briefly, so a
small window has no room for those of an hour.
"""

_PID = re.compile(r":(\d+)@")
"""The process in an owner's name."""

_LONGEST_STORY = 160
"""Lines that are told about one message: how it began, and how it ended."""

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

    def __init__(self, plan: Plan, folder: Path, *, naive: bool = False, patience: float = 300.0) -> None:
        self.plan, self.folder, self.naive, self.patience = plan, folder, naive, patience
        self.chronicle = Chronicle(folder)
        self.misfortune = Misfortune(plan.seed, ambiguous=plan.ambiguous)
        self.slack = Slack(self.chronicle, self.misfortune)
        self.discord = Discord(self.chronicle, self.misfortune)
        self.base: Base = OneFile(folder) if plan.database == "sqlite" else Server(folder, plan.replicas)
        self.model = OpenAIServer(answer=self._answer, pause=_PIECE)
        self.model.usage = "none"  # each process would learn another measure, and drop what another one has room for
        self.weather = Weather(seed=plan.seed, rate=plan.failing)
        self.gusts = Gusts(self.weather)
        self.model.weather, self.model.whole = self._asked, self._answered
        self.replicas: list[Replica] = []
        self.people = People(plan, {"slack": self.slack, "discord": self.discord}, self.base, self.chronicle)
        self.aims = Aims(plan.seed, self._aim)
        self.slack.watch = self.discord.watch = self._posts
        self.asked: list[Asked] = []
        self.prompts: list[Prompt] = []
        self.begun: dict[str, float] = {}
        self.finished: dict[str, float] = {}
        self.aged: Mapping[str, Aged] = {}
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
                rested = await self._settle(_REST)
                if rested and not self.naive:
                    await self._close()
                    rested = await self._settle(LEASE)
                verdict = await self._final()
            report = await self._report(verdict)
        if not rested:
            report.unplanned.append(f"no rest within {self.patience:.0f} s: what is in view is not judged")
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
            "OPENAI_API_KEY": f"{KEY}-{number}",
            "BACKSCROLL_CONTEXT_TOKENS": f"{_LONG_CONTEXT if self.plan.lasting else _CONTEXT}",
        }

    async def _all_connected(self) -> None:
        for city in (self.slack, self.discord):
            await city.until_connected(self.plan.replicas, _START)

    def _asked(self, request: Request) -> Fault | None:
        said = "\n".join(text for role, text in request.texts if role == "user")
        if folds(request.last):
            self.prompts.append(Prompt(at=time(), told=(*in_records(said), *in_turns(said))))
            self.aims.see("fold", replica=_maker(request))
        else:
            about = asked(request.last)
            self.prompts.append(Prompt(at=time(), told=(*MARKER.findall(said), *in_records(said)), about=about))
            if woken := self.people.speaks(about):
                self.aims.see("waking", woken)
        return self.gusts.meet(request)

    def _answered(self, request: Request) -> None:
        if folds(request.last):
            self.chronicle.note("record written")
            self.aims.see("folded", replica=_maker(request))
            return
        marker = asked(request.last)
        self.finished.setdefault(marker, time())
        self.chronicle.note("model answered", marker=marker)

    def _answer(self, request: Request) -> str:
        if folds(request.last):
            return record(request.last)
        marker = asked(request.last)
        self.begun.setdefault(marker, time())
        self.chronicle.note("model asked", marker=marker)
        return answer(marker) if marker else "Nobody has asked me anything."

    def _posts(self, words: str, session: str) -> None:
        if is_waking(words):
            self.aims.see("woken", session)
        elif is_moving(words):
            self.aims.see("obeyed", session)

    # The plan

    async def _perform(self) -> None:
        began = asyncio.get_running_loop().time()

        async def when(at: float) -> None:
            await asyncio.sleep(max(0.0, began + at - asyncio.get_running_loop().time()))

        watching = asyncio.create_task(self.people.watch())
        self.aims.on = not self.naive and not self.plan.lasting
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._talk(when))
                for notice in () if self.naive else self.plan.notices:  # the blind may never hear of a session
                    group.create_task(self._tell(notice, when))
                for line in self.plan.lines:
                    group.create_task(self._think_again(line, when))
                for line in () if self.naive else self.plan.vain:
                    group.create_task(self._say_in_vain(line, when))
                for order in () if self.naive else self.plan.orders:
                    group.create_task(self._order(order, when))
                for silence in () if self.naive else self.plan.silences:
                    group.create_task(self._wait(silence, when))
                for blow in self.plan.blows:
                    group.create_task(self._strike_at(blow, when))
        finally:
            watching.cancel()
            await self.aims.rest()
        self.chronicle.note("END OF THE BLOWS")

    async def _talk(self, when: When) -> None:
        for line in self.plan.lines:
            await when(line.at)
            await self.people.say(line)

    async def _say_in_vain(self, line: Line, when: When) -> None:
        await when(line.at)
        await (self.slack if line.place.platform == "slack" else self.discord).say(line, plain=False)
        self.chronicle.note("SAID in vain", marker=line.marker)

    async def _think_again(self, line: Line, when: When) -> None:
        for change in line.changes:
            await when(change.at)
            await self.people.change(line, change)

    async def _tell(self, notice: Notice, when: When) -> None:
        await when(notice.at)
        with suppress(TimeoutError):  # then it is missing
            async with asyncio.timeout(self.patience):
                await self.people.tell(notice)

    async def _order(self, order: Order, when: When) -> None:
        await when(order.at)
        self.aims.see(order.verb, await self.people.order(order))

    async def _wait(self, silence: Silence, when: When) -> None:
        await when(silence.at)
        with suppress(TimeoutError):  # then there never was a session
            async with asyncio.timeout(self.patience):
                self.aims.see("time-out", await self.people.wait(silence))

    async def _aim(self, aim: Aim, session: str, replica: int | None) -> None:
        """Kills the one who is at it, as far as that can be known."""
        pid = None if replica is None else self.replicas[replica].pid
        if replica is None:
            owner = await self.base.at_work(session, "timing out" if aim == "time-out" else "")
            found = _PID.search(owner)
            pid = int(found[1]) if found else None
        victim = next((one for one in self.replicas if one.pid is not None and one.pid == pid), None)
        if victim is None:
            victim = await self._some(Blow(at=0.0, kind="kill", seconds=0.0, victim=self._random.randrange(1_000)))
        if not victim.frozen:
            self.chronicle.note("AIMED", at=aim, session=session, replica=victim.number)
            await self._fell(victim, 0.0)

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
            case "clock":
                await self._jump(blow)
            case "refusal" | "astray" | "silence":
                await self._mislead(blow)

    async def _some(self, blow: Blow) -> Replica:
        """The blow's victim, or the next one that is there to be hit."""
        while True:
            for step in range(len(self.replicas)):
                replica = self.replicas[(blow.victim + step) % len(self.replicas)]
                if replica.pid is not None and not replica.frozen:
                    return replica
            await asyncio.sleep(0.05)

    async def _mislead(self, blow: Blow) -> None:
        """What is noticed at the next connection is done before one ends."""
        city = self._random.choice([self.slack, self.discord])
        self.chronicle.note(f"{blow.kind.upper()} by a platform", platform=type(city).__name__.lower())
        match blow.kind:
            case "refusal":
                city.refuse(self._random)
            case "astray":
                city.lead_astray()
            case _:
                city.silence()
                return
        await city.shake(self._random)

    async def _jump(self, blow: Blow) -> None:
        replica = await self._some(blow)
        while not replica.jump():
            await asyncio.sleep(0.1)
            replica = await self._some(blow)
        await asyncio.sleep(blow.seconds)
        replica.jump_back()

    async def _kill(self, blow: Blow) -> None:
        await self._fell(await self._some(blow), blow.seconds)

    async def _fell(self, replica: Replica, seconds: float) -> None:
        pid = replica.pid
        if pid is None:
            return
        replica.stop()
        held = await self.base.held(pid)
        replica.kill(restart_after=seconds)
        self._held.extend((time(), session) for session in held)

    async def _sever(self, blow: Blow) -> None:
        number = blow.victim % len(self.replicas)
        self.chronicle.note(f"{blow.kind.upper()} from the database", replica=number, seconds=round(blow.seconds, 1))
        (self.base.cut if blow.kind == "cut" else self.base.hang)(number)
        await asyncio.sleep(blow.seconds)
        self.base.heal(number)
        self.chronicle.note("healed", replica=number)

    # Rest and judgement

    async def _settle(self, rest: float) -> bool:
        """Whether nothing changes any more, once that is so. Misfortune goes on until everybody has some answer."""
        ends, before, since = monotonic() + self.patience, None, monotonic()
        while monotonic() < ends:
            await self.people.look()
            seen = self._seen()
            if seen != before:
                before, since = seen, monotonic()
            verdict, still = judge(self._known({}), seen, orders=self.people.orders), monotonic() - since
            if not verdict.number("missing") or still > _REST:
                self.misfortune.on = False
                self.weather.rate = 0.0
            if still > (rest if verdict.is_clean or self.naive else _HOPELESS) and not await self._waits():
                self.chronicle.note("AT REST")
                return True
            await asyncio.sleep(0.25)
        self.chronicle.note("NO REST")
        return False

    async def _close(self) -> None:
        """Somebody asks once more in each place: what is remembered there is in that request."""
        for line in self.plan.closing:
            if any(one.place is line.place and one.number in self.people.asked for one in self.plan.lines):
                await self.people.say(line)

    async def _waits(self) -> bool:
        """Whether a message is still to be answered, or an answer to be looked at once more.

        One call that hangs may hold up all that is behind it.
        """
        if self.naive:
            return False
        is_open = any(turn.is_open for turn in (await self.base.turns()).values())
        return is_open or await self.base.doubts() or await self.base.folds()

    async def _final(self) -> Verdict:
        await self.people.look()
        turns, seen = await self.base.turns(), self._seen()
        self.asked, orders = self._known(turns), self.people.ordered(turns)
        verdict = judge(self.asked, seen, self.prompts, orders)
        if self.naive:
            return verdict
        self.aged = await self.base.aged()
        closing = [line.marker for line in self.plan.closing]
        aged = judge_ageing(self.asked, self.prompts, orders, self.people.silences, self.aged, seen, closing)
        return replace(verdict, offences=(*verdict.offences, *aged))

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
            | {"pages": sum(self.misfortune.met[name] for name in ("page", "passed", "page to a start"))}
            | {"model faults": self.weather.sent.total()}
            | {"time-outs": self._moves(Move.TIMED_OUT), "resets": self._moves(Move.RESET)}
            | {"undos": self._moves(Move.UNDO), "wakings": sum(one.wakings for one in self.aged.values())},
            writes=self.misfortune.writes,
            ambiguous=self.misfortune.ambiguous,
            takeovers=sorted(self._takeovers(), reverse=True),
            unplanned=[end for replica in self.replicas for end in replica.exits],
            stories=await self._stories(verdict),
        )

    def _moves(self, kind: Move) -> int:
        return sum(one.kind == kind for known in self.aged.values() for one in known.segments)

    async def _stories(self, verdict: Verdict) -> list[str]:
        turns = await self.base.turns() if verdict.offences else {}
        questions = {one.marker: one for one in self.asked}
        stories: list[str] = []
        for offence in verdict.offences:
            stories.append(f"{offence.kind.upper()} {offence.marker} in {offence.session}: {offence.why}")
            if not offence.marker:
                lines = self.chronicle.story(offence.session, (), since=self.chronicle.began, until=time())
                stories.extend(_told(lines))
            for marker in (offence.marker, *MARKER.findall(offence.why)):
                question = questions.pop(marker, None)
                if question is not None:
                    stories.append(f"  {marker}, heard {question.heard}: {_recorded(turns.get(question.id))}")
                    since = question.at
                    stories.extend(
                        _told(self.chronicle.story(question.session, question.versions, since=since, until=time()))
                    )
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


def _maker(request: Request) -> int:
    """The replica that has made this request, by its key."""
    return int(request.headers["Authorization"].rpartition("-")[2])


def _told(lines: Sequence[str]) -> Iterator[str]:
    half = _LONGEST_STORY // 2
    left_out = len(lines) - 2 * half
    shown = lines if left_out <= 0 else [*lines[:half], f"({left_out} lines)", *lines[-half:]]
    return (f"  {line}" for line in shown)


def _recorded(turn: Turn | None) -> str:
    if turn is None:
        return "not known to the bot"
    if turn.is_overheard:
        return "overheard, and never taken in"
    return str(turn._replace(text=" ".join(MARKER.findall(turn.text))))
