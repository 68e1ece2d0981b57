"""A third platform, as an example: a chat server that speaks lines of JSON over TCP.

Nobody runs such a server; it shows what an adapter is made of, and is held to all that other adapters promise. Pure
translation stands on top, the adapter below. The server says everything until it is told that it was taken, knows our
posts by their keys, and keeps its history; so there is little that this adapter has to do by itself.
"""

import json
from asyncio import StreamReader, StreamWriter, open_connection, sleep, timeout
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from structlog import get_logger

from core.errors import DeliveryDelayed, DeliveryRefused, DeliveryUnknown, PlaceGone
from core.seam.adapter import Adapter, Finding, Receive, Whole
from core.seam.address import Address
from core.seam.messages import Audience, Author, Deleted, Draft, Edited, Event, Inbound, Rejected, Reply

Payload = Mapping[str, Any]

PLATFORM = "line"
WORKSPACE = "house"

log = get_logger(platform=PLATFORM)


def translate(payload: Payload, us: str) -> Event | None:
    """What the server says, in our words; None for our own messages."""
    try:
        match payload["event"]:
            case "said":
                return None if payload["by"] == us else _said(payload, us)
            case "edited":
                return None if payload["by"] == us else Edited(message=_said(payload, us), at=payload["edited"])
            case "deleted":
                return Deleted(address=address_of(payload["channel"]), id=payload["id"])
        raise ValueError("no such event")
    except (KeyError, TypeError, ValueError) as error:
        number = str(payload.get("number", ""))
        return Rejected(platform=PLATFORM, id=number, reason=type(error).__name__, payload=json.dumps(dict(payload)))


def _said(payload: Payload, us: str) -> Inbound:
    called = payload["to"]
    return Inbound(
        address=address_of(payload["channel"]),
        id=payload["id"],
        author=Author(id=payload["by"], name=payload["name"], is_self=payload["by"] == us),
        text=payload["text"],
        at=payload["at"],
        audience=Audience.BOT if us in called else Audience.OTHERS if called else Audience.ROOM,
        reply_to=payload["id"],
        edited_at=payload["edited"],
    )


def address_of(channel: str) -> Address:
    """A channel of the one workspace; there are no threads."""
    return Address(platform=PLATFORM, workspace=WORKSPACE, channel=channel)


def written(reply: Reply) -> str:
    """The text, and choices as a numbered list."""
    return "\n".join([reply.text, *(f"{number}. {one.label}" for number, one in enumerate(reply.choices, 1))])


