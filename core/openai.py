"""OpenAI, and every server that speaks one of its two APIs: Responses or Chat Completions.

An answer is finished only if the API says so. Both APIs can end a stream early without any error (a proxy that closes
politely, a worker that dies), and the client library raises nothing then, so the word is looked for here.
Nothing is retried here: each retry is billed, so it belongs to the turn, where it is counted and stored.

Messages of errors never quote the server, because servers quote what people wrote; only `examine`, which sends
nothing of theirs, shows the server's words.
"""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import urlsplit

import openai
import structlog
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent

from core.adapter import Finding
from core.errors import (
    ConfigurationError,
    ModelError,
    ModelInterrupted,
    ModelMisconfigured,
    ModelRefused,
    ModelStalled,
    ModelUnavailable,
    OutOfCredit,
    WindowTooLong,
)
from core.llm import Finish, Message, Prompt, Usage

log = structlog.get_logger()

API = Literal["responses", "chat"]
Events = openai.AsyncStream[ResponseStreamEvent] | openai.AsyncStream[ChatCompletionChunk]

OPENAI = "https://api.openai.com/v1"
OFFICIAL_HOSTS = (".api.openai.com", ".openai.azure.com")
"""Hosts that have the Responses API for certain and know OpenAI's own request fields; regional ones included."""

TAIL = 3.0
"""Seconds that we wait for the rest of a stream (usage, the end) once the API has said that the answer is finished."""

EXAMINE = 30.0
"""Seconds that the doctor waits for the model."""

CREDIT = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
REFUSED = {
    "content_filter",
    "content_policy_violation",
    "image_content_policy_violation",
    "invalid_prompt",
    "bio_policy",
    "misalignment_policy_violation",
    "ResponsibleAIPolicyViolation",
}
TOO_LONG = {"context_length_exceeded", "exceed_context_size_error", "request_too_large", "string_above_max_length"}
TOO_LONG_WORDS = re.compile(
    r"context.(length|window|size)|maximum (context|model) length|maximum number of tokens|prompt is too long"
    r"|request too large|context the overflows",
    re.IGNORECASE,
)
"""How OpenAI, llama.cpp, vLLM, Ollama, LM Studio and gateways before others say that a request is too long."""

UNWANTED_WORDS = re.compile(
    r"unsupported|unknown|unrecognized|unexpected|not (supported|permitted|allowed)|extra", re.I
)
WAIT_WORDS = re.compile(r"try again in (\d+(?:\.\d+)?) ?(ms|s)\b", re.IGNORECASE)
"""OpenAI says so in `response.failed` with rate_limit_exceeded, where there is no header."""


