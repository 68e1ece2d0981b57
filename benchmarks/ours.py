"""Backscroll's own store as a contender: its functions, called as the program calls them for one turn."""

import asyncio
from collections.abc import Mapping
from functools import cache
from itertools import count
from typing import ClassVar

import asyncpg
from sqlalchemy import Connection, text, update

import migrations
from benchmarks.contenders import TEXT, TOKENS, WINDOW, Contender
from core.schema import sessions
from core.schema import turns as table
from core.seam.address import Address
from core.seam.messages import Author, Inbound
from core.session import Answer, Bill, Kind, Lease, Progress, Role, SessionKey, Turn, Validity
from core.store import Database, answering, arrivals, bodies, connect, inbound, receipts, remembered

LEASE = 3600.0
BILL = Bill(hold=1, was_held=False, day=20_000, model="m", above=0, shown=WINDOW * TOKENS, written=TOKENS)
ANSWER = Answer(parts=(TEXT,), memory=TEXT, tokens=TOKENS, model="m", bill=BILL)
BUDGET = WINDOW * TOKENS - 1
"""The window that holds twenty of these messages: it is full with the message that exceeds it."""


@cache
def address(session: int) -> Address:
    return Address(platform="console", workspace="local", channel="main", thread=f"{session}")


@cache
def author(session: int) -> Author:
    return Author(id=f"U{session:08}", name="Ada")


def asked(session: int, number: int) -> Inbound:
    """The `number`th message in this session; its ID is as long as Slack's."""
    return Inbound(
        address=address(session),
        id=f"{1_700_000_000 + number}.000100",
        author=author(session),
        text=TEXT,
        at=1_700_000_000 + number,
        direct=True,
    )


# What follows is all that knows the store's signatures: the three transactions of one turn (accepted and claimed,
# answered, seen and over), and the window that is loaded between the first two.


async def accept(database: Database, message: Inbound) -> inbound.Stored:
    claimant = arrivals.Claimant(owner=f"{_HOST}:{message.id}", lease=LEASE)
    return await database.write(inbound.accept, message, kind=Kind.SAID, verb=None, tokens=TOKENS, claimant=claimant)


async def window(database: Database, key: SessionKey) -> list[Turn]:
    return await database.read(remembered.newest, key, budget=BUDGET)


async def answer(database: Database, lease: Lease, question: Turn) -> None:
    await database.write(answering.answer, lease.key, question, ANSWER, lease=lease)


async def receive(database: Database, lease: Lease, seq: int) -> None:
    shown = f"{1_700_000_000 + seq}.000200"
    arrived = receipts.Arrival(part=0, message=shown)
    await database.write(receipts.record_last, lease.key, seq, arrived, lease=lease, seconds=LEASE)


_HOST = "a-host:6e1f4a52-87a4-4d0c-93c7-5a1e8a1f3c55:12345"


class Backscroll(Contender):
    """`accept`, `window`, `answer`; the receipts are written beside the clock."""

    name: ClassVar[str] = "Backscroll"
    kind: ClassVar[str] = "ours"

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = count(1)
        self._leases: dict[int, Lease] = {}
        self._owed: list[tuple[Lease, int]] = []

    async def open(self) -> None:
        self._database = connect(self._url)
        await self._database.write(migrations.upgrade)

    async def fill(self, histories: Mapping[int, int]) -> None:
        for session, length in histories.items():
            accepted = await self._accept(session)
            await answer(self._database, self._leases[session], accepted.turn)
            await receive(self._database, self._leases[session], accepted.turn.seq)
            for start in range(0, length - 2, 5_000):
                await self._database.write(_said, accepted.key, session, start, min(start + 5_000, length - 2))

    async def _accept(self, session: int) -> inbound.Stored:
        """A session that still has an owner, because the receipts come later, keeps the lease that it has."""
        accepted = await accept(self._database, asked(session, next(self._numbers)))
        if accepted.lease is not None:
            self._leases[session] = accepted.lease
        return accepted

    async def cycle(self, session: int) -> int:
        accepted = await self._accept(session)
        loaded = await window(self._database, accepted.key)
        await answer(self._database, self._leases[session], accepted.turn)
        await self._after(self._leases[session], accepted.turn.seq)
        return len(loaded)

    async def _after(self, lease: Lease, seq: int) -> None:
        self._owed.append((lease, seq))

    async def settle(self) -> None:
        await asyncio.gather(*(receive(self._database, lease, seq) for lease, seq in self._owed))
        self._owed.clear()

    async def vacuum(self) -> None:
        if self._url.startswith("postgresql"):
            connection = await asyncpg.connect(self._url)
            await connection.execute("VACUUM")
            await connection.close()

    async def size(self) -> int:
        return await self._database.write(_size)

    async def close(self) -> None:
        await self._database.close()


class BackscrollWithReceipt(Backscroll):
    """The same, with the receipt of what was seen and the end of the turn inside the clock."""

    name: ClassVar[str] = "Backscroll, receipt"
    receipt: ClassVar[bool] = True

    async def _after(self, lease: Lease, seq: int) -> None:
        await receive(self._database, lease, seq)


def _said(connection: Connection, key: SessionKey, session: int, start: int, end: int) -> None:
    """A stretch of questions and answers behind the first, as they lie there when they are over."""
    rows = [_row(key, author(session).id, place) for place in range(start, end)]
    connection.execute(table.insert(), rows)
    mine = (sessions.c.workspace == key.workspace) & (sessions.c.session == key.session)
    connection.execute(update(sessions).where(mine).values(tail=(end - 1) // 2 + 2))


def _row(key: SessionKey, by: str, place: int) -> dict[str, object]:
    seq, is_answer = place // 2 + 2, bool(place % 2)
    role = Role.ASSISTANT if is_answer else Role.PERSON
    return {
        "workspace": key.workspace,
        "session": key.session,
        "seq": seq,
        "role": role,
        "kind": Kind.ANSWER if is_answer else Kind.SAID,
        "progress": Progress.DONE,
        "validity": Validity.STANDS,
        "at": (1_700_000_000 + place) * 1_000_000,
        "tokens": TOKENS,
        "message": None if is_answer else f"{1_600_000_000 + place}.000100",
        "author": None if is_answer else by,
        "name": None if is_answer else bodies.NAME.seal(key, (seq, role), "Ada", by=by),
        "model": "m" if is_answer else None,
        "body": bodies.TURN.seal(key, (seq, role), TEXT, by="" if is_answer else by),
    }


def _size(connection: Connection) -> int:
    if connection.dialect.name == "postgresql":
        statement = "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables"
    else:
        statement = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    return int(connection.execute(text(statement)).scalar_one())
