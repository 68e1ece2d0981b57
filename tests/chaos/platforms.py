"""Both platforms as the kit uses them: people speak in many places, and in the end the screens are read."""

from abc import ABC, abstractmethod
from asyncio import Task, create_task, gather, sleep
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from json import dumps
from random import Random
from time import time
from types import TracebackType
from typing import Any, Self

from bots.discord import DiscordAdapter
from bots.slack import SlackAdapter
from core.seam.address import Address
from tests.chaos.chronicle import Chronicle
from tests.chaos.misfortune import Misfortune
from tests.chaos.plan import PEOPLE, SHUT, Change, Line, Order, Place
from tests.chaos.words import MARKER, told
from tests.wire.discord import DiscordStage
from tests.wire.faults import Fault
from tests.wire.slack import SlackStage
from tests.wire.slack.server import Envelope, Refusal
from tests.wire.slack.workspace import BOT, BOT_USER, TEAM

_NOWHERE = "127.0.0.1:9"
"""Where nobody listens."""

_REFUSED = (403, 409, 503)
"""How handshakes are refused."""

_ALWAYS = 10**9
"""Times."""

_RETRIES = 30
"""How often Slack sends again what is not acknowledged, every three seconds: for longer than the program counts on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One message of the bot on screen. `order` sorts what is said in one session, `answers` is what it replies to."""

    id: str
    session: str
    text: str
    order: float
    done: bool = True
    answers: str | None = None


class City(ABC):
    """One platform. `heard` is when the arrival of each message, or of what became of it, was acknowledged."""

    max_text: int

    def __init__(self, chronicle: Chronicle, misfortune: Misfortune) -> None:
        self.chronicle = chronicle
        self.misfortune = misfortune
        self.heard: dict[str, float] = {}
        self.watch: Callable[[str, str], None] = lambda words, session: None
        """Is told of each request that may put something on screen: its words, and the session that it is for."""
        self._later: set[Task[None]] = set()
        self._silent = False

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @abstractmethod
    def environment(self) -> Mapping[str, str]:
        """The settings that make a replica talk to this platform."""

    @abstractmethod
    async def until_connected(self, replicas: int, seconds: float) -> None:
        """Waits until so many replicas hear us. Raises TimeoutError."""

    @abstractmethod
    async def say(self, line: Line, *, plain: bool) -> tuple[str, str]:
        """A person says this; returns the message's ID and its session's. Nothing waits for its arrival."""

    @abstractmethod
    async def order(self, order: Order) -> tuple[str, str]:
        """A person gives a command; returns the message's ID and its session's. Nothing waits for its arrival."""

    @abstractmethod
    async def change(self, message: str, line: Line, change: Change) -> None:
        """A person edits or deletes what they have said. Nothing waits for its arrival."""

    @abstractmethod
    def seen(self) -> Sequence[Seen]:
        """All messages of the bot that people can see now."""

    def look(self) -> None:
        """Notes what has been acknowledged since the last look, where the platform is told."""

    @abstractmethod
    async def shake(self, random: Random) -> None:
        """Connections to the bot end, in one of the ways that the platform has."""

    @abstractmethod
    def refuse(self, random: Random) -> None:
        """The next handshake of a connection is refused, with a page."""

    @abstractmethod
    def lead_astray(self) -> None:
        """The bot is told an address at which nobody is."""

    def silence(self) -> None:
        """The next request is one too many, and nobody says for how long."""
        self._silent = True

    def meet(self, kind: str, arguments: object, session: str) -> Any:
        """What a request meets, and the line about it."""
        fault = self.misfortune.meet(kind)
        if self._silent and fault is None:
            self._silent, fault = False, Fault("page", status=429)
        words = dumps(arguments, default=str)
        self.watch(words, session)
        self.chronicle.note(
            f"  -> {kind}",
            session=session,
            marker=told(words),
            length=len(words),
            **({"fault": fault} if fault else {}),
        )
        return fault

    def later(self, seconds: float, work: Any) -> None:
        """Does this in so many seconds, unless the run is over."""

        async def wait() -> None:
            await sleep(seconds)
            await work

        task = create_task(wait())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def rest(self) -> None:
        """Nothing happens later any more."""
        for task in self._later:
            task.cancel()
        await gather(*self._later, return_exceptions=True)


