"""An OpenAI API on loopback: Responses, Chat Completions and models, as the real one writes them, faults included.

It answers what its `answer` function says, in small pieces. `faults` holds what goes wrong next, first come first
served. `hold()` stops every answer before its first piece (or after some), until `release()` or the request's own
`gate.set()`. `until()` waits for something to be true of the requests that have arrived, for example that one's client
has hung up (`gone`). It lives in the test's own event loop; another process reaches it by `environment()`.

For runs that are left to chance: `answer=echo` says the question's key words (those with a digit in them), so that
`echoed(question)` is what must be on screen in the end, whoever answered and after however many attempts. `chunks`
says in how many pieces each answer comes, `pause` how many seconds lie between two. `weather` is asked about each
request for which no fault is queued, and returns a fault or none: `Weather(seed=1, rate=0.2)` spreads faults by chance,
the same for the same questions whatever the order in which they come, and counts them in `sent`.
"""

import asyncio
import json
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random
from typing import Literal, Self

from aiohttp import web

from tests import watch

API = Literal["responses", "chat"]
MODEL = "gpt-test"
KEY = watch.secret("sk-loopback-key")


@dataclass(kw_only=True, eq=False)
class Request:
    """One request for an answer as it arrived. `gone` says that its client hung up before the end."""

    api: API
    body: dict
    headers: dict[str, str]
    raw: bytes = b""
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    gone: bool = False
    done: bool = False

    @property
    def instructions(self) -> str:
        if self.api == "responses":
            return self.body.get("instructions") or ""
        return "\n".join(m["content"] for m in self.body["messages"] if m["role"] in {"system", "developer"})

    @property
    def texts(self) -> list[tuple[str, str]]:
        """The messages that the model is shown: role and text, oldest first, without the instructions."""
        shown = self.body["input"] if self.api == "responses" else self.body["messages"]
        return [(m["role"], plain(m["content"])) for m in shown if m["role"] in {"user", "assistant"}]

    @property
    def marks(self) -> list[str]:
        """The texts behind which the prompt cache has a breakpoint."""
        shown = self.body["input"] if self.api == "responses" else self.body["messages"]
        parts = [part for m in shown if not isinstance(m["content"], str) for part in m["content"]]
        kind = "input_text" if self.api == "responses" else "text"
        assert all(part["type"] == kind for part in parts), "each API has its own word for a text"
        return [part["text"] for part in parts if part.get("prompt_cache_breakpoint") == {"mode": "explicit"}]

    @property
    def last(self) -> str:
        """What a person said last."""
        return next((text for role, text in reversed(self.texts) if role == "user"), "")

    @property
    def question(self) -> list[str]:
        """What people have said since the last answer, oldest first: several messages may be answered as one."""
        texts = self.texts
        answered = max((place for place, (role, _) in enumerate(texts) if role == "assistant"), default=-1)
        return [text for _, text in texts[answered + 1 :]]


def echo(request: Request) -> str:
    """The answer to a question, by its key words alone; the brackets that name the speaker are none of them."""
    return echoed(*(re.sub(r"^\[[^]]*\] ", "", text) for text in request.question))


def echoed(*question: str) -> str:
    """What `echo` answers to these messages: their words with a digit in them, then twenty more and an end."""
    words = [word for text in question for word in re.findall(r"[\w-]*\d[\w-]*", text)]
    return f"You said {' '.join(words)}. " + " ".join(f"({number})" for number in range(1, 21)) + " That is all."


def plain(content: str | list[dict]) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


@dataclass(frozen=True, kw_only=True)
class Status:
    """A refusal before any answer: an HTTP status with the API's error object."""

    status: int
    message: str = "Something is wrong."
    code: str | int | None = None
    type: str | None = "invalid_request_error"
    param: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> dict:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


@dataclass(frozen=True, kw_only=True)
class Body:
    """A 200 that is no event stream."""

    text: str = "<!doctype html><title>Welcome</title>"
    content_type: str = "text/html"


