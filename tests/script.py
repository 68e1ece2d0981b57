"""A model that follows a script, a platform that keeps a transcript, and the real heart of the house between them.

The store is never faked: `House` runs on a real database, and `Interrupted` only delays or repeats what reaches it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, replace
from math import inf
from time import time
from types import TracebackType
from typing import Any, Literal, Self

from sqlalchemy import Connection, Row, Table, select, update

from core import journal
from core.assistant.assistant import Assistant
from core.assistant.folding import Folder
from core.chores.erasing import Erasing
from core.chores.folding import DueSessions
from core.chores.runner import Chores
from core.chores.table import forgetting, reconciling
from core.delivery.outbox import Outbox
from core.delivery.reconcile import Reconciler
from core.events import Event as Told
from core.events import Events
from core.intake.inbox import Inbox
from core.memory.mind import Mind
from core.model.calibration import Calibration
from core.model.llm import Finish, Piece, Prompt, Recollection, Unseen, Usage
from core.model.tokens import Estimate
from core.policy import Hearing, Policy
from core.schema import sessions
from core.seam.adapter import Adapter, Finding, Receive
from core.seam.address import Address
from core.seam.messages import Draft, Event, Inbound, Reply
from core.session import Turn
from core.store import Database, places
from core.store.remembered import newest
from core.timings import Clock, Timings
from core.work.shifts import Shifts
from core.work.worker import Worker
from tests.sealed import opened
from tests.values import HERE

SECONDS = 10.0
"""The longest that a test waits for what must happen."""

Cue = str | Unseen | Usage | Finish | Exception | asyncio.Event
"""One step of an answer: words, or what else a stream is made of, an error, or a pause until the event is set."""


class Pause(asyncio.Event):
    """A pause of which it is known when it has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()

    async def wait(self) -> Literal[True]:
        self.begun.set()
        return await super().wait()


class Watched:
    """Something that changes, and that tests wait for."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def change(self) -> None:
        self._changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        """Waits until the condition holds; looks again after each change."""
        async with asyncio.timeout(SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


class ScriptedModel(Watched):
    """Plays one line of its script for each answer, and echoes the last message when the script is at its end."""

    name = "scripted"
    context: int | None = None

    def __init__(self, *script: str | Exception | Sequence[Cue]) -> None:
        super().__init__()
        self.script: deque[str | Exception | Sequence[Cue]] = deque(script)
        self.prompts: list[Prompt] = []
        self.ended = 0
        """How many streams are over, finished or not."""
        self.usage: Usage | None = None
        self.farewell: asyncio.Event | None = None
        """What the end of a stream waits for, as a connection that closes slowly."""

    @property
    def running(self) -> int:
        return len(self.prompts) - self.ended

    def asked(self, nth: int = -1) -> list[str]:
        """The messages of a prompt, without the brackets that name their speakers."""
        return [bare(message.text) for message in self.prompts[nth].messages]

    def longest(self, prompt: Prompt) -> int:
        return prompt.answer_tokens or 4_000

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        self.prompts.append(prompt)
        self.change()
        line = self.script.popleft() if self.script else f"You said: {bare(prompt.messages[-1].text)}"
        try:
            for cue in [line] if isinstance(line, str | Exception) else line:
                if isinstance(cue, Exception):
                    raise cue
                if isinstance(cue, asyncio.Event):
                    await cue.wait()
                    continue
                yield cue
                if isinstance(cue, Finish):
                    return
            yield Finish(model=self.name, usage=self.usage)
        finally:
            if self.farewell is not None:
                await self.farewell.wait()
            self.ended += 1
            self.change()

    async def recall(self, recollection: Recollection) -> None: ...

    async def look(self) -> Sequence[str]:
        return ()

    async def examine(self) -> Sequence[Finding]:
        return ()

    async def close(self) -> None: ...


def bare(text: str) -> str:
    return text.partition("] ")[2] if text.startswith("[") else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What the next call does instead of returning: it raises, after the screen has changed or without."""

    error: Exception
    stored: bool = False


