"""Folding: the model writes checkpoints in place of old turns, beside all answers and in the way of none.

A fold is stored as one, and only if nothing that it tells of has changed meanwhile; so one that is ended anywhere has
changed nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from time import time

from core.assistant import drawing
from core.assistant.drawing import Drawn
from core.assistant.recording import Unusable, Writer
from core.errors import DatabaseError, LeaseLost, ModelError
from core.events import Events, Folded, FoldRefused
from core.memory.checkpoints.shown import Record
from core.memory.folding import Part, Text
from core.memory.mind import Mind
from core.session import Fold, SessionKey, Turn
from core.store import Database, checkpoints, folds, policies
from core.store.checkpoints import Made
from core.store.folds import Due
from core.timings import Clock, Timings

_LONGEST_REST = 86_400.0  # seconds


class Folder:
    """Folds one session at a time, as often as it is called for."""

    def __init__(
        self, *, database: Database, mind: Mind, timings: Timings, events: Events, clock: Clock = time
    ) -> None:
        self._database = database
        self._mind = mind
        self._timings = timings
        self._events = events
        self._clock = clock
        self._writer = Writer(database=database, timings=timings, clock=clock)

    async def look(self, due: Due) -> None:
        """Does what is due in a session, if anything is.

        Where that fails, it is tried again; after a second failure the session is left alone, for longer each time.
        """
        try:
            again = await self._done(due.key)
        except (DatabaseError, LeaseLost):
            raise
        except Exception as error:  # noqa: BLE001 – whatever it is, it rests, and keeps no other session waiting
            failures = due.failures + 1
            self._refuse(due.key, error, failures)
            await self._database.write(folds.failed, due, seconds=_rest(self._timings, failures))
            return
        if again is None:
            await self._database.write(folds.settle, due)
        else:
            await self._database.write(folds.put_off, due, seconds=again)

    def _refuse(self, key: SessionKey, error: Exception, failures: int) -> None:
        reason = error.reason.name.lower() if isinstance(error, Unusable) else type(error).__name__
        self._events.tell(FoldRefused(address=key.address, reason=reason, failures=failures))

    async def _done(self, key: SessionKey) -> float | None:
        """In how many seconds there is more to be done; None for not before it is called for again."""
        mind = self._mind.under(await self._database.read(policies.of, key))
        if not await self._remade(mind, key):
            return self._timings.fold
        drawn = await self._database.read(drawing.draw, key, mind, self._clock())
        if not isinstance(drawn, Drawn):
            return drawn
        began = self._clock()
        made = await self._written(mind, key, drawn)
        if not await self._database.write(checkpoints.commit, key, made, drawn.boundary):
            return self._timings.fold  # something came first
        seconds = self._clock() - began
        self._events.tell(Folded(address=key.address, tokens=drawn.plan.takes, texts=len(made), seconds=seconds))
        return self._timings.fold if drawn.more else None

    async def _written(self, mind: Mind, key: SessionKey, drawn: Drawn) -> Sequence[Made]:
        """All texts of a plan, but those over the checkpoints that are no use: the next fold tries them again.

        Raises a ModelError, or Unusable.
        """
        records, made = dict(drawn.records), list[Made]()
        for text in drawn.plan.texts:
            if not all(source in records for source in text.sources):
                continue
            try:
                # it stands for all that is below its nodes, which may be short
                least = text.tokens + 1 if text.part.kind is Fold.OLD else 0
                fresh, model = await self._writer.told(mind, key, text, drawn.turns, records, least=least)
            except (ModelError, Unusable) as error:
                if text.part.kind is Fold.CHECKPOINT:
                    raise
                self._refuse(key, error, 0)
                continue
            records[text.part] = fresh
            made.append(_made(text.part, fresh, model))
        return made

    async def _remade(self, mind: Mind, key: SessionKey) -> bool:
        """Makes every stale text again, each of those before it; False where something has changed again meanwhile.

        So it has where one tells of more turns than are read at once by now: these are folded anew, in pieces. What is
        over the checkpoints, and no use again, is taken out: the next fold makes another. What tells of a turn that
        waits is left until that is over. Raises a ModelError, or Unusable.
        """
        waits, all_stand = await self._database.read(drawing.waits, key), True
        for old in await self._database.read(checkpoints.stale, key):
            if old.last >= waits:
                all_stand = False
                continue
            found = await self._database.read(drawing.sources, key, mind, old, self._clock())
            if found is None:
                return False
            text, said, records = found
            try:
                fresh = await self._again(mind, key, text, said, records)
            except Unusable as error:
                if old.kind is Fold.CHECKPOINT:
                    raise
                self._refuse(key, error, 0)
                fresh = None
            if fresh is None:
                await self._database.write(checkpoints.dissolve, key, old)
                return False
            words, tokens, model = fresh
            put = partial(checkpoints.remade, text=words, tokens=tokens, model=model)
            if not await self._database.write(put, key, old):
                return False
        return all_stand

    async def _again(
        self, mind: Mind, key: SessionKey, text: Text, said: Sequence[Turn], records: Mapping[Part, Record]
    ) -> tuple[str, int, str] | None:
        """What the model writes in place of a stale text, its tokens, and which model that was; None of too much."""
        if await asyncio.to_thread(drawing.is_too_much, mind, text, said):
            return None
        if not said and not records:
            return "", 0, mind.model.name  # of nothing, it is nothing
        fresh, model = await self._writer.told(mind, key, text, said, records, least=text.tokens + 1)
        return fresh.text, fresh.tokens, model


def _rest(timings: Timings, failures: int) -> float:
    """The breaker: for so long a session is left alone that has failed so often."""
    if failures == 1:
        return timings.fold_again
    return min(timings.fold_rest * 2.0 ** min(failures - 2, 16), _LONGEST_REST)


def _made(part: Part, fresh: Record, model: str) -> Made:
    """What was written, as it is stored."""
    return Made(
        kind=part.kind,
        level=part.level,
        first=part.first,
        last=part.last,
        since=fresh.since.timestamp(),
        until=fresh.until.timestamp(),
        text=fresh.text,
        tokens=fresh.tokens,
        model=model,
    )
