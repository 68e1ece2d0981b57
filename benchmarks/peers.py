"""The peers: the session stores of openai-agents, in their best case, with every session object made beforehand."""

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import asyncpg
from agents import SQLiteSession
from agents.extensions.memory import SQLAlchemySession
from agents.memory.session import SessionABC
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.contenders import TEXT, WINDOW, Contender

_FILLED = json.dumps({"role": "user", "content": TEXT})


class _Peer(Contender):
    kind: ClassVar[str] = "peer"

    def __init__(self) -> None:
        self._sessions: dict[int, SessionABC] = {}

    async def cycle(self, session: int) -> int:
        store = self._sessions[session]
        loaded = await store.get_items(limit=WINDOW)
        await store.add_items([{"role": "user", "content": TEXT}])
        await store.add_items([{"role": "assistant", "content": TEXT}])
        return len(loaded)


class OfSQLite(_Peer):
    """`SQLiteSession`: the standard library's driver in threads, one lock for each file."""

    name: ClassVar[str] = "SQLiteSession"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    async def open(self) -> None:
        SQLiteSession("0", self._path).close()

    async def fill(self, histories: Mapping[int, int]) -> None:
        _fill_sqlite(self._path, histories)
        for session in histories:
            self._sessions[session] = SQLiteSession(str(session), self._path)

    async def size(self) -> int:
        return _pages(self._path)

    async def close(self) -> None:
        for store in self._sessions.values():
            assert isinstance(store, SQLiteSession)
            store.close()


class OfSQLAlchemy(_Peer):
    """`SQLAlchemySession` on SQLite, by aiosqlite."""

    name: ClassVar[str] = "SQLAlchemySession"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    async def open(self) -> None:
        self._engine = create_async_engine(f"sqlite+aiosqlite:///{self._path}")
        await SQLAlchemySession("0", engine=self._engine, create_tables=True).get_items(limit=1)

    async def fill(self, histories: Mapping[int, int]) -> None:
        _fill_sqlite(self._path, histories)
        for session in histories:
            self._sessions[session] = SQLAlchemySession(str(session), engine=self._engine)

    async def size(self) -> int:
        return _pages(self._path)

    async def close(self) -> None:
        await self._engine.dispose()


class OfSQLAlchemyOnPostgreSQL(_Peer):
    """`SQLAlchemySession` on PostgreSQL, by asyncpg, with a pool of 16."""

    name: ClassVar[str] = "SQLAlchemySession"

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    async def open(self) -> None:
        url = self._url.replace("postgresql://", "postgresql+asyncpg://")
        self._engine = create_async_engine(url, pool_size=16, max_overflow=0)
        await SQLAlchemySession("0", engine=self._engine, create_tables=True).get_items(limit=1)

    async def fill(self, histories: Mapping[int, int]) -> None:
        connection = await asyncpg.connect(self._url)
        for session, length in histories.items():
            await connection.execute("INSERT INTO agent_sessions (session_id) VALUES ($1)", str(session))
            await connection.execute(
                "INSERT INTO agent_messages (session_id, message_data, created_at) "
                "SELECT $1, $2, now() - make_interval(secs => $3 - place) FROM generate_series(1, $3) AS place",
                str(session),
                _FILLED,
                length,
            )
        await connection.close()
        for session in histories:
            self._sessions[session] = SQLAlchemySession(str(session), engine=self._engine)

    async def vacuum(self) -> None:
        connection = await asyncpg.connect(self._url)
        await connection.execute("VACUUM")
        await connection.close()

    async def size(self) -> int:
        connection = await asyncpg.connect(self._url)
        try:
            return int(await connection.fetchval("SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables"))
        finally:
            await connection.close()

    async def close(self) -> None:
        await self._engine.dispose()


def _fill_sqlite(path: Path, histories: Mapping[int, int]) -> None:
    """Writes past the library, which would take a while; each message a second after the one before."""
    with sqlite3.connect(path) as connection:
        for session, length in histories.items():
            connection.execute("INSERT INTO agent_sessions (session_id) VALUES (?)", (str(session),))
            connection.executemany(
                "INSERT INTO agent_messages (session_id, message_data, created_at) VALUES (?, ?, datetime('now', ?))",
                ((str(session), _FILLED, f"-{length - place} seconds") for place in range(length)),
            )
    connection.close()


def _pages(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(
            connection.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[0]
        )
    finally:
        connection.close()