class OpenAIModel:
    """One model behind one of the two APIs. What it learns about the server holds until the process ends.

    `read_timeout` is the longest gap between two pieces in seconds; reasoning models are silent for long.
    `deadline` is the longest time for a whole answer. Raises ConfigurationError for settings that can't work.
    """

    def __init__(
        self,
        *,
        api_key: str | None,
        model: str,
        base_url: str | None = None,
        api: Literal["auto", "responses", "chat"] = "auto",
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
        self._client = openai.AsyncOpenAI(
            api_key=_key(api_key),
            base_url=url,
            timeout=openai.Timeout(connect=5.0, read=read_timeout, write=30.0, pool=10.0),
            max_retries=0,
        )

    @property
    def name(self) -> str:
        """The model's name, as people are told it."""
        return self._model

    async def close(self) -> None:
        """Lets go of the connections."""
        await self._client.close()

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | Finish, None]:
        """See core.llm.Model. The words of a refusal are an answer like any other."""
        limit = asyncio.get_running_loop().time() + self._deadline
        with _sorted(ModelUnavailable):
            async with asyncio.timeout_at(limit):
                api, events = await self._open(prompt)
        reading = (_ResponsesReading if api == "responses" else _ChatReading)(self._model)
        try:
            with _sorted(ModelInterrupted):
                while (event := await _next(events, reading, limit)) is not None:
                    if piece := reading.take(event):
                        yield piece
            if not reading.started and "html" in events.response.headers.get("content-type", ""):
                raise ModelMisconfigured("The server answers with a web page. Set OPENAI_BASE_URL to its API (…/v1).")
            yield reading.finish()
        finally:
            await events.close()

    async def examine(self) -> Sequence[Finding]:
        """Asks whether the server knows the key and the model; where it can't be asked, has it say one word."""
        try:
            with _sorted(ModelUnavailable):
                async with asyncio.timeout(EXAMINE):
                    await self._probe()
        except ModelError as error:
            what, _, remedy = str(error).removesuffix(".").partition(". ")
            detail = f"{what}.{_words(error.__context__, self._client.api_key)}"
            remedy = f"{remedy or 'Try again later, or check OPENAI_BASE_URL'}."
            return [Finding(subject="model", ok=False, detail=detail, remedy=remedy)]
        return [Finding(subject="model", ok=True, detail=f"{self._model} at {self._host}")]

    async def _probe(self) -> None:
        try:
            if _text(await self._client.models.retrieve(self._model), "id"):  # a web page has none
                return
        except openai.APIStatusError as error:
            if not _endpoint_missing(_heard(error), self._model):
                raise
        question = Message(role="user", text="Say: ready")
        async for _ in self.stream(Prompt(instructions="", messages=(question,), tokens=8, conversation="")):
            pass

    async def _open(self, prompt: Prompt) -> tuple[API, Events]:
        """Sends the request by the API that is known to work, or by the other one where the server lacks the first."""
        other: API = "chat" if self._api == "responses" else "responses"
        for api in (self._api,) if self._chosen else (self._api, other):
            try:
                events = await self._send(api, prompt)
            except openai.APIStatusError as error:
                if not _endpoint_missing(_heard(error), self._model):
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

    async def _send(self, api: API, prompt: Prompt) -> Events:
        """Sends the request; a field of ours that the server will not have is left out from then on."""
        while True:
            fields = self._fields(api, prompt)
            try:
                return await (self._responses if api == "responses" else self._chat)(prompt, fields)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                unwanted = _unwanted(_heard(error), fields)
                if unwanted is None:
                    raise
                log.info("model_field_dropped", field=unwanted, host=self._host)
                self._unwanted.add(unwanted)

    def _fields(self, api: API, prompt: Prompt) -> dict[str, object]:
        """What a server may refuse and an answer can do without."""
        fields: dict[str, object] = {"stream_options": {"include_usage": True}} if api == "chat" else {}
        if self._official:
            fields["store"] = False  # the Responses API keeps answers for 30 days otherwise
            if prompt.conversation:
                fields["prompt_cache_key"] = prompt.conversation
        if self._max_output_tokens is not None:
            # Reasoning models refuse max_tokens, old servers the other name.
            chat = ["max_tokens", "max_completion_tokens"][:: -1 if self._official else 1]
            names = ["max_output_tokens"] if api == "responses" else chat
            fields |= dict.fromkeys([name for name in names if name not in self._unwanted][:1], self._max_output_tokens)
        return {name: value for name, value in fields.items() if name not in self._unwanted}

    # The conversation goes in as `extra_body`, past the SDK's typed arguments: it would walk through every message by
    # its type and back, in 35 ms for a window of 90 messages (openai 3.54, measured), and change nothing.

    async def _responses(self, prompt: Prompt, fields: dict[str, object]) -> Events:
        spoken = {"input": [{"role": message.role, "content": message.text} for message in prompt.messages]}
        return await self._client.responses.create(
            model=self._model, instructions=prompt.instructions or openai.omit, stream=True, extra_body=fields | spoken
        )

    async def _chat(self, prompt: Prompt, fields: dict[str, object]) -> Events:
        told = [{"role": "system", "content": prompt.instructions}] if prompt.instructions else []
        spoken = {"messages": [*told, *({"role": one.role, "content": one.text} for one in prompt.messages)]}
        return await self._client.chat.completions.create(
            model=self._model, messages=(), stream=True, extra_body=fields | spoken
        )


