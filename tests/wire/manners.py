"""Any model server on loopback, played from a file that says how it answers: `tests/manners/NAME.toml`.

Such a file has the texts of one server as they stand on the wire, and nothing of how they come about:

* `api` is where it answers, chat or responses, below the path `base`; `official` says that its host counts as OpenAI's,
  `setting` what `OPENAI_API` is set to, `newline` how its lines end, `context` how many tokens its refusals speak of
  (and what it tells of its models, where it is `listed`).
* `gets` are what it says to a GET, by path; any other path is `missing`.
* `refuses` is a list of what it will not have, each with its answer: a request `field` (or one whose number is `over`
  this), or an `order` of roles: `alternate` (a user first, then by turns, after a system message at most), `successive`
  (no two of one role in a row), `user-first`, `no-system`. `effort` is what the model is set to, so that it may refuse.
* `stream` is an answer: `opening`, then for each bit of the words `piece` and `between`, then `closing`, `usage` where
  it was asked for (or `usage_unasked`; or it is part of `closing`, `usage_in_closing`), and `end`.
* `whole` is the `body` of an answer in one piece, given if no stream was asked for, or even then (`unasked`).
* `scenes` are what may happen instead: `cut` by the limit, `long`, `filtered` and `filtered_midway`, no `credit`,
  `trouble` and `trouble_midway`. Each is a response (`status`, `body`), a `stream` that goes on so `after` some pieces,
  or an answer with another `reason`, `closing` or `whole`. `size_said` is false where a refusal does not name the
  context's size.

In all texts $MODEL, $PIECE, $TEXT and $REASON are JSON, $NAME and $PATH plain, $SHOWN, $WRITTEN, $TOTAL and $N numbers.
"""

import asyncio
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path
from typing import Literal, Self

from aiohttp import web

from tests.wire.openai import MODEL, plain

FILES = {path.stem: path for path in sorted((Path(__file__).parent.parent / "manners").glob("*.toml"))}

ANSWER = "The ferry leaves at 6:40 – every day but Sunday. 🦀\n\n- tickets on board\n- see `ferry --help`"
BIT = 7  # characters of the answer in one piece
SHOWN, WRITTEN = 21, 12