class TranscriptAdapter(Watched, Adapter):
    """A platform that keeps what is on its screen. Without a draft, a first attempt always posts: doubles are seen."""

    platform = "console"

    def __init__(self, *, max_text: int = 2000, preview_every: float = 0.0) -> None:
        super().__init__()
        self.max_text = max_text
        self.preview_every = preview_every
        self.screen: dict[str, Reply] = {}
        self.delivered: list[Reply] = []
        """Every call of `deliver`, failed ones included."""
        self.previews: list[tuple[float, Reply]] = []
        """Every call of `preview` with text, and the loop's time at its start."""
        self.history: list[tuple[str, str]] = []
        """Each change of the screen: message ID and text."""
        self.faults: deque[Fault | None] = deque()
        self.preview_faults: deque[Fault | None] = deque()
        self.hold_preview: asyncio.Event | None = None
        self.hold_delivery: asyncio.Event | None = None
        self.mute = False
        """Whether previews show nothing, as when the platform's limit is used up."""
        self.past: Sequence[Inbound] | Exception = ()
        self.hold_past: asyncio.Event | None = None
        self.scrolled: list[Inbound] = []
        self.connected = True
        self.missed: dict[Address, Sequence[Inbound] | list[Exception]] = {}
        """What `since` finds in each place, or the errors that it raises first."""
        self.searched: list[tuple[Address, float]] = []
        self.withdrawn: list[str] = []
        self.reconciled: list[tuple[Reply, str]] = []
        self.reconcile_faults: deque[Exception] = deque()
        self.marked: list[tuple[str, bool]] = []

    @property
    def texts(self) -> list[str]:
        return [reply.text for reply in self.screen.values()]

    def texts_in(self, thread: str | None) -> list[str]:
        return [reply.text for reply in self.screen.values() if reply.address.thread == thread]

    async def listen(self, receive: Receive) -> None:
        raise NotImplementedError

    async def deliver(self, reply: Reply) -> str:
        self.delivered.append(reply)
        self.change()
        if self.hold_delivery is not None:
            await self.hold_delivery.wait()
        return self._call(reply, self.faults)

    async def preview(self, reply: Reply) -> Draft | None:
        if not reply.text:
            return None
        self.previews.append((asyncio.get_running_loop().time(), reply))
        self.change()
        if self.hold_preview is not None:
            await self.hold_preview.wait()
        if self.mute:
            return None
        return Draft(id=self._call(reply, self.preview_faults), text=reply.text, note="growing")

    def _call(self, reply: Reply, faults: deque[Fault | None]) -> str:
        fault = faults.popleft() if faults else None
        if fault is not None and not fault.stored:
            raise fault.error
        shown = self._show(reply)
        if fault is not None:
            raise fault.error
        return shown

    def _show(self, reply: Reply) -> str:
        if reply.draft is not None:
            shown = reply.draft.id
        else:
            known = [message for message, other in self.screen.items() if other.key == reply.key]
            shown = known[0] if known and reply.attempt > 1 else f"p{len(self.screen) + 1}"
        self.screen[shown] = reply
        self.history.append((shown, reply.text))
        self.change()
        return shown

    def hears(self) -> bool:
        return self.connected

    async def places(self, since: float) -> Sequence[Address]:
        return list(self.missed)

    async def since(self, address: Address, after: float) -> Sequence[Inbound]:
        self.searched.append((address, after))
        self.change()
        found = self.missed.get(address, ())
        if isinstance(found, list) and found and isinstance(found[0], Exception):
            raise found.pop(0)
        return [one for one in found if one.at > after]

    async def withdraw(self, address: Address, message: str) -> None:
        self.withdrawn.append(message)
        self.screen.pop(message, None)
        self.change()

    async def reconcile(self, reply: Reply, message: str) -> None:
        if self.reconcile_faults:
            raise self.reconcile_faults.popleft()
        self.reconciled.append((reply, message))
        for shown in [shown for shown, other in self.screen.items() if other.key == reply.key and shown != message]:
            del self.screen[shown]
        if message in self.screen and reply.text:
            self.screen[message] = reply
        self.change()

    async def mark(self, address: Address, message: str, *, waits: bool) -> None:
        self.marked.append((message, waits))
        self.change()

    async def backscroll(self, message: Inbound, limit: int) -> Sequence[Inbound]:
        self.scrolled.append(message)
        self.change()
        if self.hold_past is not None:
            await self.hold_past.wait()
        if isinstance(self.past, Exception):
            raise self.past
        return self.past[-limit:]


