"""The floor on PostgreSQL: asyncpg with hand-written SQL, one round trip for each durable step.

A pool of 16 connections, as Backscroll has; what asyncpg does by itself when a connection goes back is left out.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from itertools import count
from typing import ClassVar

import asyncpg

import migrations
from benchmarks.contenders import TEXT, TOKENS, WINDOW, Contender
from core.store import connect


async def _as_it_is(_connection: object) -> None:
    """Our statements leave nothing behind that a reset would have to undo."""


class _Raw(Contender):
    kind: ClassVar[str] = "raw"

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = count(1)

    async def open(self) -> None:
        self._pool = await asyncpg.create_pool(self._url, min_size=16, max_size=16, reset=_as_it_is)

    async def vacuum(self) -> None:
        await self._pool.execute("VACUUM")

    async def size(self) -> int:
        return int(await self._pool.fetchval("SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables"))

    async def close(self) -> None:
        await self._pool.close()


class Bare(_Raw):
    """Three statements on the tables of openai-agents: load, append, append."""

    name: ClassVar[str] = "raw: peers' work"

    async def open(self) -> None:
        await super().open()
        await self._pool.execute(
            "CREATE TABLE messages (id bigserial PRIMARY KEY, session_id text NOT NULL, message_data text NOT NULL, "
            "created_at timestamp NOT NULL DEFAULT now()); CREATE INDEX of_session ON messages (session_id, id)"
        )

    async def fill(self, histories: Mapping[int, int]) -> None:
        for session, length in histories.items():
            await self._pool.execute(
                "INSERT INTO messages (session_id, message_data) SELECT $1, $2 FROM generate_series(1, $3)",
                str(session),
                _packed("user", TEXT),
                length,
            )

    async def cycle(self, session: int) -> int:
        loaded = [json.loads(row[0]) for row in await self._pool.fetch(_LOAD, str(session), WINDOW)]
        for role in ("user", "assistant"):
            await self._pool.execute(_APPEND, str(session), _packed(role, TEXT))
        return len(loaded)


def _packed(role: str, words: str) -> str:
    return json.dumps({"role": role, "content": words})


_APPEND = "INSERT INTO messages (session_id, message_data) VALUES ($1, $2)"
_LOAD = "SELECT message_data FROM messages WHERE session_id = $1 ORDER BY id DESC LIMIT $2"


class Same(_Raw):
    """What Backscroll stores and guards for one turn, on its own tables: one statement for each transaction."""

    name: ClassVar[str] = "raw: our work"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._owed: list[tuple[int, int, int]] = []

    async def open(self) -> None:
        database = connect(self._url)
        await database.write(migrations.upgrade)
        await database.close()
        await super().open()

    async def fill(self, histories: Mapping[int, int]) -> None:
        await self._pool.execute(
            "INSERT INTO workspaces (workspace, platform, name, sessions) VALUES (1, 'console', 'local', 0) "
            "ON CONFLICT DO NOTHING"
        )
        for session, length in histories.items():
            await self._pool.execute(_BEAR, session, _place(session), length // 2)
            await self._pool.execute(_SAID, session, length, TOKENS, f"U{session:08}", TEXT.encode())

    async def cycle(self, session: int) -> int:
        number, at = next(self._numbers), int(time.time() * 1000)
        message, author = f"{1_700_000_000 + number}.000100", f"U{session:08}"
        owner = f"a-host:6e1f4a52-87a4-4d0c-93c7-5a1e8a1f3c55:12345:{number}"
        row = (at * 1000, TOKENS, message, author, TEXT.encode())
        _, seq, fence = await self._pool.fetchrow(_ACCEPT, _place(session), at, owner, *row)
        loaded = [_turn(row) for row in await self._pool.fetch(_NEWEST, session, WINDOW)]
        billed = (at // 86_400_000, author, WINDOW * TOKENS, TOKENS)
        stored = await self._pool.execute(_ANSWER, session, seq, at * 1000, TEXT.encode(), *billed, fence)
        if stored != "INSERT 0 1":
            raise RuntimeError("the lease is lost, or the turn has been answered")
        await self._after(session, seq, fence)
        return len(loaded)

    async def _after(self, session: int, seq: int, fence: int) -> None:
        self._owed.append((session, seq, fence))

    async def _receive(self, session: int, seq: int, fence: int) -> None:
        await self._pool.fetchval(_RECEIVE, session, seq, f"{1_700_000_000 + seq}.000200", fence)

    async def settle(self) -> None:
        await asyncio.gather(*(self._receive(*owed) for owed in self._owed))
        self._owed.clear()


class SameWithReceipt(Same):
    """The same, with the receipt and the end of the turn inside the clock."""

    name: ClassVar[str] = "raw: our work, receipt"
    receipt: ClassVar[bool] = True

    async def _after(self, session: int, seq: int, fence: int) -> None:
        await self._receive(session, seq, fence)


def _place(session: int) -> str:
    return f"console:local:main:{session}"


def _turn(row: asyncpg.Record) -> tuple[object, ...]:
    seq, role, kind, progress, validity, body, *rest = row
    return (seq, role, kind, progress, validity, body.decode(), *rest)


_BEAR = """
INSERT INTO sessions (workspace, session, address, platform, channel, tail, waiting, live_since,
    backscroll_read, segment, start, fence, attempts, touched_at)
