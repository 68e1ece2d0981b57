"""A tap on the line between the program and its model's server: everything passes, and requests for answers are noted.

So the kit judges what was asked and answered by the server's own words, whatever the program makes of them.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientSession, ClientTimeout, web

_ANSWERS = ("/chat/completions", "/responses")
_HOPS = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


@dataclass(kw_only=True)
class Request:
    """One request for an answer, by the server's own count of tokens; None is what it did not say.

    Without a status the client hung up before there was one; without a `finish`, before the end. `told` are its
    instructions and `asked` its last message, `said` is what the model has written.
    """

    status: int | None = None
    too_long: bool = False
    shown: int | None = None
    written: int | None = None
    finish: str | None = None
    asked: str = ""
    told: str = ""
    said: str = ""


class Tap:
    """Stands before the server at `upstream` (scheme, host and port), on a port that the system picks."""

    def __init__(self, upstream: str) -> None:
        self.requests: list[Request] = []
        self.url = ""
        self._upstream = upstream
        self._runner: web.AppRunner | None = None
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = ClientSession(timeout=ClientTimeout(total=None), auto_decompress=False)
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)  # who hangs up, hangs up
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        assert self._session is not None
        await self._runner.cleanup()
        await self._session.close()

    def environment(self) -> dict[str, str]:
        """The settings that make the program ask by way of it."""
        return {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": f"{self.url}/v1"}

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        noted = Request()
        if request.method == "POST" and request.path.endswith(_ANSWERS):
            self.requests.append(noted)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOPS}
        body = await request.read()
        noted.told, noted.asked = _ends(body.decode(errors="replace"))
        url = f"{self._upstream}{request.path_qs}"
        async with self._session.request(request.method, url, data=body or None, headers=headers) as answer:
            noted.status = answer.status
            back = {name: value for name, value in answer.headers.items() if name.lower() not in _HOPS}
            response = web.StreamResponse(status=answer.status, headers=back)
            await response.prepare(request)
            heard = bytearray()
            try:
                async for piece in answer.content.iter_any():
                    heard += piece
                    await response.write(piece)
            finally:
                _note(noted, heard.decode(errors="replace"))
            await response.write_eof()
            return response


def _ends(body: str) -> tuple[str, str]:
    """The instructions and the last message of a request."""
    given = next(_objects(body), {})
    messages = [one for one in given.get("messages", given.get("input", ())) if isinstance(one, dict)]
    words = [one["content"] for one in messages if isinstance(one.get("content"), str)]
    return given.get("instructions") or (words[0] if words else ""), words[-1] if words else ""


def _note(request: Request, heard: str) -> None:
    """Notes what the server said of this request, in one body or in the frames of a stream."""
    for said in _objects(heard):
        error = _part(said, "error")
        if "context" in f"{error.get('type')} {error.get('message')}" and request.status == 400:
            request.too_long = True
            request.shown = error.get("n_prompt_tokens")
        whole = _part(said, "response") or said
        usage = _part(whole, "usage")
        if usage:
            request.shown = usage.get("prompt_tokens", usage.get("input_tokens"))
            request.written = usage.get("completion_tokens", usage.get("output_tokens"))
        request.said += "".join(_words(choice) for choice in said.get("choices", ()))
        ended = [choice.get("finish_reason") for choice in said.get("choices", ())]
        status = whole.get("status")
        ended += [status] if status in {"completed", "incomplete", "failed"} else []
        request.finish = next((reason for reason in ended if reason), request.finish)


def _words(choice: Mapping[str, Any]) -> str:
    """What the model says in one piece of a chat's answer, or in the whole of it."""
    return (_part(choice, "delta") or _part(choice, "message")).get("content") or ""


def _part(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = said.get(name)
    return part if isinstance(part, dict) else {}


def _objects(heard: str) -> Iterator[dict[str, Any]]:
    lines = heard.splitlines()
    for line in lines if len(lines) == 1 else [heard, *lines]:
        with suppress(ValueError):
            said = json.loads(line.removeprefix("data:"))
            if isinstance(said, dict):
                yield said
