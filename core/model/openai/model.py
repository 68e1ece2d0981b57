"""OpenAI, and every server that speaks one of its two APIs: Responses or Chat Completions.

An answer is finished only if the API says so. Both APIs can end a stream early without any error (a proxy that closes
politely, a worker that dies), and the client library raises nothing then, so the word is looked for here.
What a server will not have is learnt from its refusals (`manners`), which cost nothing. Beyond that nothing is retried
here: each retry is billed, so it belongs to the turn, where it is counted and stored.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from functools import partial
from math import inf
from typing import Literal
from urllib.parse import urlsplit

import openai
import structlog

from core.errors import (
    ConfigurationError,
    ModelError,
    ModelInterrupted,
    ModelMisconfigured,
    ModelRefused,
    ModelUnavailable,
    WindowTooLong,
)
from core.model.llm import Cause, Message, Piece, Prompt, Recollection
from core.model.openai import asking, wordings
from core.model.openai.complaints import (
    Complaint,
    endpoint_missing,
    heard_from,
    judge,
    sorted_errors,
    template_refuses,
    unwanted,
    words_of,
)
from core.model.openai.fields import at
from core.model.openai.frames import Events
from core.model.openai.looking import ending, is_near, look
from core.model.openai.manners import API, Learning, Manners, read
from core.model.openai.reading import ChatReading, Reading, ResponsesReading
from core.seam.adapter import Finding

log = structlog.get_logger()

OPENAI = "https://api.openai.com/v1"
OFFICIAL_HOSTS = (".api.openai.com", ".openai.azure.com")
"""Hosts that have the Responses API for certain and know OpenAI's own request fields; regional ones included."""

PATHS: dict[API, str] = {"responses": "/responses", "chat": "/chat/completions"}

STREAMS = 100
"""How many answers share one client: for each that begins or ends, its pool walks through all of its connections."""

EXAMINE = 30.0
"""Seconds that the doctor waits to be told of the model; for its answer it waits as long as a turn."""

ENOUGH = 100
"""Pieces of an answer after which the doctor hangs up: small models may never come to an end."""

TAIL = 3.0
"""Seconds that we wait for the rest of a stream (usage, the end) once the API has said that the answer is finished."""

WHOLE = 600.0
"""Seconds that an answer in one piece may take: nothing is heard of it before it is whole."""

SHARE = 4
"""An answer takes at most one part in so many of the model's context; `core.memory.mind` keeps it free."""

THINKING = 8_192
"""Tokens that a model which thinks may take for that, beside its answer: they count into the same limit."""

PLAUSIBLE = 1_024
"""A context smaller than that is believed where a server tells it, not where it is guessed by halves."""

CHARACTERS = 8
"""More than an ordinary token has: for so many of each, a model that never stops thinking is held to its limit."""

ADAPTS = 8
"""How often one request is changed to a server's liking before its refusal counts."""