@dataclass(frozen=True, kw_only=True)
class Break:
    """An answer that goes wrong after some pieces.

    `truncated` ends the stream cleanly but too early, `malformed` sends half a JSON object, `bytes` sends no UTF-8,
    `dropped` closes the connection, `garbled` breaks HTTP's own framing, `stall` sends nothing more (and closes the
    connection after so many `seconds`, if any), `drip` sends nothing but its `beat`, a keep-alive, `error` sends an
    error in the stream, `failed` is the Responses API's own end for the same (an error on Chat).
    """

    how: Literal["truncated", "malformed", "bytes", "dropped", "garbled", "stall", "drip", "error", "failed"]
    after: int = 2
    seconds: float | None = None
    code: str | None = "server_error"
    message: str = "The server had an error."
    beat: bytes = b": still at it\n\n"


@dataclass(frozen=True, kw_only=True)
class Silence:
    """A request to which nothing comes, not even a status."""


@dataclass(frozen=True, kw_only=True)
class End:
    """An answer that is complete, but not in the usual way. `late` breaks the connection after the proof of the end."""

    reason: Literal["stop", "length", "content_filter"] = "stop"
    text: str | None = None
    refusal: bool = False
    late: bool = False


Fault = Status | Body | Break | Silence | End

RATE_LIMITED = Status(status=429, code="rate_limit_exceeded", type="requests", headers={"Retry-After": "7"})
NO_CREDIT = Status(status=429, code="insufficient_quota", type="insufficient_quota")
BROKEN = Status(status=500, type="server_error")
OVERLOADED = Status(status=503, type="server_error", headers={"retry-after-ms": "1500"})
WRONG_KEY = Status(status=401, code="invalid_api_key", message=f"Incorrect API key provided: {KEY}.")
NO_MODEL = Status(
    status=404, code="model_not_found", message=f"The model `{MODEL}` does not exist or you do not have access to it."
)
NO_ENDPOINT = Status(status=404, message="Invalid URL (POST /v1/nowhere)")
TOO_LONG = Status(
    status=400, code="context_length_exceeded", message="Your input exceeds the context window of this model."
)

SHOWERS: tuple[Fault, ...] = (
    Status(status=429, code="rate_limit_exceeded", headers={"retry-after-ms": "300"}),
    BROKEN,
    OVERLOADED,
    Break(how="dropped"),
    Break(how="garbled"),
    Break(how="truncated"),
    Break(how="malformed"),
    Break(how="error"),
    Break(how="stall", seconds=1.0),
)
"""What passes by itself."""


class Weather:
    """Faults by chance, at this rate. `times` counts how often each question came, `sent` each kind of fault."""

    def __init__(self, *, seed: int, rate: float, faults: Sequence[Fault] = SHOWERS) -> None:
        self.seed, self.rate, self.faults = seed, rate, faults
        self.times: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()

    def __call__(self, request: Request) -> Fault | None:
        asked = echo(request)  # without the time, which is another at every run
        self.times[asked] += 1
        chance = Random(f"{self.seed}/{self.times[asked]}/{asked}")
        if chance.random() >= self.rate:
            return None
        fault = chance.choice(self.faults)
        self.sent[str(fault.status) if isinstance(fault, Status) else getattr(fault, "how", "other")] += 1
        return replace(fault, after=chance.randrange(8)) if isinstance(fault, Break) else fault