class _Reading(ABC):
    """What has been read of one answer. Servers leave fields out or null them as they like, so none is relied on."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.started = False
        self.spoken = False
        self.usage: Usage | None = None
        self.end: str | None = None

    def take(self, event: object) -> str:
        """Reads one event and returns the text in it."""
        self.started = True
        piece = self._read(event)
        self.spoken = self.spoken or bool(piece.strip())
        return piece

    @abstractmethod
    def _read(self, event: object) -> str: ...

    def finish(self) -> Finish:
        """The proof that the answer is complete, or why it is none.

        An answer that a content filter stopped midway is on screen already: it stands, and counts as cut.
        No text at its limit means that the request left no room (or reasoning ate it): a smaller window may help.
        """
        filtered, full = self.end == "content_filter", self.end in {"length", "max_output_tokens", "model_length"}
        if self.end is None or self.end in {"error", "abort"}:
            raise ModelInterrupted("The answer broke off before the server said that it was finished.")
        if not self.spoken and filtered:
            raise ModelRefused("The provider's content filter held the answer back.")
        if not self.spoken and full:
            raise WindowTooLong("The model had no room left to say anything.")
        if not self.spoken:
            raise ModelInterrupted("The model finished without saying anything: an empty answer.")
        return Finish(model=self.model, usage=self.usage, cut=filtered or full)

    def _note(self, whole: object, shown: str, written: str) -> None:
        self.model = _text(whole, "model") or self.model
        usage = _at(whole, "usage")
        if _at(usage, shown) is not None:
            self.usage = Usage(
                shown=_count(usage, shown),
                written=_count(usage, written),
                cached=_count(usage, f"{shown}_details", "cached_tokens"),
                reasoning=_count(usage, f"{written}_details", "reasoning_tokens"),
            )


class _ChatReading(_Reading):
    def _read(self, event: object) -> str:
        self._note(event, "prompt_tokens", "completion_tokens")
        choices = _at(event, "choices")
        piece = ""
        for choice in choices if isinstance(choices, list) else ():
            piece += _text(choice, "delta", "content") + _text(choice, "delta", "refusal")
            self.end = _text(choice, "finish_reason") or self.end
        return piece


class _ResponsesReading(_Reading):
    part: object = None

    def _read(self, event: object) -> str:
        match _text(event, "type"):
            case "response.output_text.delta" | "response.refusal.delta":
                part, self.part = self.part, _at(event, "output_index")
                gap = "\n\n" if self.spoken and part != self.part else ""
                return gap + _text(event, "delta")
            case "response.completed" | "response.incomplete" as end:
                whole = _at(event, "response")
                self._note(whole, "input_tokens", "output_tokens")
                reason = _text(whole, "incomplete_details", "reason")
                self.end = "stop" if end == "response.completed" else reason or "max_output_tokens"
            case "response.failed":
                raise _judge(_heard(_at(event, "response", "error")))
            case "error":
                raise _judge(_heard(event))
        return ""


async def _next(events: Events, reading: _Reading, limit: float) -> object:
    """The next event; None at the end. Once the answer is finished, whatever befalls the rest of it is no matter."""
    now = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(limit if reading.end is None else min(limit, now + TAIL)):
            return await anext(events, None)
    except (openai.OpenAIError, ValueError, TimeoutError) as error:
        if reading.end is None:
            raise
        log.info("model_tail_lost", error=type(error).__name__)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Complaint:
    """What a server says is wrong. No status means that it said so in the middle of an answer."""

    status: int | None
    code: str
    type: str
    param: str
    message: str
    retry_after: float | None


def _heard(error: object) -> _Complaint:
    """Reads a complaint from what the client library raises, or from an event in the middle of an answer."""
    early = error if isinstance(error, openai.APIStatusError) else None
    message = _text(error, "message")
    return _Complaint(
        status=early.status_code if early else None,
        code=_text(error, "code"),
        type=_text(error, "type"),
        param=_text(error, "param"),
        message=message,
        retry_after=_retry_after(early.response.headers if early else {}, message),
    )


@contextmanager
def _sorted(broken: type[ModelUnavailable]) -> Iterator[None]:
    """Turns what the client library raises into our errors; a lost connection is `broken`.

    The causes are kept out of tracebacks on purpose: they quote what the server said.
    """
    try:
        yield
    except (TimeoutError, openai.APITimeoutError):
        raise ModelStalled("The model's server has been silent for too long.") from None
    except openai.APIConnectionError:
        raise broken("The connection to the model's server failed. Check OPENAI_BASE_URL if this stays.") from None
    except openai.APIError as error:
        raise _judge(_heard(error)) from None
    except ValueError:  # JSONDecodeError and UnicodeDecodeError; the library lets them through
        raise ModelInterrupted("The model's server sent something unreadable.") from None


def _judge(heard: _Complaint) -> ModelError:
    named = ", ".join(filter(None, [str(heard.status or ""), heard.code or heard.type, heard.param]))
    names = {heard.code, heard.type}
    if heard.status == 402 or names & CREDIT:
        return OutOfCredit("The model's account is out of credit. Add some where OPENAI_API_KEY is from.")
    if heard.status == 413 or names & TOO_LONG or TOO_LONG_WORDS.search(heard.message):
        return WindowTooLong(f"The request is too long for the model ({named}).")
    if names & REFUSED:
        return ModelRefused(f"The provider will not answer this ({named}).")
    if heard.status is None or heard.status in {408, 409, 425, 429} or heard.status >= 500:
        kind = ModelInterrupted if heard.status is None else ModelUnavailable
        return kind(f"The model's server can't answer now ({named}).", retry_after=heard.retry_after)
    return ModelMisconfigured(_remedy(heard, named))


def _remedy(heard: _Complaint, named: str) -> str:
    match heard.status:
        case 401:
            return f"The model's server does not accept the key ({named}). Set OPENAI_API_KEY to a valid one."
        case 403:
            return f"The key may not do this ({named}). Check what OPENAI_API_KEY may use, and OPENAI_MODEL."
        case 404:
            return f"The server does not know the model ({named}). Set OPENAI_MODEL to one that it has."
        case _:
            return (
                f"The server does not take the request ({named}). Check OPENAI_MODEL, OPENAI_BASE_URL and OPENAI_API."
            )


def _endpoint_missing(heard: _Complaint, model: str) -> bool:
    """Whether the server lacks the endpoint, not the model: both are 404, and few servers give the latter a code."""
    if heard.status in {405, 501}:
        return True
    if heard.code in {"model_not_found", "DeploymentNotFound"} or heard.param == "model":
        return False
    words = re.sub(r"/\S*", "", heard.message)  # a path that is echoed may hold both words
    return heard.status == 404 and "model" not in words and model not in words


def _unwanted(heard: _Complaint, fields: Mapping[str, object]) -> str | None:
    """Which of our fields the server will not have. Its message may name the remedy too: the first name counts."""
    if not UNWANTED_WORDS.search(f"{heard.code} {heard.type} {heard.message}"):
        return None
    if heard.param in fields:
        return heard.param
    named = {name: heard.message.find(name) for name in fields if name in heard.message}
    return min(named, key=named.__getitem__, default=None)


def _retry_after(headers: Mapping[str, str], words: str) -> float | None:
    """Seconds to wait, however the server says it; a date is taken relative to the server's own clock."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if re.fullmatch(r"\d{1,9}(\.\d+)?", value := headers.get(name, "").strip()):
            return float(value) * unit
    if "retry-after" in headers and "date" in headers:
        try:
            wait = parsedate_to_datetime(headers["retry-after"]) - parsedate_to_datetime(headers["date"])
        except (ValueError, TypeError):
            return None
        return max(0.0, wait.total_seconds())
    found = WAIT_WORDS.search(words)
    return float(found[1]) * (0.001 if found[2].lower() == "ms" else 1.0) if found else None


def _words(error: object, key: str) -> str:
    """What the server itself said, for the doctor alone; servers may repeat the key."""
    words = _text(error, "body", "message") or _text(error, "message")
    plain = " ".join(words.replace(key, "…").split())
    return f' It says: "{plain[:300]}"' if plain else ""


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


def _at(value: object, *path: str) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    return value


def _text(value: object, *path: str) -> str:
    found = _at(value, *path)
    return found if isinstance(found, str) else ""


def _count(value: object, *path: str) -> int:
    found = _at(value, *path)
    return found if isinstance(found, int) and found > 0 else 0
