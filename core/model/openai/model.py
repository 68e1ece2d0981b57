"""OpenAI, and every server that speaks one of its two APIs: Responses or Chat Completions.

An answer is finished only if the API says so. Both APIs can end a stream early without any error (a proxy that closes
politely, a worker that dies), and the client library raises nothing then, so the word is looked for (`reading`).
What a server will not have is learnt from its refusals (`manners`), which cost nothing. Beyond that nothing is retried
here: each retry is billed, so it belongs to the turn, where it is counted and stored.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Literal

from core.errors import EmptyAnswer, ModelUnavailable, WindowTooLong
from core.model.llm import Piece, Prompt, Recollection
from core.model.openai import answer, doctor, lessons
from core.model.openai.asking import Wanted
from core.model.openai.clients import STREAMS, Clients
from core.model.openai.context import Context
from core.model.openai.judging import sorted_errors
from core.model.openai.learning import Learning
from core.model.openai.looking import ending, is_near, look
from core.model.openai.reading import ChatReading, Reading, ResponsesReading
from core.model.openai.sending import Sending
from core.model.openai.server import OFFICIAL_HOSTS, Server
from core.seam.adapter import Finding

_ENDLESS = 128_000  # tokens; no model writes more at once


class OpenAIModel:
    """One model behind one of the two APIs.

    Times are in seconds: `first_seconds` is how long the first piece may take, `silence_seconds` the longest gap
    between two; the whole answer may take any time. `answer_tokens` is the longest answer, `effort` how hard to think,
    where a prompt does not say; `streams` how many answers share a client. Raises ConfigurationError for settings that
    can't work.
    """

    def __init__(
        self,
        *,
        api_key: str | None,
        model: str,
        base_url: str | None = None,
        api: Literal["auto", "responses", "chat"] = "auto",
        connect_timeout: float = 5.0,
        first_seconds: float = 90.0,
        silence_seconds: float = 60.0,
        answer_tokens: int | None = None,
        effort: str | None = None,
        streams: int = STREAMS,
        official_hosts: Sequence[str] = OFFICIAL_HOSTS,
    ) -> None:
        self._server = Server.of(base_url, model, api, official_hosts)
        self._first, self._silence = first_seconds, silence_seconds
        self._wanted = Wanted(tokens=answer_tokens, effort=effort)
        self._learning = Learning(self._server)
        self._context = Context(self._learning, self._server.host)
        self._sending = Sending(self._server, self._learning, self._wanted, first_seconds=first_seconds)
        self._clients = Clients(self._server.url, key=api_key, connect_timeout=connect_timeout, streams=streams)

    @property
    def name(self) -> str:
        """The model's name, as people are told it."""
        return self._server.model

    @property
    def context(self) -> int | None:
        """See core.model.llm.Model."""
        return self._learning.known.context

    def longest(self, prompt: Prompt) -> int:
        """See core.model.llm.Model. Without a limit in the settings it is what a window has room for."""
        return self._most(prompt) or self._learning.known.context or _ENDLESS

    async def recall(self, recollection: Recollection) -> None:
        """See core.model.llm.Model."""
        if await self._learning.recall(recollection):
            self._context.prove()

    async def look(self) -> Sequence[str]:
        """See core.model.llm.Model: the size of its context, and the day on which it ends."""
        found = await look(self._clients.first, self.name, official=self._server.official)
        if found.context is not None:
            self._learning.learn(context=found.context)
        return [ending(self.name, found.ends)] if found.ends is not None and is_near(found.ends) else []

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """See core.model.llm.Model. The words of a refusal are an answer like any other."""
        try:
            async with self._clients.for_an_answer() as client:
                limit = asyncio.get_running_loop().time() + self._first
                with sorted_errors(ModelUnavailable):
                    api, events = await self._sending.open(client, prompt, limit)
                kind = ResponsesReading if api == "responses" else ChatReading
                reading = kind(self.name, in_thought=self._learning.known.in_thought)
                pieces = answer.pieces(
                    events,
                    reading,
                    limit=limit,
                    silence_seconds=self._silence,
                    longest_thought=self._wanted.longest_thought(prompt),
                )
                try:
                    async with aclosing(pieces):
                        async for piece in pieces:
                            yield piece
                    self._context.prove()
                finally:
                    self._note(reading)
                    await events.close()
        except WindowTooLong as error:
            if not error.answered:
                self._context.too_long(prompt, self._most(prompt) or 0, error.context)
            raise
        except EmptyAnswer as error:
            if not error.thought and await self._is_smaller():
                raise WindowTooLong(
                    "The model said nothing, and has less room than was known.", answered=True
                ) from None
            raise

    async def _is_smaller(self) -> bool:
        """Whether its context turns out to be smaller than was known, where a model has said nothing at all.

        Some servers tell its size once it is loaded, and answer with nothing what is too long (LM Studio).
        """
        before = self.context
        await self.look()
        return self.context is not None and (before is None or self.context < before)

    def _note(self, reading: Reading) -> None:
        """What an answer, whole or not, has shown of the server."""
        if reading.usage is not None:
            self._context.note(reading.usage)
        self._learning.learn(**lessons.of_answer(reading, self._learning.known))

    def _most(self, prompt: Prompt) -> int | None:
        return self._wanted.most(prompt, self._learning.known)

    async def examine(self) -> Sequence[Finding]:
        """Asks whether the server knows the key and the model, and for one short answer, just as a turn does."""
        wrong = await doctor.complaint(self._clients.first, self.name, self.stream, self._most)
        if wrong is not None:
            return [wrong]
        warnings = await self.look()
        learnt = self._learning.known.described()
        detail = f"{self.name} at {self._server.host} answers" + (f"; the server {learnt}" if learnt else "")
        found = [Finding(subject="model", ok=True, detail=detail)]
        return found + [Finding(subject="model", ok=False, detail=one) for one in warnings]

    async def close(self) -> None:
        """Lets go of the connections, when what was learnt is kept."""
        await self._learning.close()
        await self._clients.close()
