"""The meter: every call of the model is written down with what it cost, also one that was stopped or has failed.

It sits behind the breaker, so that what was never sent is no call.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from secrets import randbits
from time import time

import structlog

from core.errors import DatabaseError, ModelError
from core.model.around import Around
from core.model.llm import Finish, Model, Piece, Prompt, Unseen, Usage
from core.model.tokens import Estimate
from core.store.ledger import Call

log = structlog.get_logger()

Record = Callable[[Call], Awaitable[None]]
"""Writes a call down. Raises DatabaseError."""

_RANDOM = 20  # bits behind the milliseconds: calls of one moment have numbers of their own


class Metered(Around):
    """A model whose calls are recorded, beside its answers: nobody waits for that."""

    def __init__(self, model: Model, record: Record, *, clock: Callable[[], float] = time) -> None:
        super().__init__(model)
        self._record = record
        self._clock = clock
        self._count = Estimate().count
        self._writing: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """See core.model.llm.Model. What is being written down is."""
        if self._writing:
            await asyncio.wait(self._writing)
        await super().close()

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """See core.model.llm.Model."""
        words, outcome, finish = "", "stopped", None
        usage: Usage | None = None
        unseen = Unseen(0)
        try:
            async with aclosing(self._model.stream(prompt)) as pieces:
                async for piece in pieces:
                    match piece:
                        case Finish():
                            outcome, finish, usage = piece.cut or "answered", piece, piece.usage
                        case Usage():
                            usage = piece
                        case Unseen():
                            unseen = piece
                        case str():
                            words += piece
                    yield piece
        except ModelError as error:
            outcome = type(error).__name__
            raise
        finally:
            written = self._count(words) + unseen.tokens if usage is None else 0
            self._write(prompt, written, outcome, self.name if finish is None else finish.model, usage)

    def _write(self, prompt: Prompt, written: int, outcome: str, model: str, told: Usage | None) -> None:
        if prompt.cause is None:
            return
        usage = told
        if usage is None:  # what was sent and read is paid for; a refusal is not, and nor is what never came
            paid = written > 0 or outcome in {"stopped", "EmptyAnswer"}
            usage = Usage(shown=prompt.tokens if paid else 0, written=written)
        now = int(self._clock() * 1000)
        call = Call(
            workspace=prompt.cause.workspace,
            call=now << _RANDOM | randbits(_RANDOM),
            session=prompt.cause.session,
            seq=prompt.cause.seq,
            at=now,
            author=prompt.cause.author,
            purpose=prompt.cause.purpose,
            model=model,
            outcome=outcome,
            shown=usage.shown,
            cached=usage.cached,
            cache_written=usage.cache_written,
            written=usage.written,
            reasoning=usage.reasoning,
            estimated=told is None,
        )
        task = asyncio.create_task(self._recorded(call))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _recorded(self, call: Call) -> None:
        try:
            await self._record(call)
        except DatabaseError as error:
            log.error("call not recorded", shown=call.shown, written=call.written, reason=str(error))