class Interrupted(Database):
    """A real database on a road where messages stand still: a held function's result comes when it is let go."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: dict[str, tuple[asyncio.Event, asyncio.Event]] = {}
        self._repeated: set[str] = set()
        self._failing: dict[str, deque[Exception]] = {}

    @contextmanager
    def hold(self, name: str) -> Iterator[asyncio.Event]:
        """Results of functions with this name are kept back until the end; the event says that one has been run."""
        run, go = asyncio.Event(), asyncio.Event()
        self._held[name] = (run, go)
        try:
            yield run
        finally:
            del self._held[name]
            go.set()

    def repeat(self, name: str) -> None:
        """The next write with this name is committed, and run again as if the outcome of the commit were unknown."""
        self._repeated.add(name)

    def fail(self, name: str, *errors: Exception) -> None:
        """The next functions with this name raise these before they reach the database."""
        self._failing[name] = deque(errors)

    async def write(self, function, *args, **kwargs):
        self._fail(function)
        result = await self._database.write(function, *args, **kwargs)
        if function.__name__ in self._repeated:
            self._repeated.remove(function.__name__)
            result = await self._database.write(function, *args, **kwargs)
        await self._wait(function)
        return result

    async def read(self, function, *args, **kwargs):
        self._fail(function)
        result = await self._database.read(function, *args, **kwargs)
        await self._wait(function)
        return result

    async def listen(self, wake):
        await self._database.listen(wake)

    def _fail(self, function) -> None:
        if errors := self._failing.get(function.__name__):
            raise errors.popleft()

    async def _wait(self, function) -> None:
        if function.__name__ in self._held:
            run, go = self._held[function.__name__]
            run.set()
            await go.wait()

    async def close(self) -> None: ...


BRISK = Timings(
    poll=0.05,
    fold=0.05,
    back_off=0.01,
    repeat=0.01,
    reconcile=0.02,
    unlooked=0.02,
    reread=0.0,
    excuse_after=0.0,
    ask_again=0.01,
    patience=0.0,
)
"""No test waits for what a person would not notice; and nobody has patience, but where a test is about it."""


class Restless(Timings):
    """Leases as long as usual, so that none runs out where a machine is busy, and renewed all the time."""

    __slots__ = ()

    @property
    def renewed_every(self) -> float:
        return 0.2


RESTLESS = Restless(**asdict(BRISK))


def brisk(**waits: float) -> Timings:
    """The same, but for these."""
    return replace(BRISK, **waits)


class House:
    """The real inbox, assistant and outbox on a real database: one process's life, that drains in the end."""

    def __init__(
        self,
        database: Database,
        model: ScriptedModel,
        adapter: TranscriptAdapter,
        *,
        owner: str = "host:boot:1:a",
        timings: Timings = BRISK,
        hearing: Hearing = "channel",
        budget: int = 24_000,
        may_stop: frozenset[str] | None = None,
        slots: int = 1_000,
        clock: Clock = time,
    ) -> None:
        self.database, self.model, self.adapter, self.timings = database, model, adapter, timings
        self.mind = Mind(
            model=model,
            instructions="Be kind.",
            counter=Estimate(),
            calibration=Calibration(openai=True),
            policy=Policy(context_tokens=budget, hear=hearing, may_stop=may_stop, retention_overheard=inf),
        )
        self.told: list[Told] = []
        """What was told to have happened, in its order."""
        events = Events(journal.note, self.told.append)
        self.outbox = Outbox(
            database=database,
            adapters={adapter.platform: adapter},
            timings=timings,
            events=events,
            count=self.mind.count,
            clock=clock,
        )
        self.assistant = Assistant(
            database=database,
            outbox=self.outbox,
            mind=self.mind,
            timings=timings,
            clock=clock,
        )
        platforms = [adapter.platform]
        self.worker = Worker(
            database=database,
            assistant=self.assistant,
            owner=f"{owner}.",
            adapters=self.outbox.adapters,
            timings=timings,
            events=events,
            sessions=slots,
            clock=clock,
        )
        self.inbox = Inbox(
            database=database,
            worker=self.worker,
            outbox=self.outbox,
            mind=self.mind,
            timings=timings,
            events=events,
            clock=clock,
        )
        reconciler = Reconciler(database=database, outbox=self.outbox, platforms=platforms, timings=timings)
        shifts = Shifts(database=database, owner=f"{owner}.", timings=timings)
        self.chores = Chores([reconciling(reconciler, timings), forgetting(database, timings)], shifts)
        self.erasing = Erasing(
            database=database,
            shifts=shifts,
            count=self.mind.count,
            timings=timings,
            wake=self.worker.wake,
            clock=clock,
        )
        self.folder = Folder(database=database, mind=self.mind, timings=timings, events=events, clock=clock)
        self.folding = DueSessions(database=database, folder=self.folder, shifts=shifts, every=timings.fold)

    async def __aenter__(self) -> Self:
        self._renewing = asyncio.create_task(self.worker.renew())
        self._working = asyncio.create_task(self.worker.work())
        return self

    async def stop(self) -> None:
        """No new work is claimed; what is running goes on."""
        self._working.cancel()
        await asyncio.wait([self._working])
        assert self._working.cancelled(), self._working.exception()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._working.done():
            await self.stop()
        await self.worker.drain(0)
        self._renewing.cancel()
        await asyncio.wait([self._renewing])

    async def say(self, *events: Event) -> None:
        for event in events:
            await self.inbox.receive(event)

    async def answered(self, *expected: str) -> None:
        """Waits until the screen shows exactly these messages, and all turns are over."""
        try:
            await self.adapter.until(lambda: self.adapter.texts == list(expected))
        except TimeoutError:
            assert self.adapter.texts == list(expected)
            raise
        await self.over()

    async def over(self) -> None:
        """Waits until no turn of any session waits or is being answered."""
        await self.until(lambda rows: all(row.waiting == 0 and row.due_at is None for row in rows))

    async def unserved(self) -> None:
        """Waits until this process is at work on nothing, whatever may be left to do."""
        async with asyncio.timeout(SECONDS):
            while tasks := self.worker.busy:
                await asyncio.wait(tasks)

    async def until(self, condition: Callable[[Sequence[Row[tuple[object, ...]]]], object]) -> None:
        """Waits until the sessions' rows are like this."""
        async with asyncio.timeout(SECONDS):
            while not condition(await rows(self.database, sessions)):  # noqa: ASYNC110 – a database tells nobody
                await asyncio.sleep(0.005)