class OpenAIModel:
    """One model behind one of the two APIs.

    Times are in seconds: `first_seconds` is how long the first piece may take, `silence_seconds` the longest gap
    between two; the whole answer may take any time. `answer_tokens` is the longest answer, `effort` how hard to
    think, where a prompt does not say. Raises ConfigurationError for settings that can't work.
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
    ) -> None:
        url = base_url or OPENAI
        self._host = _host(url)
        self._official = f".{self._host}".endswith(OFFICIAL_HOSTS)
        self._model = model
        self._first, self._silence = first_seconds, silence_seconds
        self._answer_tokens = answer_tokens
        self._effort = effort
        self._chosen: API | None = api if api != "auto" else None
        self._server = f"{url} {api}"
        self._learning = Learning()
        self._odd: Cause | None = None
        self._proven: int | None = None  # the context as it was known when an answer came last
        self._taken = 0  # the most tokens, prompt and answer together, that the server has had room for
        self._keeping: set[asyncio.Task[None]] = set()
        self._connect = partial(
            openai.AsyncOpenAI,
            api_key=_key(api_key),
            base_url=url,
            timeout=openai.Timeout(connect=connect_timeout, read=WHOLE, write=30.0, pool=10.0),
            max_retries=0,
        )
        self._door = asyncio.Lock()
        self._client = self._connect()
        self._lines = Counter({self._client: 0})

    @property
    def name(self) -> str:
        """The model's name, as people are told it."""
        return self._model

    async def close(self) -> None:
        """Lets go of the connections, when what was learnt is kept."""
        if self._keeping:
            await asyncio.wait(self._keeping)
        for client in self._lines:
            await client.close()

    @property
    def context(self) -> int | None:
        """See core.model.llm.Model."""
        return self._manners.context

    @property
    def _first_api(self) -> API:
        """The API to ask by, as far as is known."""
        return self._chosen or self._manners.api or ("responses" if self._official else "chat")

    @property
    def _manners(self) -> Manners:
        return self._learning.known

    async def recall(self, recollection: Recollection) -> None:
        """See core.model.llm.Model."""
        if (kept := await recollection.recall(self._server, self._model)) is not None:
            self._learning.known = read(kept)
            self._proven = self._manners.context
        self._learning.told = partial(self._keep, recollection)

    def _keep(self, recollection: Recollection, known: Manners) -> None:
        task = asyncio.create_task(recollection.keep(self._server, self._model, known.written()))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def look(self) -> Sequence[str]:
        """See core.model.llm.Model: the size of its context, and the day on which it ends."""
        found = await look(self._client, self._model, official=self._official)
        if found.context is not None:
            self._learning.learn(context=found.context)
        return [ending(self._model, found.ends)] if found.ends is not None and is_near(found.ends) else []

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """See core.model.llm.Model. The words of a refusal are an answer like any other."""
        async with self._door:  # one begins in each pass of the loop: a thousand at once would fill it for seconds
            await asyncio.sleep(0)
        with self._line() as client, self._learns(prompt):
            limit = asyncio.get_running_loop().time() + self._first
            with sorted_errors(ModelUnavailable):
                api, events = await self._open(client, prompt, limit)
            kind = ResponsesReading if api == "responses" else ChatReading
            reading = kind(self._model, in_thought=self._manners.in_thought)
            longest_thought = self._longest_thought(prompt)
            try:
                with sorted_errors(ModelInterrupted):
                    while (frame := await self._next(events, reading, limit)) is not None:
                        for piece in reading.take(frame):
                            yield piece
                        if reading.unseen > longest_thought:
                            reading.end = "length"  # it may never stop
                            break
                        await asyncio.sleep(0)  # what has come in a heap must not keep the other answers waiting
                        limit = asyncio.get_running_loop().time() + self._silence
                if not reading.started and "html" in events.response.headers.get("content-type", ""):
                    raise ModelMisconfigured(
                        "The server answers with a web page. Set OPENAI_BASE_URL to its API (…/v1)."
                    )
                for last in reading.finish():
                    yield last
                self._proven = self._manners.context
            finally:
                self._note(reading)
                await events.close()

    async def _next(self, events: Events, reading: Reading, limit: float) -> object:
        """The next frame; None at the end. Once the answer is finished, whatever befalls the rest is no matter."""
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(min(limit, now + TAIL) if reading.rests else limit):
                return await anext(events, None)
        except (openai.OpenAIError, ValueError, TimeoutError) as error:
            if not reading.rests:
                raise
            log.info("model_tail_lost", error=type(error).__name__)
            return None

    def _note(self, reading: Reading) -> None:
        """What an answer, whole or not, has shown of the server."""
        if reading.usage is not None:
            self._taken = max(self._taken, reading.usage.shown + reading.usage.written)
        if reading.thinks:
            self._learning.learn(thinks=True)
        if reading.cleaner.unopened != self._manners.in_thought and (reading.spoken or reading.cleaner.unopened):
            self._learning.learn(in_thought=reading.cleaner.unopened)

    @contextmanager
    def _learns(self, prompt: Prompt) -> Iterator[None]:
        """What is too long shows how much is not: the server says so, or half of it is tried, answer included."""
        try:
            yield
        except WindowTooLong as error:
            if not error.answered:
                self._learn_size(prompt, error.context)
            raise

    def _learn_size(self, prompt: Prompt, told: int | None) -> None:
        """Takes in that this was too long. A guess is doubted where more was taken before, or nothing is left of it."""
        known = self._manners.context
        guess = (prompt.tokens + (self._most(prompt) or 0)) // 2
        told = told if told != known else None
        size = told or min(guess, known or guess)
        if told is None and size < self._taken:
            self._taken = 0  # what is said twice is believed
        elif told is None and (size < PLAUSIBLE or (prompt.cause and prompt.cause == self._odd)):
            self._odd = prompt.cause  # it is something else about this one question
            self._learning.learn(context=self._proven)
        elif size < (known or size + 1):
            log.info("model_context_learnt", tokens=size, told=told is not None, host=self._host)
            self._learning.learn(context=size)

    async def examine(self) -> Sequence[Finding]:
        """Asks whether the server knows the key and the model, and for one short answer, just as a turn does."""
        try:
            with sorted_errors(ModelUnavailable):
                await self._probe()
        except ModelError as error:
            what, _, remedy = str(error).removesuffix(".").partition(". ")
            detail = f"{what}.{words_of(error.__context__, self._client.api_key)}"
            remedy = f"{remedy or 'Try again later, or check OPENAI_BASE_URL'}."
            return [Finding(subject="model", ok=False, detail=detail, remedy=remedy)]
        warnings = await self.look()
        learnt = self._manners.described()
        detail = f"{self._model} at {self._host} answers" + (f"; the server {learnt}" if learnt else "")
        found = [Finding(subject="model", ok=True, detail=detail)]
        return found + [Finding(subject="model", ok=False, detail=one) for one in warnings]

    async def _probe(self) -> None:
        """The first question costs nothing and says best what is wrong, where it may be asked; the second decides."""
        try:
            async with asyncio.timeout(EXAMINE):
                await self._client.models.retrieve(self._model)
        except openai.APIStatusError as error:
            may_not = isinstance(error, openai.PermissionDeniedError)  # a key may be for answers alone
            if not may_not and not endpoint_missing(heard_from(error), self._model):
                raise
        question = Message(role="user", text="Say: ready")
        prompt = Prompt(instructions="Answer in one word.", messages=(question,), tokens=16, conversation="doctor")
        for left in reversed(range(ADAPTS)):
            room = self._most(prompt)
            try:
                await self._hear(prompt)
            except WindowTooLong:
                if left == 0 or self._most(prompt) == room:
                    raise  # there is nothing that a turn would make smaller
            else:
                return

    async def _hear(self, prompt: Prompt) -> None:
        heard = 0
        async with aclosing(self.stream(prompt)) as pieces:
            async for _ in pieces:
                heard += 1
                if heard == ENOUGH:
                    return

    async def _open(self, client: openai.AsyncOpenAI, prompt: Prompt, limit: float) -> tuple[API, Events]:
        """Sends the request by the API that is known to work, or by the other one where the server lacks the first."""
        first = self._first_api
        other: API = "chat" if first == "responses" else "responses"
        for api in (first,) if self._chosen else (first, other):
            try:
                events = await self._send(client, api, prompt, limit)
            except openai.APIStatusError as error:
                if not endpoint_missing(heard_from(error), self._model):
                    raise
                log.info("model_api_missing", api=api, host=self._host, status=error.status_code)
                continue
            if api != first:
                self._learning.learn(api=api)
            return api, events
        if self._chosen:
            setting = f"OPENAI_API is {self._chosen}, which the server does not have. Set it to auto"
        else:
            setting = "The server has neither of OpenAI's APIs. Set OPENAI_BASE_URL to where it has (…/v1)"
        raise ModelMisconfigured(f"{setting}, or check OPENAI_MODEL.")

    async def _send(self, client: openai.AsyncOpenAI, api: API, prompt: Prompt, limit: float) -> Events:
        """Sends the request; what the server will not have of it is left out, or said in another form, from then on.

        Some servers have begun a stream by the time that they refuse, and say so in its first frame.
        It goes past the SDK's typed methods: they walk through every message by its type and back, in 35 ms for a
        window of 90 messages, and make each event an object, in two thirds of what a piece costs (openai 3.54).
        """
        for left in reversed(range(ADAPTS)):
            manners = self._manners
            most, effort = self._most(prompt), self._effort if prompt.effort is None else prompt.effort
            effort = None if effort == "auto" else effort
            extra = asking.fields(api, prompt, manners, official=self._official, most=most, effort=effort)
            body = asking.body(api, self._model, prompt, manners) | extra
            patience = limit if manners.streams else limit - self._first + WHOLE
            try:
                async with asyncio.timeout_at(patience):
                    events = await client.post(PATHS[api], cast_to=object, body=body, stream=True, stream_cls=Events)
                    frame = await events.first()
            except openai.APIStatusError as error:
                news = self._manners != manners  # another answer has learnt meanwhile: perhaps this very thing
                if left == 0 or not (news or self._adapt(heard_from(error), extra)):
                    raise
            else:
                if left == 0 or not at(frame, "error") or not self._adapt(heard_from(frame), extra):
                    return events  # its reader says what is wrong
                await events.close()
        raise AssertionError("the last refusal is raised")

    def _longest_thought(self, prompt: Prompt) -> float:
        """How many characters of an answer may remain unseen."""
        limit = prompt.answer_tokens or self._answer_tokens
        return inf if limit is None else CHARACTERS * (limit + THINKING)

    def _most(self, prompt: Prompt) -> int | None:
        """The longest answer that is asked for, thoughts included: in a small context it must leave room."""
        limit = prompt.answer_tokens or self._answer_tokens
        if limit is None:
            return None
        most = limit + (THINKING if self._manners.thinks else 0)
        return most if self.context is None else min(most, max(1, self.context // SHARE))

    def _adapt(self, heard: Complaint, extra: dict[str, object]) -> bool:
        """Learns from a refusal what the server will not have; False where it is about something else."""
        if isinstance(judge(heard), WindowTooLong | ModelRefused) or heard.status in {401, 402, 429}:
            return False
        manners = self._manners
        field = unwanted(heard, extra | ({"stream": True} if manners.streams else {}))
        if field == "stream":
            news: dict[str, object] = {"streams": False}
        elif field is not None:
            news = {"refused": manners.refused | {field}}
        elif not template_refuses(heard) or not (manners.system or not manners.turns):
            return False
        elif not manners.turns and not (
            manners.system and wordings.INSTRUCTIONS_WORDS.search(heard.words) and "altern" not in heard.words
        ):
            news = {"turns": True}
        else:
            news = {"system": False}
        log.info("model_manners", host=self._host, field=field, **{name: str(value) for name, value in news.items()})
        self._learning.learn(**news)
        return True

    @contextmanager
    def _line(self) -> Iterator[openai.AsyncOpenAI]:
        """The first client with room for one more stream: where there are few, their connections are used again."""
        client = next((one for one, streams in self._lines.items() if streams < STREAMS), None) or self._connect()
        self._lines[client] += 1
        try:
            yield client
        finally:
            self._lines[client] -= 1


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError("OPENAI_BASE_URL is no web address: it should look like https://host/v1.")
    return parts.hostname or ""


def _key(key: str | None) -> str:
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise ConfigurationError("OPENAI_API_KEY holds characters that no key has: copy it again, without blanks.")
    return key or "none"  # servers of one's own often need no key, but the client library does
