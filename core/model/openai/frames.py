"""A server's answer as frames, read leniently: server-sent events as servers write them, or one JSON body.

Comments, IDs and frames without data say nothing of the answer and are passed over (a proxy's `retry:`, `event: ping`).
A line is a frame as soon as it is whole JSON, with or without the blank line that should follow it. What the server
calls an error is a frame with an `error`. `[DONE]` is the frame END, after which nothing counts.
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress

import openai

END = "[DONE]"
"""The chat dialect's word that nothing follows."""

_BOM = b"\xef\xbb\xbf"


class Frames(openai.AsyncStream[object]):
    """The SDK's stream, its connection and time-outs, with our reading of the bytes.

    The SDK's own takes every event for JSON, a web page for an empty answer, and ends over a frame without data.
    """

    async def first(self) -> object:
        """The first frame, ahead of the rest, which still begins with it; None where it does not come whole."""
        frame = None
        with suppress(openai.OpenAIError, ValueError):
            frame = await anext(self._iterator, None)
        self._iterator = _led(frame, self._iterator)
        return frame

    async def __stream__(self) -> AsyncIterator[object]:
        """Yields JSON values and END. Raises ValueError where something is garbled."""
        self._decoder = _Decoder()  # type: ignore[assignment]  # it is used for nothing but this
        try:
            async for frame in self._iter_events():
                yield frame
        finally:
            await self.response.aclose()


async def _led(first: object, rest: AsyncIterator[object]) -> AsyncIterator[object]:
    if first is not None:
        yield first
    async for frame in rest:
        yield frame


class _Decoder:
    async def aiter_bytes(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[object]:
        async for frame in frames(chunks):
            yield frame


async def frames(chunks: AsyncIterator[bytes]) -> AsyncIterator[object]:
    """The frames of a body that comes in these chunks. After END the rest is read, so that the connection is reused."""
    lines, ended = Lines(), False
    async for chunk in chunks:
        for frame in lines.take(chunk):
            if not ended:
                yield frame
                ended = frame == END
    for frame in lines.end():
        if not ended:
            yield frame
            ended = frame == END


class Lines:
    """Takes bytes as they come, and gives the frames that they complete."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._event = b""
        self._body: bytearray | None = None
        self._begun = False

    def take(self, chunk: bytes) -> Iterator[object]:
        """The frames that end in this chunk."""
        if self._body is not None:
            self._body += chunk
            return
        text = self._rest + chunk
        if not self._begun:
            bare = text.removeprefix(_BOM).lstrip()
            if not bare or _BOM.startswith(text):
                self._rest = text
                return
            self._begun = True
            if bare[:1] in b"{[<":
                self._body = bytearray(bare)
                return
            text = bare
        if b"\r" in text:  # it ends a line too; at the very end, the line feed of a pair may follow
            held = b"\r" if text.endswith(b"\r") else b""
            text = text.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n") + held
        *lines, self._rest = text.split(b"\n")
        for line in lines:
            yield from self._line(line)

    def end(self) -> Iterator[object]:
        """The frames that nothing but the end completes: a JSON body, or a last line without its line end."""
        if self._body is not None:
            yield from _body(bytes(self._body))
            return
        yield from self._line(self._rest.removesuffix(b"\r"), last=True)

    def _line(self, line: bytes, *, last: bool = False) -> Iterator[object]:
        name, _, value = line.partition(b":")
        if not line:
            yield from self._dispatch()
        elif name == b"data":
            yield from self._datum(value.removeprefix(b" "), last=last)
        elif name == b"event":
            self._event = value.strip()
        elif name == b"error":  # llama.cpp until September 2025
            yield {"error": _parsed(value)}
        elif line[:1] == b"{":  # one JSON value a line, without a name
            yield from self._datum(line, last=last)

    def _datum(self, value: bytes, *, last: bool) -> Iterator[object]:
        if not value.strip():
            return
        if value.strip() == END.encode():
            self._data.clear()
            yield END
            return
        self._data.append(value)
        try:
            frame = loads(b"\n".join(self._data))
        except ValueError:  # more of it may follow; where none does, `_dispatch` says so
            if last:
                raise
            return
        self._data.clear()
        yield from _frames(frame, error=self._event == b"error")

    def _dispatch(self) -> Iterator[object]:
        data, event = b"\n".join(self._data), self._event
        self._data.clear()
        self._event = b""
        if not data:
            return
        if event != b"error":
            raise ValueError("a frame is no JSON")
        yield {"error": {"message": data.decode(errors="replace")}}


def _frames(value: object, *, error: bool = False) -> Iterator[object]:
    """The frames in a JSON value: a list is several, and what is called an `error` by anything but its key is one."""
    for one in value if isinstance(value, list) else [value]:
        if one is None:
            continue
        said = one if isinstance(one, Mapping) else {}
        called = error or said.get("object") == "error" or said.get("error_code")
        yield {"error": one} if called and "error" not in said else one


def _body(body: bytes) -> Iterator[object]:
    """One JSON value, or one a line. A web page is no frame at all."""
    if body[:1] == b"<":
        return
    try:
        whole = [loads(body)]
    except ValueError:
        whole = [loads(line) for line in body.splitlines() if line.strip()]
    for value in whole:
        yield from _frames(value)


def _parsed(complaint: bytes) -> object:
    try:
        return loads(complaint)
    except ValueError:
        return {"message": complaint.decode(errors="replace")}


def loads(text: str | bytes) -> object:
    """A JSON value. Raises ValueError, also for what is nested too deeply to be read."""
    try:
        value: object = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return value