VALUES (1, $1, $2, 'console', 'console:local:main', $3, 0, 0, true, 0, -2147483648, 1, 0, 0)
"""
_SAID = """
INSERT INTO turns (workspace, session, seq, role, kind, progress, at, tokens, message, author, name, model, body)
SELECT 1, $1, place / 2 + 1, place % 2, place % 2 * 3, 2, place * 1000000::bigint, $3,
    CASE WHEN place % 2 = 0 THEN (1600000000 + place) || '.000100' END, CASE WHEN place % 2 = 0 THEN $4 END,
    CASE WHEN place % 2 = 0 THEN 'Ada' END, CASE WHEN place % 2 = 1 THEN 'm' END, $5
FROM generate_series(0, $2 - 1) AS place
"""
_ACCEPT = """
WITH session AS (
    UPDATE sessions SET tail = tail + 1, waiting = waiting + 1, touched_at = $2::bigint,
        live_since = coalesce(live_since, $4::bigint),
        owner = CASE WHEN due_at IS NULL THEN $3 ELSE owner END, fence = fence + (due_at IS NULL)::int,
        attempts = attempts + (due_at IS NULL)::int, due_at = coalesce(due_at, $2::bigint + 30000)
    WHERE workspace = 1 AND address = $1 RETURNING session, tail, fence),
stored AS (
    INSERT INTO turns (workspace, session, seq, role, kind, progress, at, tokens, message, author, name, slip,
        body)
    SELECT 1, session, tail, 0, 0, 0, $4::bigint, $5, $6, $7, 'Ada', '{"direct": true}', $8 FROM session
    ON CONFLICT DO NOTHING RETURNING seq)
SELECT session, seq, fence FROM session JOIN stored ON seq = tail
"""
_NEWEST = """
SELECT seq, role, kind, progress, validity, body, tokens, at, author, name FROM turns
WHERE workspace = 1 AND session = $1 AND kind <> 2 AND progress NOT IN (0, 5) AND validity IN (0, 2)
    AND seq > (SELECT start FROM sessions WHERE workspace = 1 AND session = $1)
ORDER BY seq DESC, role DESC LIMIT $2
"""
_ANSWER = """
WITH held AS (SELECT 1 FROM sessions WHERE workspace = 1 AND session = $1 AND fence = $9 FOR UPDATE),
question AS (
    UPDATE turns SET progress = 1 WHERE workspace = 1 AND session = $1 AND seq = $2 AND role = 0 AND progress = 0
        AND EXISTS (SELECT 1 FROM held) RETURNING 1),
answer AS (
    INSERT INTO turns (workspace, session, seq, role, kind, progress, at, tokens, model, body)
    SELECT 1, $1, $2, 1, 3, 2, $3, $8, 'm', $4 FROM question),
delivery AS (
    INSERT INTO deliveries (workspace, session, seq, part, state, tries)
    SELECT 1, $1, $2, 0, 2, 1 FROM question)
INSERT INTO usage (workspace, day, author, model, answers, shown, cached, written)
SELECT 1, $5, $6, 'm', 1, $7, 0, $8 FROM question
ON CONFLICT (workspace, day, author, model) DO UPDATE SET answers = usage.answers + 1,
    shown = usage.shown + excluded.shown, written = usage.written + excluded.written
"""
_RECEIVE = """
WITH shown AS (
    UPDATE deliveries SET state = 3, message = $3, body = NULL, draft = NULL, due_at = NULL
    WHERE workspace = 1 AND session = $1 AND seq = $2 AND part = 0 AND message IS NULL),
over AS (
    UPDATE turns SET progress = 2, slip = NULL
    WHERE workspace = 1 AND session = $1 AND seq = $2 AND role = 0 AND progress IN (0, 1))
UPDATE sessions SET waiting = waiting - 1, attempts = 0, owner = NULL, due_at = CASE WHEN waiting > 1 THEN due_at END
WHERE workspace = 1 AND session = $1 AND fence = $4 RETURNING waiting
"""
