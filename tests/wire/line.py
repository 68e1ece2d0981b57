"""The server of `tests/line.py` on loopback, and the stage on which it is held to what every platform promises."""

import asyncio
import json
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from time import time
from types import TracebackType
from typing import Any, Self

from core.seam.adapter import Adapter
from tests.line import LineAdapter, address_of
from tests.stage import Shown, Stage

US = "bot"


@dataclass(kw_only=True)
class Kept:
    """One message as the server keeps it."""

    id: str
    channel: str
    by: str
    text: str
    at: float
    to: tuple[str, ...] = ()
    edited: float | None = None
    key: str | None = None
    reply_to: str | None = None
    growing: bool = False
    edits: int = 0
    waits: bool = False
    gone: bool = False

    def told(self, event: str = "said") -> dict[str, Any]:
        """As the server tells of it."""
        names = ("id", "channel", "by", "text", "at", "to", "edited", "growing")
        return {"event": event, "name": self.by.title()} | {name: getattr(self, name) for name in names}


class LineStage(Stage):
    """Every place is a channel. An event is said to the newest listener, every `again` seconds until it is taken."""

    platform = "line"
    admins = "nobody"
    starts = False

    def __init__(self, *, again: float = 0.05, make: Callable[..., Adapter] = LineAdapter) -> None:
        super().__init__()
        self.messages: dict[str, Kept] = {}
        self._again, self._make = again, make
        self._ids, self._numbers = count(1), count(1)
        self._untaken: dict[int, dict[str, Any]] = {}
        self._listeners: list[StreamWriter] = []
        self._open: dict[StreamWriter, asyncio.Task[None] | None] = {}
        self._server: asyncio.Server | None = None
        self._telling: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._telling = asyncio.create_task(self._tell_again())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        assert self._telling is not None
        self._telling.cancel()
        self._server.close()
        serving = [task for task in self._open.values() if task is not None]
        for writer in self._open:
            writer.close()
        if serving:
            await asyncio.wait(serving)

    def environment(self) -> dict[str, str]:
        """There is no setting for it: it lives in the tests."""
        return {}

    def adapter(self) -> Adapter:
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        return self._make(host, port, pause=0.01)

    def session(self, place: str) -> str:
        return address_of(place).id

    async def say(self, text: str, *, place: str = "main", author: str = "ada", to_bot: bool = True) -> str:
        kept = Kept(id=f"m{next(self._ids)}", channel=place, by=author, text=text, at=time())
        kept.to = (US,) if to_bot else ()
        self.messages[kept.id] = kept
        await self._event(kept.told())
        return kept.id

    async def again(self, message: str) -> None:
        await self._event(self.messages[message].told())

    async def command(self, verb: str, *, place: str = "main", author: str = "ada") -> None:
        await self.say(f"!{verb}", place=place, author=author, to_bot=False)

    async def edit(self, message: str, text: str) -> None:
        """A person writes this in place of what they said."""
        kept = self.messages[message]
        kept.text, kept.edited = text, time()
        await self._event(kept.told("edited"))

    def shown(self, place: str = "main") -> list[Shown]:
        return [
            Shown(id=one.id, text=one.text, reply_to=one.reply_to, edits=one.edits, done=not one.growing)
            for one in self.messages.values()
            if one.by == US and one.channel == place and not one.gone
        ]

    async def _event(self, told: dict[str, Any]) -> None:
        number = next(self._numbers)
        self._untaken[number] = {**told, "number": number}
        self._tell(self._untaken[number])
        await self.change()

    def _tell(self, event: Mapping[str, Any]) -> None:
        if self._listeners:
            self._listeners[-1].write(json.dumps(event).encode() + b"\n")

    async def _tell_again(self) -> None:
        while True:
            await asyncio.sleep(self._again)
            for event in list(self._untaken.values()):
                self._tell(event)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._open[writer] = asyncio.current_task()
        with suppress(ConnectionError):
            async for line in reader:
                asked = json.loads(line)
                name = asked.pop("call")
                if name == "listen":
                    self._listeners.append(writer)
                    for event in self._untaken.values():
                        self._tell(event)
                elif name == "took":
                    self._untaken.pop(asked["number"], None)
                else:
                    writer.write(json.dumps(getattr(self, f"_{name}")(**asked)).encode() + b"\n")
                await self.change()
        if writer in self._listeners:
            self._listeners.remove(writer)
        del self._open[writer]
        writer.close()

    def _typing(self, *, channel: str) -> dict[str, Any]:
        return {}

    def _post(self, *, channel: str, text: str, key: str, reply_to: str | None, growing: bool) -> dict[str, Any]:
        found = next((one for one in self.messages.values() if one.key == key and not one.gone), None)
        if found is None:
            found = Kept(id=f"m{next(self._ids)}", channel=channel, by=US, text=text, at=time())
            found.key, found.reply_to, found.growing = key, reply_to, growing
            self.messages[found.id] = found
            number = next(self._numbers)
            self._untaken[number] = {**found.told(), "number": number}
            self._tell(self._untaken[number])
        return found.told()

    def _edit(self, *, id: str, text: str, growing: bool) -> dict[str, Any]:  # noqa: A002 – the wire's word
        kept = self.messages.get(id)
        if kept is None or kept.gone:
            return {"error": "no such message"}
        kept.edits += kept.text != text
        kept.text, kept.growing = text, growing
        return {}

    def _delete(self, *, channel: str, id: str) -> dict[str, Any]:  # noqa: A002 – the wire's word
        if id in self.messages:
            self.messages[id].gone = True
        return {}

    def _find(self, *, channel: str, key: str) -> dict[str, Any]:
        standing = [one for one in self.messages.values() if one.key == key and not one.gone]
        return {"messages": [one.told() for one in standing]}

    def _react(self, *, channel: str, id: str, there: bool) -> dict[str, Any]:  # noqa: A002 – the wire's word
        if id in self.messages:
            self.messages[id].waits = there
        return {}

    def _history(self, *, channel: str, after: float, before: str | None) -> dict[str, Any]:
        said = [one for one in self.messages.values() if one.channel == channel and one.at > after and not one.gone]
        ids = [one.id for one in said]
        return {"messages": [one.told() for one in (said[: ids.index(before)] if before in ids else said)]}

    def _channels(self, *, since: float) -> dict[str, Any]:
        return {"channels": list(dict.fromkeys(one.channel for one in self.messages.values() if one.at > since))}