class OpenAIServer:
    """The server. Everything that a test may turn is a plain attribute."""

    def __init__(
        self, *, answer: Callable[[Request], str] | None = None, pause: float = 0, chunks: int | None = None
    ) -> None:
        self.answer = answer or (lambda request: f"You said: {request.last}")
        self.pause = pause
        self.chunks = chunks
        """In how many pieces an answer comes; by its words if none is set."""
        self.weather: Callable[[Request], Fault | None] = lambda _: None
        self.whole: Callable[[Request], None] = lambda _: None
        """Is told of each answer that has been sent to its end."""
        self.requests: list[Request] = []
        self.faults: deque[Fault] = deque()
        self.changed = asyncio.Condition()
        self.missing: set[str] = set()
        """Endpoints that this server does not have: responses, chat, models."""
        self.unsupported: set[str] = set()
        """Request fields that this server refuses with 400, and breakpoints of the prompt cache, by their name."""
        self.untold: Status | None = None
        """How it refuses to describe a model by itself."""
        self.described: dict[str, object] = {}
        """What the list of models says of ours beside its name."""
        self.usage: Literal["full", "bare", "none"] = "full"
        self.flags: set[str] = set()
        """Words that moderation flags."""
        self.judged: list[str] = []
        """What moderation was asked about."""
        self.unjudged: Status | None = None
        """How it fails."""
        self.url = ""
        self._held_after: int | None = None
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/v1/responses", self._responses)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/moderations", self._moderations)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/v1/models/{id:.+}", self._model)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release()
        if self._runner is not None:
            await self._runner.cleanup()

    def environment(self) -> dict[str, str]:
        """The settings that make a process of its own talk to this server."""
        return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": self.url, "OPENAI_MODEL": MODEL}

    def hold(self, *, after: int = 0) -> None:
        """From now on answers stop after so many pieces and wait for their gate."""
        self._held_after = after

    def release(self) -> None:
        """Opens every gate, and holds no more."""
        self._held_after = None
        for request in self.requests:
            request.gate.set()

    async def until(self, condition: Callable[[], object], seconds: float = 20) -> None:
        """Waits until the condition holds; looks again whenever a request has come, ended or been given up."""
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(condition)

    async def _change(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def _models(self, _http: web.Request) -> web.StreamResponse:
        """Every process asks for the list when it starts, so no fault is spent on it."""
        if "models" in self.missing:
            return web.json_response(NO_ENDPOINT.body, status=NO_ENDPOINT.status)
        return web.json_response({"object": "list", "data": [{"id": MODEL, "object": "model"} | self.described]})

    async def _model(self, http: web.Request) -> web.StreamResponse:
        """As with the list, no fault is spent on it."""
        fault = NO_ENDPOINT if "models" in self.missing else self.untold
        if fault is None and http.match_info["id"] != MODEL:
            fault = NO_MODEL
        if fault is not None:
            return web.json_response(fault.body, status=fault.status, headers=fault.headers)
        return web.json_response({"id": MODEL, "object": "model", "created": 1700000000, "owned_by": "loopback"})

    async def _moderations(self, http: web.Request) -> web.StreamResponse:
        """platform.openai.com/docs/api-reference/moderations"""
        given = (await http.json())["input"]
        self.judged += given
        if self.unjudged is not None:
            return web.json_response(self.unjudged.body, status=self.unjudged.status)
        found = [{"flagged": any(word in text for word in self.flags), "categories": {}} for text in given]
        return web.json_response({"id": "modr-1", "model": "omni-moderation-latest", "results": found})

    async def _responses(self, http: web.Request) -> web.StreamResponse:
        return await self._serve(http, "responses")

    async def _chat(self, http: web.Request) -> web.StreamResponse:
        return await self._serve(http, "chat")

    async def _serve(self, http: web.Request, api: API) -> web.StreamResponse:
        raw = await http.read()
        request = Request(api=api, body=json.loads(raw), headers=dict(http.headers), raw=raw)
        fault = self._fault(request)
        if self._held_after is None:
            request.gate.set()
        held_after = self._held_after or 0
        self.requests.append(request)
        await self._change()
        try:
            if isinstance(fault, Status):
                return web.json_response(fault.body, status=fault.status, headers=fault.headers)
            if isinstance(fault, Body):
                return web.Response(text=fault.text, content_type=fault.content_type)
            if isinstance(fault, Silence):
                await asyncio.Event().wait()
                raise AssertionError("nobody sets it")
            return await self._stream(http, request, fault, held_after)
        except (asyncio.CancelledError, ConnectionResetError):
            request.gone = True
            raise
        finally:
            request.done = not request.gone
            with suppress(RuntimeError):  # the loop may be closing
                await asyncio.shield(self._change())

    def _fault(self, request: Request) -> Fault | None:
        if request.api in self.missing:
            return NO_ENDPOINT
        for name in sorted(self.unsupported & request.body.keys()):
            message = f"Unsupported parameter: '{name}' is not supported with this model."
            return Status(status=400, code="unsupported_parameter", param=name, message=message)
        if request.marks and "prompt_cache_breakpoint" in self.unsupported:
            where = f"{'input' if request.api == 'responses' else 'messages'}[0].content[0].prompt_cache_breakpoint"
            return Status(status=400, code="unknown_parameter", param=where, message=f"Unknown parameter: '{where}'.")
        return self.faults.popleft() if self.faults else self.weather(request)

    async def _stream(
        self, http: web.Request, request: Request, fault: Break | End | None, held_after: int
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(http)
        end = fault if isinstance(fault, End) else End()
        text = watch.said(self.answer(request) if end.text is None else end.text)
        wire = (ResponsesWire if request.api == "responses" else ChatWire)(request, end, text, self.usage)
        for event in wire.opening():
            await response.write(event)
        for number, piece in enumerate([*pieces(text, self.chunks), None]):
            if number == held_after:
                await request.gate.wait()
            if isinstance(fault, Break) and (number == fault.after or piece is None):
                return await self._break(http, response, wire, fault)
            if piece is not None:
                await response.write(wire.piece(piece))
                await asyncio.sleep(self.pause)
        await request.gate.wait()
        for event in wire.closing():
            await response.write(event)
        self.whole(request)
        if end.late:
            return self._drop(http, response)
        await response.write_eof()
        return response

    async def _break(
        self, http: web.Request, response: web.StreamResponse, wire: "Wire", fault: Break
    ) -> web.StreamResponse:
        match fault.how:
            case "truncated":
                await response.write_eof()
            case "malformed":
                await response.write(b'data: {"choices": [{"delta": {"con\n\n')
                await response.write_eof()
            case "bytes":
                await response.write(b'data: {"choices": "\xff\xfe"}\n\n')
                await response.write_eof()
            case "dropped":
                return self._drop(http, response)
            case "garbled":
                assert http.transport is not None
                http.transport.write(b"no length\r\n\r\n")
                return self._drop(http, response)
            case "stall":
                with suppress(TimeoutError):
                    async with asyncio.timeout(fault.seconds):
                        await asyncio.Event().wait()
                return self._drop(http, response)
            case "drip":
                while True:
                    await response.write(fault.beat)
                    await asyncio.sleep(0.02)
            case "error" | "failed":
                await response.write(wire.failure(fault))
                await response.write_eof()
        return response

    @staticmethod
    def _drop(http: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        assert http.transport is not None
        http.transport.close()
        return response


def pieces(text: str, number: int | None = None) -> list[str]:
    """A text in the small pieces in which a model writes it: words with the blanks before them, or so many pieces."""
    if number is not None:
        ends = [len(text) * piece // number for piece in range(number + 1)]
        return [text[start:end] for start, end in pairwise(ends) if end > start]
    return re.findall(r"\s*\S{1,12}|\s+$", text)


class Wire:
    """How one API writes an answer, as server-sent events."""

    def __init__(self, request: Request, end: End, text: str, usage: str) -> None:
        self.request, self.end, self.text = request, end, text
        shown = sum(len(text) for _, text in request.texts) + len(request.instructions)
        self.counts = None if usage == "none" else (max(1, shown // 4), max(1, len(text) // 4))
        self.details = usage == "full"

    def opening(self) -> Iterator[bytes]:
        raise NotImplementedError

    def piece(self, piece: str) -> bytes:
        raise NotImplementedError

    def closing(self) -> Iterator[bytes]:
        raise NotImplementedError

    def failure(self, fault: Break) -> bytes:
        raise NotImplementedError


class ResponsesWire(Wire):
    """Named events with sequence numbers; the last one carries the whole response. There is no `[DONE]`."""

    def __init__(self, request: Request, end: End, text: str, usage: str) -> None:
        super().__init__(request, end, text, usage)
        self.number = 0
        self.place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        self.kind = "refusal" if end.refusal else "output_text"

    def event(self, kind: str, **data: object) -> bytes:
        whole = {"type": kind, "sequence_number": self.number, **data}
        self.number += 1
        return f"event: {kind}\ndata: {json.dumps(whole)}\n\n".encode()

    def part(self, text: str) -> dict:
        return {"type": self.kind, "refusal" if self.end.refusal else "text": text, "annotations": [], "logprobs": []}

    def item(self, status: str, content: list[dict]) -> dict:
        return {"id": "msg_1", "type": "message", "status": status, "role": "assistant", "content": content}

    def response(self, status: str, **more: object) -> dict:
        whole = {"id": "resp_1", "object": "response", "created_at": 1700000000, "status": status, "error": None}
        whole |= {"incomplete_details": None, "model": f"{self.request.body['model']}-2026-11-01", "output": []}
        return whole | {"parallel_tool_calls": True, "tools": [], "tool_choice": "auto", "usage": None} | more

    def opening(self) -> Iterator[bytes]:
        yield self.event("response.created", response=self.response("in_progress"))
        yield self.event("response.in_progress", response=self.response("in_progress"))
        yield self.event("response.output_item.added", output_index=0, item=self.item("in_progress", []))
        yield self.event("response.content_part.added", **self.place, part=self.part(""))

    def piece(self, piece: str) -> bytes:
        return self.event(f"response.{self.kind}.delta", **self.place, delta=piece, logprobs=[])

    def closing(self) -> Iterator[bytes]:
        full = "refusal" if self.end.refusal else "text"
        yield self.event(f"response.{self.kind}.done", **self.place, **{full: self.text})
        yield self.event("response.content_part.done", **self.place, part=self.part(self.text))
        item = self.item("completed", [self.part(self.text)])
        yield self.event("response.output_item.done", output_index=0, item=item)
        usage = self.spent()
        if self.end.reason == "stop":
            whole = self.response("completed", output=[item], usage=usage)
            yield self.event("response.completed", response=whole)
        else:
            reason = {"length": "max_output_tokens"}.get(self.end.reason, self.end.reason)
            whole = self.response("incomplete", output=[item], usage=usage, incomplete_details={"reason": reason})
            yield self.event("response.incomplete", response=whole)

    def spent(self) -> dict | None:
        if self.counts is None:
            return None
        shown, written = self.counts
        return {
            "input_tokens": shown,
            "input_tokens_details": {"cached_tokens": shown // 2, "cache_write_tokens": shown // 5}
            if self.details
            else None,
            "output_tokens": written,
            "output_tokens_details": {"reasoning_tokens": 1} if self.details else None,
            "total_tokens": shown + written,
        }

    def failure(self, fault: Break) -> bytes:
        error = {"code": fault.code, "message": fault.message}
        if fault.how == "failed":
            return self.event("response.failed", response=self.response("failed", error=error))
        return self.event("error", **error, param=None)


class ChatWire(Wire):
    """Nameless chunks, the usage in a last chunk without choices where it was asked for, then `[DONE]`."""

    def chunk(self, choices: list[dict], **more: object) -> bytes:
        whole = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000}
        whole |= {"model": f"{self.request.body['model']}-2026-11-01", "choices": choices, **more}
        return f"data: {json.dumps(whole)}\n\n".encode()

    def choice(self, delta: dict, finish: str | None = None) -> dict:
        return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}

    def opening(self) -> Iterator[bytes]:
        yield self.chunk([self.choice({"role": "assistant", "content": "", "refusal": None})])

    def piece(self, piece: str) -> bytes:
        return self.chunk([self.choice({"refusal" if self.end.refusal else "content": piece})])

    def closing(self) -> Iterator[bytes]:
        yield self.chunk([self.choice({}, self.end.reason)])
        if self.counts is not None and (self.request.body.get("stream_options") or {}).get("include_usage"):
            yield self.chunk([], usage=self.spent(*self.counts))
        if not self.end.late:
            yield b"data: [DONE]\n\n"

    def spent(self, shown: int, written: int) -> dict:
        usage: dict = {"prompt_tokens": shown, "completion_tokens": written, "total_tokens": shown + written}
        if self.details:
            usage["prompt_tokens_details"] = {"cached_tokens": shown // 2, "cache_write_tokens": shown // 5}
            usage["completion_tokens_details"] = {"reasoning_tokens": 1, "audio_tokens": 0}
        return usage

    def failure(self, fault: Break) -> bytes:
        error = {"message": fault.message, "type": fault.code, "param": None, "code": fault.code}
        return f"data: {json.dumps({'error': error})}\n\n".encode()
