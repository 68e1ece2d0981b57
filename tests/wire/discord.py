"""Discord on loopback, REST and gateway, and the stage on which whole conversations are tested with the real client."""

from types import TracebackType
from typing import Any, Self

from aiohttp import web

from bots.discord import DiscordAdapter
from tests import watch
from tests.stage import Shown, Stage
from tests.wire.discord_gateway import Gateway
from tests.wire.discord_rest import BASE, Rest
from tests.wire.discord_world import (
    COMPONENT,
    DIRECT,
    EPHEMERAL,
    FORUM,
    STARTER,
    SUBMISSION,
    TEXT,
    THREAD,
    Interaction,
    Kept,
    Payload,
    World,
)

CONNECT_WITHIN = 20.0


class DiscordStage(Stage):
    """One guild; every place is a text channel of its own, unless it was made as a thread, a post or a direct channel.

    What is said waits for a connected gateway, as people wait until the bot is online; set `wait` to False to speak
    while it is not.
    """

    platform = "discord"
    has_links = True

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.gateway = Gateway(self.world, self.change)
        self.rest = Rest(self.world, self.gateway, self.change)
        self.wait = True
        self._places: dict[str, str] = {}
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self.rest.middleware])
        app.add_routes([*self.rest.routes(), web.get("/gateway/", self.gateway.handle)])
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        self.gateway.url = f"ws://127.0.0.1:{self._port}/gateway/"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        await self.rest.close()
        await self.gateway.stop()
        await self._runner.cleanup()

    def environment(self) -> dict[str, str]:
        here = f"127.0.0.1:{self._port}"
        return {
            "DISCORD_TOKEN": self.world.token,
            "DISCORD_API_URL": f"http://{here}{BASE}",
            "DISCORD_GATEWAY_URL": f"ws://{here}/gateway/",
            "DISCORD_CDN_URL": f"http://{here}/cdn",
        }

    def adapter(self, **options: Any) -> DiscordAdapter:
        known = self.environment()
        usual = {
            "token": known["DISCORD_TOKEN"],
            "api_url": known["DISCORD_API_URL"],
            "gateway_url": known["DISCORD_GATEWAY_URL"],
            "cdn_url": known["DISCORD_CDN_URL"],
        }
        return DiscordAdapter(**(usual | options))

    def session(self, place: str) -> str:
        channel = self.world.channels[self._places[place]]
        if channel["type"] == DIRECT:
            return f"discord:@me:{channel['id']}"
        if channel["type"] == THREAD:
            return f"discord:{self.world.guild}:{channel['parent_id']}:{channel['id']}"
        return f"discord:{self.world.guild}:{channel['id']}"

    def empower(self, author: str) -> None:
        may_manage = {"id": "55", "permissions": str(1 << 4 | 1 << 5)}  # channels, and the server
        self.world.roles = [may_manage]
        self.world.has_roles[self.world.person(author)["id"]] = [may_manage["id"]]

    async def say(self, text: str, *, place: str = "main", author: str = "ada", to_bot: bool = True) -> str:
        channel = self.world.channels[await self.place(place)]
        mention = to_bot and channel["type"] != DIRECT
        content = f"<@{self.world.bot['id']}> {text}" if mention else text
        return await self.speak(content, place=place, author=self.world.person(author))

    async def miss(self, text: str, *, place: str = "main") -> str:
        self.wait = False
        try:
            return await self.say(text, place=place)
        finally:
            self.wait = True

    async def speak(self, content: str, *, place: str = "main", author: Payload | None = None, **more: Any) -> str:
        """A message exactly as given; returns its ID."""
        channel = self.world.channels[await self.place(place)]
        await self._online()
        payload = self.world.message(channel["id"], author or self.world.person("ada"), content, **more)
        await self._heard(payload)
        return str(payload["id"])

    async def answer(
        self, text: str, message: str, *, place: str = "main", author: str = "ada", ping: bool = True
    ) -> str:
        """A person replies to this message, exactly in these words; with the ping that replies have."""
        reference = {"type": 0, "message_id": message}
        answered = self.world.messages[self._places[place]].get(message)
        mentions = self.world.mentioned(text)
        if answered and ping and answered.payload["author"] not in mentions:
            mentions.append(answered.payload["author"])
        return await self.speak(
            text, place=place, author=self.world.person(author), message_reference=reference, mentions=mentions
        )

    async def attach(
        self,
        text: str,
        *files: tuple[str, bytes, str | None],
        place: str = "main",
        author: str = "ada",
        to_bot: bool = True,
    ) -> str:
        """A person says this with files: the name of each, what is in it, and what Discord says that it is."""
        channel = await self.place(place)
        attached = [self.world.attachment(channel, name, data, kind) for name, data, kind in files]
        content = f"<@{self.world.bot['id']}> {text}" if to_bot else text
        return await self.speak(content.strip(), place=place, author=self.world.person(author), attachments=attached)

    async def forward(self, message: str, text: str = "", *, place: str = "main", author: str = "ada") -> str:
        """A person forwards this message, with a note or without one."""
        kept = self.kept(message).payload
        reference = {"type": 1, "message_id": message, "channel_id": kept["channel_id"], "guild_id": self.world.guild}
        snapshots = [self.world.snapshot(kept)]
        return await self.speak(
            text,
            place=place,
            author=self.world.person(author),
            message_reference=reference,
            message_snapshots=snapshots,
        )

    async def again(self, message: str) -> None:
        await self._heard(self.kept(message).payload)

    async def command(self, verb: str, *, place: str = "main", author: str = "ada", text: str = "") -> None:
        await self._online()
        payload = self.interaction(verb, await self.place(place), author, text)
        await self.gateway.dispatch("INTERACTION_CREATE", payload)
        await self.change()

    async def menu(self, entry: str, message: str, *, place: str = "main", author: str = "ada") -> None:
        """A person chooses an entry in a message's menu."""
        await self._online()
        kept = self.kept(message).payload
        data = {"id": "2", "type": 3, "name": entry, "target_id": message, "resolved": {"messages": {message: kept}}}
        payload = self.interaction("", await self.place(place), author) | {"data": data}
        await self.gateway.dispatch("INTERACTION_CREATE", payload)
        await self.change()

    async def press(self, message: str, *chosen: str, author: str = "ada", row: int = 0) -> Interaction:
        """A person presses the button beneath a message, in this row, or chooses these in the menu there."""
        await self._online()
        kept = self.kept(message).payload
        (part,) = kept["components"][row]["components"]
        data = {"custom_id": part["custom_id"], "component_type": part["type"], "id": 2}
        assert set(chosen) <= {option["value"] for option in part.get("options", ())}
        data |= {"values": list(chosen)} if chosen else {}
        return await self._interact(COMPONENT, kept["channel_id"], author, {"data": data, "message": kept})

    async def submit(self, shown: Interaction, **typed: str) -> Interaction:
        """Who was shown this modal types this into its fields, leaves the others alone, and sends it."""
        assert shown.modal is not None
        held = [one["component"] for one in shown.modal["components"]]
        labels = [{"type": 18, "id": 1, "component": _typed(one, typed.get(name_of(one)))} for one in held]
        data = {"custom_id": shown.modal["custom_id"], "components": labels}
        return await self._interact(SUBMISSION, shown.channel, shown.author, {"data": data})

    async def _interact(self, kind: int, channel: str, author: str, more: Payload) -> Interaction:
        payload = self.interaction("", channel, author) | {"type": kind} | more
        interaction = self.world.interactions[payload["token"]]
        interaction.kind, interaction.author = kind, author
        await self.gateway.dispatch("INTERACTION_CREATE", payload)
        await self.change()
        return interaction

    def interaction(self, verb: str, channel: str, author: str, text: str = "") -> Payload:
        """An INTERACTION_CREATE for /session VERB, known to the server from now on."""
        number = self.world.snowflake()
        interaction = Interaction(
            id=number, token=watch.ticket(f"token-{number}"), channel=channel, at=self.world.now()
        )
        self.world.interactions[interaction.token] = interaction
        place, user = self.world.channels[channel], self.world.person(author)
        options = [{"type": 3, "name": "text", "value": text}] if text else []
        payload: Payload = {
            "id": number,
            "application_id": self.world.application,
            "type": 2,
            "token": interaction.token,
            "version": 1,
            "channel_id": channel,
            "channel": {key: place[key] for key in ("id", "type", "name", "parent_id") if key in place},
            "attachment_size_limit": 10_485_760,
            "entitlements": [],
            "authorizing_integration_owners": {},
            "app_permissions": "0",
            "locale": "en-GB",
            "data": {
                "id": "1",
                "type": 1,
                "name": "session",
                "options": [{"type": 1, "name": verb, "options": options}],
            },
        }
        if place["type"] == DIRECT:
            return payload | {"context": 1, "user": user}
        return payload | {
            "context": 0,
            "guild_id": self.world.guild,
            "member": self.world.member(user["id"]) | {"user": user},
        }

    def shown(self, place: str = "main") -> list[Shown]:
        kept = self.world.messages.get(self._places.get(place, ""), {}).values()
        ours = [one for one in kept if one.payload["author"]["id"] == self.world.bot["id"]]
        return [_shown(one) for one in sorted(ours, key=lambda one: int(one.payload["id"]))]

    def kept(self, message: str) -> Kept:
        """This message as the server keeps it, wherever it is."""
        return next(channel[message] for channel in self.world.messages.values() if message in channel)

    async def edit(self, message: str, text: str) -> None:
        """Its author writes this in place of a message, exactly as given."""
        self.world.edit(self.kept(message), text)
        await self._updated(message)

    async def unfurl(self, message: str) -> None:
        """Discord adds the preview of a link to a message."""
        self.kept(message).payload["embeds"] = [{"type": "link", "url": "https://example.org", "title": "Example"}]
        await self._updated(message)

    async def pin(self, message: str) -> None:
        """Somebody pins a message."""
        self.kept(message).payload["pinned"] = True
        await self._updated(message)

    async def delete(self, *messages: str) -> None:
        """Somebody deletes a message, or several of one channel with one stroke."""
        kept = [self.kept(message) for message in messages]
        channel, told = self.world.channels[kept[0].payload["channel_id"]], self.world.gone(kept)
        for message in messages:
            del self.world.messages[channel["id"]][message]
        if len(told) == 1:
            await self.gateway.dispatch("MESSAGE_DELETE", told[0], channel)
        else:
            many = {key: value for key, value in told[0].items() if key != "id"} | {"ids": list(messages)}
            await self.gateway.dispatch("MESSAGE_DELETE_BULK", many, channel)
        await self.change()

    async def remove(self, place: str) -> None:
        """Somebody deletes a thread, or a channel with all its threads."""
        channel = self.world.channels[self._places[place]]
        self.world.remove(channel["id"])
        told = channel
        if channel["type"] == THREAD:
            told = {key: channel[key] for key in ("id", "guild_id", "parent_id", "type")}
        await self.gateway.dispatch("THREAD_DELETE" if channel["type"] == THREAD else "CHANNEL_DELETE", told)
        await self.change()

    async def archive(self, place: str, *, locked: bool = False) -> None:
        """A thread is put away; a locked one can't be taken up again."""
        thread = self.world.channels[self._places[place]]
        thread["thread_metadata"] |= {"archived": True, "locked": locked}
        await self.gateway.dispatch("THREAD_UPDATE", thread)

    async def place(self, name: str, kind: int = TEXT) -> str:
        """The channel of this place; made when it is named for the first time."""
        if name not in self._places:
            await self._opened(name, "CHANNEL_CREATE", self.world.channel(name, kind))
        return self._places[name]

    async def thread(
        self, name: str, *, of: str = "main", cached: bool = True, post: bool = False, on: str | None = None
    ) -> str:
        """A thread in another place, on a message there, or a forum post.

        Not cached, it is one that the gateway has never told of.
        """
        if post and of not in self._places:
            await self._opened(of, "CHANNEL_CREATE", self.world.channel(of, FORUM))
        thread = self.world.channel(name, THREAD, await self.place(of), on)
        if on is not None:
            begun = self.kept(on).payload
            reference = {"message_id": on, "channel_id": begun["channel_id"], "guild_id": self.world.guild}
            self.world.message(
                thread["id"],
                begun["author"],
                "",
                type=STARTER,
                message_reference=reference,
                referenced_message=begun,
            )
        if cached:
            await self._opened(name, "THREAD_CREATE", thread)
        else:
            self._places[name] = thread["id"]
            self.world.uncached.add(thread["id"])
        return str(thread["id"])

    async def direct(self, name: str) -> str:
        """A direct channel with the bot."""
        self._places[name] = self.world.channel(name, DIRECT)["id"]
        return self._places[name]

    async def connected(self) -> None:
        """Waits until a gateway session is open."""
        await self.until(lambda: self.gateway.connected, CONNECT_WITHIN)

    async def _opened(self, name: str, event: str, channel: Payload) -> None:
        self._places[name] = channel["id"]
        await self.gateway.dispatch(event, channel)

    async def _online(self) -> None:
        if self.wait:
            await self.connected()

    async def _heard(self, payload: Payload) -> None:
        await self.gateway.dispatch("MESSAGE_CREATE", payload, self.world.channels[payload["channel_id"]])
        await self.change()

    async def _updated(self, message: str) -> None:
        payload = self.kept(message).payload
        await self.gateway.dispatch("MESSAGE_UPDATE", payload, self.world.channels[payload["channel_id"]])
        await self.change()


def _shown(kept: Kept) -> Shown:
    payload = kept.payload
    return Shown(
        id=payload["id"],
        text=payload["content"],
        private=bool(payload["flags"] & EPHEMERAL),
        reply_to=(payload.get("message_reference") or {}).get("message_id"),
        edits=kept.edits,
    )


def name_of(field: Payload) -> str:
    """The name of a field of a modal."""
    return str(field["custom_id"].partition(" ")[0])


def held_by(field: Payload) -> str:
    """What a field of a modal holds before anybody has typed."""
    if field["type"] == 3:
        return "".join(option["value"] for option in field["options"] if option["default"])
    return str(field["value"])


def _typed(field: Payload, typed: str | None) -> Payload:
    """A field as it is sent, once somebody has typed this, or has left it alone."""
    value, known = held_by(field) if typed is None else typed, {"type": field["type"], "id": 3}
    known |= {"custom_id": field["custom_id"]}
    return known | ({"values": [value] if value else []} if field["type"] == 3 else {"value": value})