class LineAdapter(Adapter):
    """One bot on one server. A call takes at most `seconds`; a connection that broke is made anew after `pause`."""

    platform = PLATFORM
    max_text = 2_000
    preview_every = 0.05

    def __init__(self, host: str, port: int, *, us: str = "bot", seconds: float = 10.0, pause: float = 1.0) -> None:
        self._host, self._port, self._us = host, port, us
        self._seconds, self._pause = seconds, pause
        self._hears = False

    async def listen(self, receive: Receive) -> None:
        """For ever: a connection that breaks is made anew."""
        while True:
            try:
                async with self._connected() as (reader, writer):
                    _put(writer, {"call": "listen"})
                    self._hears = True
                    async for line in reader:
                        await self._take(json.loads(line), receive, writer)
            except (OSError, ValueError) as error:
                log.warning("connection lost", error=type(error).__name__)
            finally:
                self._hears = False
            await sleep(self._pause)

    async def _take(self, payload: Payload, receive: Receive, writer: StreamWriter) -> None:
        """Promise 1: what could not be stored is not acknowledged, and so comes again."""
        event = translate(payload, self._us)
        try:
            if event is not None:
                await receive(event)
        except Exception as error:  # noqa: BLE001 – whatever went wrong, it will be said again
            log.warning("not stored", error=type(error).__name__)
        else:
            _put(writer, {"call": "took", "number": payload["number"]})

    def hears(self) -> bool:
        """See Adapter."""
        return self._hears

    async def deliver(self, reply: Reply) -> str:
        """See Adapter. The server knows a key that it has seen: then nothing is posted, and we are told what stands."""
        if reply.draft is not None:
            with suppress(DeliveryRefused):  # it is gone, and the answer is still owed
                await self._call("edit", id=reply.draft.id, text=written(reply), growing=False)
                return reply.draft.id
        posted = await self._post(reply, growing=False)
        if posted["text"] != written(reply) or posted["growing"]:
            await self._call("edit", id=posted["id"], text=written(reply), growing=False)
        return str(posted["id"])

    async def preview(self, reply: Reply) -> Draft | None:
        """See Adapter."""
        if not reply.text:
            await self._call("typing", channel=reply.address.channel)
            return reply.draft
        if reply.draft is None:
            posted = await self._post(reply, growing=True)
            return Draft(id=posted["id"], text=posted["text"])
        await self._call("edit", id=reply.draft.id, text=reply.text, growing=True)
        return Draft(id=reply.draft.id, text=reply.text)

    async def _post(self, reply: Reply, *, growing: bool) -> Payload:
        return await self._call(
            "post",
            channel=reply.address.channel,
            text=written(reply),
            key=reply.key,
            reply_to=reply.reply_to,
            growing=growing,
        )

    async def backscroll(self, message: Inbound, limit: int) -> Sequence[Inbound]:
        """See Adapter."""
        found = await self._call("history", channel=message.address.channel, after=0.0, before=message.id)
        return [_said(one, self._us) for one in found["messages"]][-limit:]

    async def since(self, address: Address, after: float) -> Sequence[Inbound]:
        """See Adapter. The server gives all of it."""
        found = await self._call("history", channel=address.channel, after=after, before=None)
        return Whole(_said(one, self._us) for one in found["messages"] if one["by"] != self._us)

    async def places(self, since: float) -> Sequence[Address]:
        """See Adapter."""
        return [address_of(one) for one in (await self._call("channels", since=since))["channels"]]

    async def withdraw(self, address: Address, message: str) -> None:
        """See Adapter."""
        await self._call("delete", channel=address.channel, id=message)

    async def reconcile(self, reply: Reply, message: str) -> None:
        """See Adapter. Nothing can stand twice under one key, so there is only the text to be put right."""
        for one in (await self._call("find", channel=reply.address.channel, key=reply.key))["messages"]:
            if one["id"] != message:
                await self.withdraw(reply.address, one["id"])
            elif reply.text and one["text"] != written(reply):
                await self._call("edit", id=message, text=written(reply), growing=False)

    async def mark(self, address: Address, message: str, *, waits: bool) -> None:
        """See Adapter."""
        await self._call("react", channel=address.channel, id=message, there=waits)

    async def examine(self) -> Sequence[Finding]:
        """See Adapter."""
        try:
            await self._call("channels", since=0.0)
        except DeliveryUnknown as error:
            return (Finding(subject=PLATFORM, ok=False, detail=str(error), remedy="Start the server."),)
        return (Finding(subject=PLATFORM, ok=True, detail="the server answers"),)

    async def _call(self, name: str, **arguments: object) -> Payload:
        """One request, on a connection of its own. Raises a DeliveryError."""
        try:
            async with timeout(self._seconds), self._connected() as (reader, writer):
                _put(writer, {"call": name, **arguments})
                answer: Payload = json.loads(await reader.readline())
        except (OSError, ValueError) as error:
            raise DeliveryUnknown(f"no answer to {name} ({type(error).__name__})") from error
        match answer.get("error"):
            case None:
                return answer
            case "slow down":
                raise DeliveryDelayed(name, retry_after=answer["seconds"])
            case "no such channel":
                raise PlaceGone(name)
        raise DeliveryRefused(f"{name}: {answer['error']}")

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
        reader, writer = await open_connection(self._host, self._port)
        try:
            yield reader, writer
        finally:
            writer.close()


def _put(writer: StreamWriter, payload: Payload) -> None:
    writer.write(json.dumps(payload).encode() + b"\n")
