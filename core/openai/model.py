"""OpenAI, and every server that speaks one of its two APIs: Responses or Chat Completions.

An answer is finished only if the API says so. Both APIs can end a stream early without any error (a proxy that closes
politely, a worker that dies), and the client library raises nothing then, so the word is looked for here.
Nothing is retried here: each retry is billed, so it belongs to the turn, where it is counted and stored.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Literal
from urllib.parse import urlsplit

import openai
import structlog

from core.adapter import Finding
from core.errors import ConfigurationError, ModelError, ModelInterrupted, ModelMisconfigured, ModelUnavailable
from core.llm import Finish, Message, Prompt
from core.openai.complaints import endpoint_missing, heard_from, sorted_errors, unwanted, words_of
from core.openai.fields import text
from core.openai.reading import ChatReading, Events, ResponsesReading, next_event

log = structlog.get_logger()

API = Literal["responses", "chat"]

OPENAI = "https://api.openai.com/v1"
OFFICIAL_HOSTS = (".api.openai.com", ".openai.azure.com")
"""Hosts that have the Responses API for certain and know OpenAI's own request fields; regional ones included."""

PATHS: dict[API, str] = {"responses": "/responses", "chat": "/chat/completions"}

STREAMS = 100
"""How many answers share one client: for each that begins or ends, its pool walks through all of its connections."""

EXAMINE = 30.0
"""Seconds that the doctor waits for the model."""


