"""Erasing: what is to be forgotten is taken out in small steps, by one process, and goes on where another has ended."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from time import time
from typing import Protocol

import structlog

from core.budget import periods
from core.commands import accounts
from core.errors import DatabaseError
from core.memory.traces import Words
from core.session import SessionKey
from core.store import Connection, Database, erasures, forgetting, identities, retiring, utterances
from core.store.erasures import Counts, Erasure, Scope
from core.store.sealing import Vault
from core.store.utterances import Utterance
from core.timings import Clock, Timings
from core.work.shifts import Shifts

log = structlog.get_logger()

NAME = "erasing"

_CHANNELS = 50  # are read at once
_FIRST = -(2**31)  # no seq is smaller
_SHORTENED = 10  # answers in one transaction


class Erasing:
    """Works off what is to be forgotten. `count` says what an answer costs in tokens.

    `wake` is called when somebody who holds a session is to look again, or something is to be said. Where bodies are
    sealed, it is by this `vault`.
    """

    def __init__(
        self,
        *,
        database: Database,
        shifts: Shifts,
        count: Callable[[str], int],
        timings: Timings,
        wake: Callable[[], None] = lambda: None,
        vault: Vault | None = None,
        clock: Clock = time,
    ) -> None:
        self._database = database
        self._shifts = shifts
        self._count = count
        self._timings = timings
        self._wake = wake
        self._vault = vault
        self._clock = clock

    async def look(self) -> None:
        """Works off all that there is, unless another process does.

        Raises a DatabaseError, LeaseLost, or what was wrong with one of them, once the others are done.
        """
        if await self._database.read(erasures.under_way):
            await self._shifts.once(NAME, "", self._work, every=0.0, after_failure=0.0)

    async def _work(self) -> None:
        failures: list[Exception] = []
        for erasure in await self._database.read(erasures.under_way):
            try:
                await self._go_on(erasure)
            except DatabaseError:
                raise
            except Exception as error:  # noqa: BLE001 – it is raised below, and holds up nobody else
                failures.append(error)
        if failures:
            raise failures[0]

    async def _go_on(self, erasure: Erasure) -> None:
        if not erasure.is_done:
            await self._forget(erasure)
        elif await self._database.write(erasures.tidy, erasure):
            log.info("forgotten", scope=erasure.scope.value)

    async def _forget(self, erasure: Erasure) -> None:
        """All of it; every step may be taken again. What channels were done before, stays so.

        Where more is asked for meanwhile, it begins again the next time.
        """
        before, erasure = erasure.before, await self._with_key(erasure)
        if erasure.before != before:
            return
        if erasure.is_of_person:
            await self._database.write(identities.ascribe, erasure)
        while channels := await self._database.read(erasures.channels, erasure, _CHANNELS):
            for channel in channels:
                keys = await self._database.read(erasures.sessions_in, erasure, channel)
                await (self._person(erasure, keys) if erasure.is_of_person else self._place(erasure, keys))
                await self._database.write(erasures.reach, erasure, channel)
            reached = await self._database.read(erasures.find, erasure)
            if reached is None or reached.before != before:
                return
            erasure = reached
        await self._beside(erasure)

    async def _place(self, erasure: Erasure, keys: Sequence[SessionKey]) -> None:
        for key in keys:
            await self._each(forgetting.erase, key, erasure)

    async def _person(self, erasure: Erasure, keys: Sequence[SessionKey]) -> None:
        """In one channel, whose sessions overhear one another: so what was said in one may be answered in another."""
        for key in keys:
            await self._each(forgetting.hide, key, erasure)
        words = await self._words(erasure, keys)
        await self._shorten(erasure, keys, words)
        for key in keys:
            if await self._database.write(forgetting.unquote, key, erasure):
                self._wake()
        await self._shorten(erasure, keys, words)  # what was answered meanwhile was shown what is quoted of them
        for key in keys:
            await self._each(forgetting.erase, key, erasure)
            if erasure.last_key is not None:
                await self._database.write(retiring.keep, key, erasure)

    async def _with_key(self, erasure: Erasure) -> Erasure:
        """What is said meanwhile is sealed by a new key, in every process, before the old one is destroyed."""
        if self._vault is None or erasure.scope not in (Scope.PERSON, Scope.WORKSPACE):
            return erasure
        while await self._database.write(retiring.succeed, erasure, self._vault.wrap_new):
            pass
        found = await self._database.read(erasures.find, erasure) or erasure
        fresh = await self._database.read(retiring.successors, found)
        if fresh is not None:
            self._vault.know(fresh.keys)
            await asyncio.sleep(max(0.0, 2 * self._timings.keys - fresh.age))
        return found

    async def _each(self, take: "Take", key: SessionKey, erasure: Erasure) -> None:
        while True:
            step = await self._database.write(take, key, erasure, seconds=self._timings.lease)
            if step.told:
                self._wake()
            if not step.turns:
                return
            await asyncio.sleep(self._timings.between)

    async def _words(self, erasure: Erasure, keys: Sequence[SessionKey]) -> Words:
        """What this person alone has said in these sessions."""
        theirs, others = Words(), Words()
        for key in keys:
            async for page in _pages(partial(self._said, key, erasure)):
                await asyncio.to_thread(_take_in, page, theirs, others)
        return theirs.without(others)

    async def _shorten(self, erasure: Erasure, keys: Sequence[SessionKey], words: Words) -> None:
        for key in keys if words.telling or words.runs else ():
            await self._shorten_in(erasure, key, words)

    async def _shorten_in(self, erasure: Erasure, key: SessionKey, words: Words) -> None:
        """Before the answers themselves: what is still to be posted of one has no words but those."""
        await self._database.write(forgetting.shorten_unsent, key, erasure, shorter=words.left_of)
        async for page in _pages(partial(self._answers, key)):
            seqs = await asyncio.to_thread(_holding, words, page)
            for start in range(0, len(seqs), _SHORTENED):
                await self._database.write(
                    forgetting.shorten,
                    key,
                    erasure,
                    seqs[start : start + _SHORTENED],
                    shorter=words.taken_out_of,
                    count=self._count,
                )

    async def _said(self, key: SessionKey, erasure: Erasure, after: int) -> list[Utterance]:
        return await self._database.read(utterances.said, key, erasure, after)

    async def _answers(self, key: SessionKey, after: int) -> list[Utterance]:
        return await self._database.read(utterances.answers, key, after)

    async def _beside(self, erasure: Erasure) -> None:
        """What is known beside sessions; then it is told what came of all that."""
        after: int | None = 0
        while after is not None:
            after = await self._database.write(identities.unname, erasure, after)
        await self._database.write(identities.drop_rejected, erasure)
        await self._database.write(_settle, erasure, since=periods.running(self._clock()))
        self._wake()


class Take(Protocol):
    """Takes the next few turns out of a session, in one transaction."""

    def __call__(self, connection: Connection, key: SessionKey, erasure: Erasure, *, seconds: float) -> forgetting.Step:
        """One step."""


def _settle(connection: Connection, erasure: Erasure, *, since: int) -> None:
    """What is left to be forgotten beside sessions is gone, and whoever asked for it is told, as one.

    What was spent from this day on counts for a budget. Where more was asked for meanwhile, nothing of that is so.
    """
    if not erasures.settle(connection, erasure):
        return
    identities.forget(connection, erasure, since=since)
    erasures.add(connection, erasure, Counts(keys=retiring.destroy(connection, erasure)))
    done = erasures.find(connection, erasure)
    if done is not None:
        erasures.tell(connection, done, accounts.told(done, erasures.leftovers(connection)))


def _take_in(page: Sequence[Utterance], theirs: Words, others: Words) -> None:
    for one in page:
        words = theirs if one.is_theirs else others
        words.add(one.words)
        words.add_name(one.name)


def _holding(words: Words, page: Sequence[Utterance]) -> list[int]:
    """The seqs of those that have something of these words."""
    return [one.seq for one in page if words.is_in(one.words)]


async def _pages(read: Callable[[int], Awaitable[list[Utterance]]]) -> AsyncIterator[list[Utterance]]:
    """What is read behind each seq in turn, until there is nothing left."""
    after = _FIRST
    while page := await read(after):
        yield page
        after = page[-1].seq