@asynccontextmanager
async def house(
    database: Database, *script: str | Exception | Sequence[Cue], adapter: TranscriptAdapter | None = None, **facts
) -> AsyncIterator[House]:
    """A running house with a model that follows this script."""
    async with House(database, ScriptedModel(*script), adapter or TranscriptAdapter(), **facts) as running:
        yield running


async def rows(database: Database, table: Table) -> Sequence[Any]:
    """All rows of a table, in the order of their keys, and their bodies opened."""

    def read(connection: Connection) -> Sequence[Any]:
        return [opened(table, row) for row in connection.execute(select(table).order_by(*table.primary_key)).all()]

    return await database.read(read)


async def memory(database: Database, address=HERE) -> list[tuple[str, str]]:
    """What the next window at this address would hold, oldest first: the role's name and the text."""
    return [(turn.role.name.lower(), turn.text) for turn in await remembered(database, address)]


async def remembered(database: Database, address=HERE) -> list[Turn]:
    found = await database.read(places.find, address)
    return [] if found is None else list(reversed(await database.read(newest, found[0], budget=1_000_000)))


def expire(connection: Connection) -> None:
    """The same as waiting for every lease and every back-off to run out."""
    connection.execute(update(sessions).where(sessions.c.due_at.is_not(None)).values(due_at=0))