class Slack(City):
    """Each place is a thread in one of four channels."""

    max_text = SlackAdapter.max_text

    def __init__(self, chronicle: Chronicle, misfortune: Misfortune) -> None:
        super().__init__(chronicle, misfortune)
        self.stage = SlackStage()
        self.server = self.stage.server
        self._roots: dict[str, str] = {}
        self._arrivals: dict[str, tuple[float, ...]] = {}
        self._envelopes: dict[str, Envelope] = {}
        self._astray = False

    async def __aenter__(self) -> Self:
        await self.stage.__aenter__()
        self.server.workspace.channels |= {f"C0CHAOS{number}" for number in range(4)}
        self.server.workspace.channels |= {place.inside for place in SHUT if place.inside is not None}
        self.server.spoil = self._spoil
        self.server.faults = self._fault
        self.server.retries = _RETRIES
        self.server.copies = lambda payload: self._arrivals.get(_told_of(payload), (0.0,))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.rest()
        await self.stage.__aexit__(kind, error, trace)

    def environment(self) -> Mapping[str, str]:
        return self.stage.environment()

    async def until_connected(self, replicas: int, seconds: float) -> None:
        await self.stage.until(lambda: len(self.server.sockets) >= 2 * replicas, seconds)

    async def say(self, line: Line, *, plain: bool) -> tuple[str, str]:
        mention = "" if plain else f"<@{BOT_USER}> "
        return await self._said(line.place, line.person, f"{mention}{line.words}", line.arrivals, to_bot=not plain)

    async def order(self, order: Order) -> tuple[str, str]:
        return await self._said(order.place, order.person, f"<@{BOT_USER}> !{order.verb}", (0.0,), to_bot=True)

    async def _said(
        self, place: Place, person: str, words: str, arrivals: tuple[float, ...], *, to_bot: bool
    ) -> tuple[str, str]:
        assert place.inside is not None
        channel, root = place.inside, self._roots.get(place.name)
        message = self.server.workspace.add(channel, self.stage.user(person), words, thread_ts=root)
        root = self._roots.setdefault(place.name, message.ts)
        self._arrivals[message.ts] = arrivals
        self.stage.sent(message, to_bot=to_bot)
        await self.stage.change()
        return message.ts, self._session(channel, root)

    async def change(self, message: str, line: Line, change: Change) -> None:
        assert line.place.inside is not None
        said = self.server.workspace.find(line.place.inside, message)
        self._arrivals[subject(message, change.marker)] = change.arrivals
        if change.marker is None:
            self.server.workspace.remove(said)
        else:
            self.server.workspace.edit(said.channel, message, MARKER.sub(change.marker, said.text))
        await self.stage.change()

    def seen(self) -> Sequence[Seen]:
        return [
            Seen(
                id=message.ts,
                session=self._session(message.channel, message.thread_ts or ""),
                text=message.seen,
                order=float(message.ts),
                done=not message.streaming,
            )
            for message in self.server.workspace.messages
            if message.bot == BOT and message.only_for is None
        ]

    async def shake(self, random: Random) -> None:
        if not self.server.sockets:
            return
        which = random.randrange(len(self.server.sockets))
        if random.random() < 0.5:
            self.chronicle.note("slack socket cut")
            self.server.cut(self.server.sockets[which])
        else:
            self.chronicle.note("slack socket refreshed")
            await self.server.disconnect(which=which)

    def refuse(self, random: Random) -> None:
        self.server.handshakes.append(Fault("page", status=random.choice(_REFUSED)))

    def lead_astray(self) -> None:
        self._astray = True

    def _spoil(self, method: str, body: str) -> str:
        if method != "apps.connections.open" or not self._astray:
            return body
        self._astray = False
        return body.replace(self.server.url.removeprefix("http://"), _NOWHERE)

    def look(self) -> None:
        """Notes which messages have been acknowledged since the last look."""
        for envelope in self.server.envelopes:
            about = _told_of(envelope.payload)
            if about in self._arrivals and envelope.acked.is_set():
                self.heard.setdefault(about, time())

    def _fault(self, method: str, arguments: object) -> Any:
        given = arguments if isinstance(arguments, Mapping) else {}
        channel, ts = str(given.get("channel") or given.get("channel_id") or ""), str(given.get("ts", ""))
        if channel == SHUT[0].inside and method.startswith(("chat.", "reactions.", "assistant.")):
            return Refusal(code="restricted_action")
        root = given.get("thread_ts") or next(
            (one.thread_ts for one in self.server.workspace.messages if one.ts == ts and one.channel == channel), ""
        )
        return self.meet(method, arguments, self._session(channel, str(root)) if root else "")

    def _session(self, channel: str, root: str) -> str:
        return Address(platform="slack", workspace=TEAM, channel=channel, thread=root or None).id