Order = Literal["alternate", "successive", "user-first", "no-system"]
PATHS = {"chat": "chat/completions", "responses": "responses"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A response that is no answer."""

    status: int = 200
    body: str = ""
    type: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(Said):
    """What is said to a request with this field, or with its messages in such an order."""

    field: str | None = None
    over: int = 0
    order: Order | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """An answer in pieces."""

    piece: str
    opening: str = ""
    between: str = ""
    closing: str = ""
    usage: str = ""
    usage_unasked: bool = False
    usage_in_closing: bool = False
    end: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """An answer in one piece."""

    body: str
    unasked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene(Said):
    """What happens instead of an ordinary answer."""

    stream: str = ""
    after: int = 0
    reason: str | None = None
    closing: str | None = None
    whole: str | None = None
    size_said: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """One server's manners."""

    context: int
    gets: dict[str, str]
    missing: Said
    scenes: dict[str, Scene]
    api: Literal["chat", "responses"] = "chat"
    setting: Literal["auto", "chat", "responses"] = "auto"
    official: bool = False
    listed: bool = False
    effort: str | None = None
    base: str = "/v1"
    newline: str = "\n"
    refuses: tuple[Refusal, ...] = ()
    stream: Stream | None = None
    whole: Whole | None = None

    @property
    def path(self) -> str:
        """Where it answers."""
        return f"{self.base.rstrip('/')}/{PATHS[self.api]}"


def manner(name: str) -> Manner:
    """The manners in the file of this name. Raises TypeError for a key that nobody reads."""
    told = tomllib.loads(FILES[name].read_text(encoding="utf-8"))
    kinds: dict[str, Callable[..., object]] = {"missing": Said, "stream": Stream, "whole": Whole}
    read = {key: kinds[key](**value) for key, value in told.items() if key in kinds}
    refuses = tuple(Refusal(**one) for one in told.pop("refuses", ()))
    scenes = {scene: Scene(**value) for scene, value in told.pop("scenes").items()}
    return Manner(**told | read, refuses=refuses, scenes=scenes)


def having(*scenes: str) -> list[str]:
    """The servers that have all of these scenes."""
    return [name for name in FILES if manner(name).scenes.keys() >= set(scenes)]


@dataclass(kw_only=True, eq=False)
class Asked:
    """One request for an answer. `answered` says that it was not refused, `billed` that it was told what it cost."""

    path: str
    body: dict
    answered: bool = False
    billed: bool = False
    gone: bool = False

    @property
    def roles(self) -> list[str]:
        shown = self.body.get("messages") or self.body.get("input") or []
        return [message["role"] for message in shown]

    @property
    def words(self) -> str:
        """All that the model is shown, in its order."""
        shown = self.body.get("messages") or self.body.get("input") or []
        return "\n".join([self.body.get("instructions") or "", *(plain(message["content"]) for message in shown)])


def out_of_order(roles: list[str], order: Order) -> bool:
    """Whether a server that minds this order would refuse these roles."""
    system, said = roles[:1] == ["system"], [role for role in roles if role != "system"]
    match order:
        case "no-system":
            return "system" in roles
        case "successive":
            return any(one == other for one, other in pairwise(roles))
        case "user-first":
            return said[:1] != ["user"]
        case "alternate":
            turns = [("user", "assistant")[place % 2] for place in range(len(said))]
            return said != turns or roles[system:] != said


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaks:
    """How an answer breaks off: after some pieces or all of them, politely or with the connection."""

    after: int | None
    politely: bool


class MannersServer:
    """The server. `scene` is what happens to every request, `breaks` how answers break off, `hold` keeps them open."""

    def __init__(self, manner: Manner) -> None:
        self.manner = manner
        self.scene = "answer"
        self.breaks: Breaks | None = None
        self.hold = False
        self.requests: list[Asked] = []
        self.changed = asyncio.Condition()
        self.url = ""
        self._numbers = count()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_get("/{path:.*}", self._got)
        app.router.add_post("/{path:.*}", self._asked)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}{self.manner.base}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def until(self, condition: Callable[[], object]) -> None:
        """Waits until the condition holds; looks again whenever a request has come or was given up."""
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(condition)

    async def _change(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    def _filled(self, text: str, **values: object) -> str:
        known = {"MODEL": json.dumps(MODEL), "NAME": MODEL, "TEXT": json.dumps(ANSWER), "SHOWN": SHOWN}
        known |= {"WRITTEN": WRITTEN, "TOTAL": SHOWN + WRITTEN} | values

        def value(found: re.Match[str]) -> str:
            return str(next(self._numbers) if found[1] == "N" else known[found[1]])

        return re.sub(r"\$([A-Z]+)", value, text)

    def _say(self, said: Said, path: str) -> web.Response:
        body = self._filled(said.body, PATH=path)
        return web.Response(status=said.status, text=body, content_type=said.type)

    async def _got(self, http: web.Request) -> web.Response:
        gets = {self._filled(path): body for path, body in self.manner.gets.items()}
        return self._say(Said(body=gets[http.path]) if http.path in gets else self.manner.missing, http.path)

    async def _asked(self, http: web.Request) -> web.StreamResponse:
        asked = Asked(path=http.path, body=await http.json())
        self.requests.append(asked)
        try:
            if http.path != self.manner.path:
                return self._say(self.manner.missing, http.path)
            if refusal := next((one for one in self.manner.refuses if refused(asked, one)), None):
                return self._say(refusal, http.path)
            asked.answered = True
            await self._change()
            return await self._answer(http, asked)
        except (asyncio.CancelledError, ConnectionResetError):
            asked.gone = True
            raise
        finally:
            with suppress(RuntimeError):  # the loop may be closing
                await asyncio.shield(self._change())

    async def _answer(self, http: web.Request, asked: Asked) -> web.StreamResponse:
        scene, whole = self.manner.scenes.get(self.scene, Scene()), self.manner.whole
        if scene.body:
            return self._say(scene, http.path)
        if whole is not None and (whole.unasked or not asked.body.get("stream")):
            return await self._one_piece(http, asked, scene.whole or whole.body)
        return await self._pieces(http, asked, scene)

    async def _one_piece(self, http: web.Request, asked: Asked, body: str) -> web.StreamResponse:
        asked.billed = True
        if self.hold:
            await asyncio.Event().wait()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(http)
        data = self._filled(body).encode()
        if self.breaks is None:
            await response.write(data)
            await response.write_eof()
            return response
        await response.write(data[:-1] if self.breaks.after is None else data[: len(data) // 2])
        return await self._break(http, response, self.breaks)

    async def _pieces(self, http: web.Request, asked: Asked, scene: Scene) -> web.StreamResponse:
        stream = self.manner.stream
        assert stream is not None
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(http)
        pieces = list(self._worded(stream))
        for number, piece in enumerate([stream.opening, *pieces]):
            if scene.stream and number > scene.after:
                break
            if self.breaks is not None and self.breaks.after is not None and number > self.breaks.after:
                if not self.breaks.politely:
                    await self._write(response, piece.rstrip()[:-5])
                return await self._break(http, response, self.breaks)
            if self.hold and number > len(pieces) // 2:
                await asyncio.Event().wait()
            await self._write(response, piece)
        if self.breaks is not None:
            return await self._break(http, response, self.breaks)
        await self._write(response, scene.stream or self._closed(stream, asked, scene))
        await response.write_eof()
        return response

    def _worded(self, stream: Stream) -> Iterator[str]:
        for place in range(0, len(ANSWER), BIT):
            piece = json.dumps(ANSWER[place : place + BIT])
            yield self._filled(stream.piece, PIECE=piece) + self._filled(stream.between)

    def _closed(self, stream: Stream, asked: Asked, scene: Scene) -> str:
        wanted = stream.usage_unasked or (asked.body.get("stream_options") or {}).get("include_usage")
        asked.billed = stream.usage_in_closing or bool(wanted and stream.usage)
        text = (scene.closing or stream.closing) + (stream.usage if wanted else "") + stream.end
        return self._filled(text, REASON=json.dumps(scene.reason or "stop"))

    async def _write(self, response: web.StreamResponse, text: str) -> None:
        if text:
            await response.write(self._filled(text).replace("\n", self.manner.newline).encode())

    async def _break(self, http: web.Request, response: web.StreamResponse, breaks: Breaks) -> web.StreamResponse:
        if breaks.politely:
            await response.write_eof()
        elif http.transport is not None:
            http.transport.close()  # what was written still goes out; the end of the chunks does not
        return response


def refused(asked: Asked, refusal: Refusal) -> bool:
    """Whether this is refused. `stream: false` is no stream."""
    if refusal.field is not None:
        value = asked.body.get(refusal.field, False)
        return value > refusal.over if refusal.over else value is not False
    return refusal.order is not None and out_of_order(asked.roles, refusal.order)