class OpenAIModel:
    """One model behind one of the two APIs. What it learns about the server holds until the process ends.

    `connect_timeout` is in seconds, as the others are. `read_timeout` is the longest gap between two pieces; reasoning
    models are silent for long.
    `deadline` is the longest time for a whole answer. Raises ConfigurationError for settings that can't work.
    """

    def __init__(
        self,
        *,
        api_key: str | None,
        model: str,
        base_url: str | None = None,
        api: Literal["auto", "responses", "chat"] = "auto",
        connect_timeout: float = 5.0,
        read_timeout: float = 90.0,
        deadline: float = 300.0,
        max_output_tokens: int | None = None,
    ) -> None:
        url = base_url or OPENAI
        self._host = _host(url)
        self._official = f".{self._host}".endswith(OFFICIAL_HOSTS)
        self._model = model
        self._deadline = deadline
        self._max_output_tokens = max_output_tokens
        self._chosen = api != "auto"
        self._api: API = api if api != "auto" else ("responses" if self._official else "chat")
        self._unwanted: set[str] = set()
        self._connect = partial(
            openai.AsyncOpenAI,
            api_key=_key(api_key),
            base_url=url,
            timeout=openai.Timeout(connect=connect_timeout, read=read_timeout, write=30.0, pool=10.0),
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
        """Lets go of the connections."""
        for client in self._lines:
            await client.close()

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | Finish, None]:
        """See core.llm.Model. The words of a refusal are an answer like any other."""
        async with self._door:  # one begins in each pass of the loop: a thousand at once would fill it for seconds
            await asyncio.sleep(0)
        limit = asyncio.get_running_loop().time() + self._deadline
        with self._line() as client:
            with sorted_errors(ModelUnavailable):
                async with asyncio.timeout_at(limit):
                    api, events = await self._open(client, prompt)
            reading = (ResponsesReading if api == "responses" else ChatReading)(self._model)
            try:
                with sorted_errors(ModelInterrupted):
                    while (event := await next_event(events, reading, limit)) is not None:
                        if piece := reading.take(event):
                            yield piece
                        await asyncio.sleep(0)  # what has come in a heap must not keep the other answers waiting
                if not reading.started and "html" in events.response.headers.get("content-type", ""):
                    raise ModelMisconfigured(
                        "The server answers with a web page. Set OPENAI_BASE_URL to its API (…/v1)."
                    )
                yield reading.finish()
            finally:
                await events.close()

    async def examine(self) -> Sequence[Finding]:
        """Asks whether the server knows the key and the model; where it can't be asked, has it say one word."""
        try:
            with sorted_errors(ModelUnavailable):
                async with asyncio.timeout(EXAMINE):
                    await self._probe()
        except ModelError as error:
            what, _, remedy = str(error).removesuffix(".").partition(". ")
            detail = f"{what}.{words_of(error.__context__, self._client.api_key)}"
            remedy = f"{remedy or 'Try again later, or check OPENAI_BASE_URL'}."
            return [Finding(subject="model", ok=False, detail=detail, remedy=remedy)]
        return [Finding(subject="model", ok=True, detail=f"{self._model} at {self._host}")]

    async def _probe(self) -> None:
        try:
            if text(await self._client.models.retrieve(self._model), "id"):  # a web page has none
                return
        except openai.APIStatusError as error:
            if not endpoint_missing(heard_from(error), self._model):
                raise
        question = Message(role="user", text="Say: ready")
        async for _ in self.stream(Prompt(instructions="", messages=(question,), tokens=8, conversation="")):
            pass

    async def _open(self, client: openai.AsyncOpenAI, prompt: Prompt) -> tuple[API, Events]:
        """Sends the request by the API that is known to work, or by the other one where the server lacks the first."""
        other: API = "chat" if self._api == "responses" else "responses"
        for api in (self._api,) if self._chosen else (self._api, other):
            try:
                events = await self._send(client, api, prompt)
            except openai.APIStatusError as error:
                if not endpoint_missing(heard_from(error), self._model):
                    raise
                log.info("model_api_missing", api=api, host=self._host, status=error.status_code)
                continue
            self._api = api
            return api, events
        if self._chosen:
            setting = f"OPENAI_API is {self._api}, which the server does not have. Set it to auto"
        else:
            setting = "The server has neither of OpenAI's APIs. Set OPENAI_BASE_URL to where it has (…/v1)"
        raise ModelMisconfigured(f"{setting}, or check OPENAI_MODEL.")

    async def _send(self, client: openai.AsyncOpenAI, api: API, prompt: Prompt) -> Events:
        """Sends the request; a field of ours that the server will not have is left out from then on.

        It goes past the SDK's typed methods: they walk through every message by its type and back, in 35 ms for a
        window of 90 messages, and make each event an object, in two thirds of what a piece costs (openai 3.54).
        """
        while True:
            fields = self._fields(api, prompt)
            body = self._body(api, prompt) | fields
            try:
                return await client.post(PATHS[api], cast_to=object, body=body, stream=True, stream_cls=Events)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                refused = unwanted(heard_from(error), fields)
                if refused is None:
                    raise
                log.info("model_field_dropped", field=refused, host=self._host)
                self._unwanted.add(refused)

    def _fields(self, api: API, prompt: Prompt) -> dict[str, object]:
        """What a server may refuse and an answer can do without."""
        fields: dict[str, object] = {"stream_options": {"include_usage": True}} if api == "chat" else {}
        if api == "responses" or self._official:
            fields["store"] = False  # whoever has the Responses API may keep answers for 30 days otherwise
        if self._official and prompt.conversation:
            fields["prompt_cache_key"] = prompt.conversation
        if self._max_output_tokens is not None:
            # Reasoning models refuse max_tokens, old servers the other name.
            chat = ["max_tokens", "max_completion_tokens"][:: -1 if self._official else 1]
            names = ["max_output_tokens"] if api == "responses" else chat
            fields |= dict.fromkeys([name for name in names if name not in self._unwanted][:1], self._max_output_tokens)
        return {name: value for name, value in fields.items() if name not in self._unwanted}

    def _body(self, api: API, prompt: Prompt) -> dict[str, object]:
        """The request but for the fields that a server may refuse."""
        said = [{"role": message.role, "content": message.text} for message in prompt.messages]
        body: dict[str, object] = {"model": self._model, "stream": True}
        if api == "responses":
            return body | {"input": said} | ({"instructions": prompt.instructions} if prompt.instructions else {})
        told = [{"role": "system", "content": prompt.instructions}] if prompt.instructions else []
        return body | {"messages": told + said}

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