class Discord(City):
    """Channels, and threads in them."""

    max_text = DiscordAdapter.max_text

    def __init__(self, chronicle: Chronicle, misfortune: Misfortune) -> None:
        super().__init__(chronicle, misfortune)
        self.stage = DiscordStage()
        self._sessions: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        self.stage.rest.faults = self._fault
        await self.stage.__aenter__()
        for name in PEOPLE:  # before they are many at once
            self.stage.world.person(name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.rest()
        await self.stage.__aexit__(kind, error, trace)

    def environment(self) -> Mapping[str, str]:
        return self.stage.environment()

    async def until_connected(self, replicas: int, seconds: float) -> None:
        await self.stage.until(lambda: len(self.stage.gateway.connected) >= replicas, seconds)

    async def open(self, places: Sequence[Place]) -> None:
        """The guild's channels and threads exist before anybody speaks."""
        for place in (*places, SHUT[1]):
            number = await self.stage.thread(place.name, of=place.inside) if place.inside else None
            number = number or await self.stage.place(place.name)
            self._sessions[number] = self.stage.session(place.name)
        shut = await self.stage.place(SHUT[1].name)
        self.stage.world.fault(f"^(POST|PUT) /channels/{shut}/", status=403, code=50013, times=_ALWAYS)

    async def say(self, line: Line, *, plain: bool) -> tuple[str, str]:
        mention = "" if plain and line.place.inside else f"<@{self.stage.world.bot['id']}> "
        return await self._said(line.place, line.person, f"{mention}{line.words}", line.arrivals)

    async def order(self, order: Order) -> tuple[str, str]:
        words = f"<@{self.stage.world.bot['id']}> !{order.verb}"
        return await self._said(order.place, order.person, words, (0.0,))

    async def _said(self, place: Place, person: str, words: str, arrivals: tuple[float, ...]) -> tuple[str, str]:
        world = self.stage.world
        channel = await self.stage.place(place.name)
        payload = world.message(channel, world.person(person), words)
        for seconds in arrivals:  # as it was said, whatever becomes of it meanwhile
            self.later(seconds, self._tell("MESSAGE_CREATE", dict(payload), self._connected()))
        await self.stage.change()
        return str(payload["id"]), self._sessions[channel]

    async def change(self, message: str, line: Line, change: Change) -> None:
        world, kept = self.stage.world, self.stage.kept(message)
        if change.marker is None:
            del world.messages[kept.payload["channel_id"]][message]
            event, told_of = "MESSAGE_DELETE", world.gone([kept])[0]
        else:
            world.edit(kept, MARKER.sub(change.marker, kept.payload["content"]))
            event, told_of = "MESSAGE_UPDATE", dict(kept.payload)
        for seconds in change.arrivals:
            self.later(seconds, self._tell(event, told_of, self._connected()))
        await self.stage.change()

    def _connected(self) -> frozenset[str]:
        """Who is told of what happens now, late or again: whoever connects anew after that never is."""
        return frozenset(self.stage.gateway.sessions)

    async def _tell(self, event: str, payload: dict[str, Any], to: frozenset[str]) -> None:
        channel = self.stage.world.channels[payload["channel_id"]]
        await self.stage.gateway.dispatch(event, payload, channel, to=to)
        await self.stage.change()

    def seen(self) -> Sequence[Seen]:
        bot = self.stage.world.bot["id"]
        return [
            Seen(
                id=kept.payload["id"],
                session=self._sessions.get(channel, channel),
                text=kept.payload["content"],
                order=int(kept.payload["id"]),
                answers=(kept.payload.get("message_reference") or {}).get("message_id"),
            )
            for channel, messages in self.stage.world.messages.items()
            for kept in messages.values()
            if kept.payload["author"]["id"] == bot and kept.listed
        ]

    async def shake(self, random: Random) -> None:
        gateway = self.stage.gateway
        sockets = [session.socket for session in gateway.connected if session.socket is not None]
        if not sockets:
            return
        socket = random.choice(sockets)
        if random.random() < 0.5:
            self.chronicle.note("discord socket closed")
            await socket.web.close(code=4000)
        else:
            self.chronicle.note("discord asks to reconnect")
            await socket.send({"op": 7, "d": None})

    def refuse(self, random: Random) -> None:
        self.stage.gateway.handshakes.append(Fault("page", status=random.choice(_REFUSED)))

    def lead_astray(self) -> None:
        """At the next session's end, and every second time at no address but the usual one."""
        gateway = self.stage.gateway
        gateway.resume_url = None if gateway.resume_url else f"ws://{_NOWHERE}"

    def _fault(self, route: str, arguments: object) -> Any:
        path = self.stage.world.requests[-1].path.split("/")
        if "messages" not in path:
            return None
        return self.meet(route, arguments, self._sessions.get(path[2], ""))


def subject(message: str, marker: str | None) -> str:
    """The name of what became of a message: its new marker, or its end."""
    return marker or f"end of {message}"


def _told_of(payload: Mapping[str, Any]) -> str:
    """What Slack tells of: a message by its ID, or what became of it; what becomes of the bot's own has no name."""
    event = payload.get("event", {})
    if event.get("subtype") == "message_deleted":
        return subject(event["deleted_ts"], None)
    if event.get("subtype") == "message_changed":
        return "" if "bot_id" in event["message"] else told(event["message"]["text"])
    return str(event.get("ts", ""))
