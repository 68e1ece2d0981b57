"""Slack as the tests see it: people in one channel, each place a thread of its own."""

from types import TracebackType
from typing import Any, Self

from bots.slack import SlackAdapter
from core.seam.adapter import Adapter
from core.seam.address import Address
from tests.stage import Shown, Stage
from tests.wire.slack.server import APP_TOKEN, BOT_TOKEN, SlackServer
from tests.wire.slack.workspace import BOT, BOT_USER, CHANNEL, TEAM, Arguments, Message, Modal

_SHORTCUTS = {"reset": "session_reset", "summarize": "session_summarize"}


class SlackStage(Stage):
    platform = "slack"
    has_links = True
    draws = True

    def __init__(self) -> None:
        super().__init__()
        self.server = SlackServer(self.change)
        self._roots: dict[str, str] = {}
        self._payloads: dict[str, list[Arguments]] = {}
        self._adapters: list[Adapter] = []
        self._mention_first = False

    async def __aenter__(self) -> Self:
        await self.server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for adapter in self._adapters:
            await adapter.close()
        await self.server.stop()

    def environment(self) -> dict[str, str]:
        return {"SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_APP_TOKEN": APP_TOKEN, "SLACK_API_URL": f"{self.server.url}/api/"}

    def adapter(self, **options: Any) -> SlackAdapter:
        usual = {"bot_token": BOT_TOKEN, "app_token": APP_TOKEN, "api_url": f"{self.server.url}/api/"}
        adapter = SlackAdapter(**(usual | options))
        self._adapters.append(adapter)
        return adapter

    def session(self, place: str) -> str:
        return Address(platform="slack", workspace=TEAM, channel=CHANNEL, thread=self._roots[place]).id

    async def say(self, text: str, *, place: str = "main", author: str = "ada", to_bot: bool = True) -> str:
        return await self.write(_typed(text, to_bot=to_bot), place=place, author=author, to_bot=to_bot)

    async def write(
        self, typed: str, *, place: str = "main", author: str = "ada", to_bot: bool = True, **more: Any
    ) -> str:
        """A person says this, in Slack's own written form, with whatever else the message has."""
        message = self.server.workspace.add(CHANNEL, self.user(author), typed, thread_ts=self._roots.get(place), **more)
        self._roots.setdefault(place, message.ts)
        self._payloads[message.ts] = self.sent(message, to_bot=to_bot)
        await self.change()
        return message.ts

    def user(self, author: str) -> str:
        """The ID of a person by a name of the test's own."""
        user = f"U0{''.join(letter for letter in author.upper() if letter.isalnum())}"
        self.server.workspace.users.setdefault(user, author)
        return user

    def empower(self, author: str) -> None:
        self.server.workspace.powers[self.user(author)] = "is_admin"

    def sent(self, message: Message, *, to_bot: bool) -> list[Arguments]:
        """A mention reaches the app as two events, in no certain order."""
        is_direct = message.channel.startswith("D")
        event = {**message.payload(), "channel": message.channel, "event_ts": message.ts}
        kind = self.server.workspace.kind(message.channel)
        events = [{**event, "channel_type": kind, "client_msg_id": f"c-{message.ts}"}]
        if to_bot and not is_direct:
            events.insert(0 if self._mention_first else 1, {**event, "type": "app_mention"})
            self._mention_first = not self._mention_first
        return [self.server.event(one) for one in events]

    async def edit(self, message: str, text: str, *, to_bot: bool = True) -> None:
        """A person changes what they have said. Whoever is mentioned newly hears of it by a mention as well."""
        before = self.server.workspace.find(CHANNEL, message).text
        edited = self.server.workspace.edit(CHANNEL, message, _typed(text, to_bot=to_bot))
        if to_bot and f"<@{BOT_USER}>" not in before:
            self.server.event({**edited.payload(), "type": "app_mention", "channel": CHANNEL, "event_ts": message})
        await self.change()

    async def delete(self, message: str) -> None:
        """A message is deleted, a person's or the bot's."""
        self.server.workspace.remove(self.server.workspace.find(CHANNEL, message))
        await self.change()

    async def unfurl(self, message: str) -> None:
        """Slack adds the preview of a link to a message by itself."""
        self.server.workspace.unfurl(CHANNEL, message)
        await self.change()

    async def again(self, message: str) -> None:
        for payload in self._payloads[message]:
            self.server.send("events_api", payload, 1)
        await self.change()

    async def command(self, verb: str, *, place: str = "main", author: str = "ada") -> None:
        if verb not in _SHORTCUTS:
            await self.say(f"!{verb}", place=place, author=author, to_bot=False)
            return
        self.shortcut(_SHORTCUTS[verb], self.server.workspace.find(CHANNEL, self._roots[place]), self.user(author))
        await self.change()

    def shortcut(self, callback: str, message: Message, user: str, **more: Any) -> None:
        """Somebody chooses an entry in a message's menu; docs.slack.dev/reference/interaction-payloads."""
        self.server.send(
            "interactive",
            {
                "type": "message_action",
                "callback_id": callback,
                "trigger_id": self.server.workspace.trigger(user),
                "action_ts": self.server.workspace.ts(),
                "team": {"id": TEAM, "domain": "test"},
                "enterprise": None,
                "is_enterprise_install": False,
                "user": {"id": user, "name": user.lower(), "team_id": TEAM},
                "channel": {"id": message.channel, "name": "general"},
                "message_ts": message.ts,
                "message": message.payload(),
                "response_url": self.server.response_url(message.channel, user),
                **more,
            },
        )

    def slash(self, text: str, *, channel: str = CHANNEL, author: str = "ada", **more: Any) -> None:
        """Somebody types /session; the payload knows no thread."""
        user = self.user(author)
        self.server.send(
            "slash_commands",
            {
                "command": "/session",
                "text": text,
                "team_id": TEAM,
                "team_domain": "test",
                "channel_id": channel,
                "channel_name": "general",
                "user_id": user,
                "user_name": author,
                "api_app_id": "A0TEST",
                "is_enterprise_install": "false",
                "trigger_id": self.server.workspace.trigger(user),
                "response_url": self.server.response_url(channel, user),
                **more,
            },
        )

    def choose(self, message: Message, option: int, author: str = "ada") -> None:
        """Somebody picks from a menu in a message."""
        user, (actions,) = self.user(author), [block for block in message.blocks if block["type"] == "actions"]
        (menu,) = actions["elements"]
        picked = {"type": "static_select", "selected_option": menu["options"][option]}
        self._acted(message, picked | {"action_id": menu["action_id"], "block_id": actions["block_id"]}, user, author)

    def press(self, message: Message, author: str = "ada", nth: int = 0) -> None:
        """Somebody presses the button in a message, or this one of several."""
        (actions,) = [block for block in message.blocks if block["type"] == "actions"]
        button = actions["elements"][nth]
        pressed = {name: button[name] for name in ("type", "action_id", "value")}
        self._acted(message, pressed | {"block_id": actions["block_id"]}, self.user(author), author)

    def modal(self, author: str = "ada") -> Modal | None:
        """The form that this person has before them."""
        mine = [one for one in self.server.workspace.modals if one.user == self.user(author) and one.is_open]
        return mine[-1] if mine else None

    def submit(self, modal: Modal, author: str = "ada", **typed: str) -> None:
        """Somebody types this into the fields of a form, leaves the others alone, and saves it."""
        user = self.user(author)
        held = {block["block_id"]: block["element"] for block in modal.view["blocks"]}
        values = {name: {one["action_id"]: _state(one, typed.get(name))} for name, one in held.items()}
        self.server.send(
            "interactive",
            {
                "type": "view_submission",
                "team": {"id": TEAM, "domain": "test"},
                "user": {"id": user, "username": author, "name": author, "team_id": TEAM},
                "api_app_id": "A0TEST",
                "trigger_id": self.server.workspace.trigger(user),
                "view": {**modal.view, "id": modal.id, "team_id": TEAM, "state": {"values": values}},
                "response_urls": [],
            },
        )

    def _acted(self, message: Message, action: dict[str, Any], user: str, author: str) -> None:
        self.server.send(
            "interactive",
            {
                "type": "block_actions",
                "trigger_id": self.server.workspace.trigger(user),
                "team": {"id": TEAM, "domain": "test"},
                "user": {"id": user, "username": author, "name": author, "team_id": TEAM},
                "channel": {"id": message.channel, "name": "general"},
                "container": {"type": "message", "message_ts": message.ts, "is_ephemeral": bool(message.only_for)},
                "response_url": self.server.response_url(message.channel, user),
                "actions": [{**action, "action_ts": self.server.workspace.ts()}],
            },
        )

    def shown(self, place: str = "main") -> list[Shown]:
        root = self._roots.get(place)
        return [
            Shown(
                id=message.ts,
                text=message.seen,
                private=message.only_for is not None,
                edits=message.edits,
                done=not message.streaming,
            )
            for message in self.server.workspace.messages
            if message.channel == CHANNEL and message.bot == BOT and root in (message.thread_ts, self._beside(message))
            if root is not None
        ]

    def _beside(self, message: Message) -> str | None:
        """The thread in which the one reader of a message that stands in the channel had spoken last."""
        if message.only_for is None or message.thread_ts is not None:
            return None
        said = [
            one
            for one in self.server.workspace.messages
            if one.user == message.only_for and one.channel == CHANNEL and float(one.ts) < float(message.ts)
        ]
        return (said[-1].thread_ts or said[-1].ts) if said else None


def _typed(text: str, *, to_bot: bool) -> str:
    typed = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<@{BOT_USER}> {typed}" if to_bot else typed


def _state(element: Arguments, typed: str | None) -> Arguments:
    """What a field holds once somebody has typed this, or has left it alone."""
    if element["type"] == "plain_text_input":
        value = element.get("initial_value") if typed is None else typed or None
        return {"type": element["type"], "value": value}
    chosen = element.get("initial_option")
    if typed is not None:
        chosen = next(option for option in element["options"] if option["value"] == typed)
    return {"type": element["type"], "selected_option": chosen}
