"""What a Slack workspace holds, and what the methods of the Web API do to it, within Slack's documented limits."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import time
from typing import Any

from tests import watch
from tests.wire.slack.shared import Stored, forwarded, stored

Arguments = dict[str, Any]

TEAM, BOT_USER, BOT = "T0TEST", "U0BACKSCROLL", "B0BACKSCROLL"
HOME = "https://test.slack.com/"
CHANNEL, DM = "C0GENERAL", "D0ADA"
SLACKBOT, TOMBSTONE = "USLACKBOT", "tombstone"
SCOPES = (
    "app_mentions:read,assistant:write,channels:history,channels:read,chat:write,commands,files:read,groups:history,"
    "groups:read,im:history,im:read,metadata.message:read,mpim:history,mpim:read,reactions:write,users:read"
)


class No(Exception):
    """`ok: false` with this error code."""


class TooMany(Exception):
    """HTTP 429; try again after this many seconds."""


@dataclass(kw_only=True)
class Message:
    ts: str
    channel: str
    text: str
    user: str = BOT_USER
    bot: str | None = None
    thread_ts: str | None = None
    blocks: list[Arguments] = field(default_factory=list)
    metadata: Arguments | None = None
    streaming: bool = False
    stopped_by_user: bool = False
    only_for: str | None = None
    subtype: str | None = None
    edited: Arguments | None = None
    attachments: list[Arguments] = field(default_factory=list)
    files: list[Arguments] = field(default_factory=list)
    reactions: set[str] = field(default_factory=set)
    edits: int = 0
    arguments: Arguments = field(default_factory=dict)

    @property
    def seen(self) -> str:
        """What a person reads."""
        return "\n".join(block["text"] for block in self.blocks if block["type"] == "markdown") or self.text

    def payload(self, *, with_metadata: bool = False) -> Arguments:
        kept: Arguments = {"type": "message", "ts": self.ts, "user": self.user, "text": self.text, "team": TEAM}
        if self.bot:
            kept |= {"bot_id": self.bot, "app_id": "A0TEST", "bot_profile": {"id": self.bot, "name": "backscroll"}}
        known = {"thread_ts": self.thread_ts, "subtype": self.subtype, "edited": self.edited}
        lists = {"blocks": self.blocks, "attachments": self.attachments, "files": self.files}
        kept |= {name: value for name, value in (known | lists).items() if value}
        if self.subtype == TOMBSTONE:
            kept["hidden"] = True
        if self.subtype == "me_message":
            del kept["team"]  # docs.slack.dev/reference/events/message/me_message
        if self.metadata and with_metadata:
            kept["metadata"] = self.metadata
        return kept


@dataclass(kw_only=True)
class Modal:
    """A form that one person has before them: `errors` are what they are told of its fields."""

    id: str
    user: str
    view: Arguments
    is_open: bool = True
    errors: dict[str, str] = field(default_factory=dict)

    def field(self, name: str) -> Arguments:
        """The input of this name."""
        return next(block for block in self.view["blocks"] if block["block_id"] == name)

    def shown(self, name: str) -> str | None:
        """What this field holds before anybody has typed."""
        element = self.field(name)["element"]
        chosen = element.get("initial_option") or {}
        return element.get("initial_value") or chosen.get("value")


class Workspace:
    """`said` is told of every message that the bot posts and that anybody changes or deletes, with what it was before.

    `rationed`: replies and history once a minute. `closed`: channels that refuse everything, with the error's code.
    """

    def __init__(self, said: Callable[[str, Message, Arguments], None]) -> None:
        self.messages: list[Message] = []
        self.users = {"U0ADA": "ada"}
        self.organisation = ""
        """That of Enterprise Grid in which the workspace is, if it is in one."""
        self.powers: dict[str, str] = {}
        """What Slack says of a person beside the name: `is_admin`, `is_owner` …"""
        self.channels = {CHANNEL, DM}
        self.channel_names = {CHANNEL: "general"}
        self.facts: dict[str, Arguments] = {}
        """What Slack says of a person otherwise than of a member: `team_id`, `is_restricted`, `deleted` …"""
        self.private: set[str] = set()
        self.outside: dict[str, set[str]] = {}
        """Who of the workspace is not in a channel; all others are."""
        self.files: dict[str, Stored] = {}
        self.url = ""
        self.closed: dict[str, str] = {}
        self.statuses: list[tuple[str, Arguments]] = []
        self.modals: list[Modal] = []
        self.trigger_seconds = 3.0
        self._triggers: dict[str, tuple[str, float]] = {}
        self.rationed = False
        self.streams_a_minute: int | None = None
        self._read_at: dict[str, float] = {}
        self._started_at: list[float] = []
        self._last = 0
        self._said = said

    def ts(self) -> str:
        """A time that no other message has."""
        self._last = max(int(time() * 1_000_000), self._last + 1)
        return f"{self._last // 1_000_000}.{self._last % 1_000_000:06}"

    def trigger(self, user: str) -> str:
        """What this person has done may open a modal, once and soon."""
        trigger = f"trigger-{self.ts()}"
        self._triggers[trigger] = user, time()
        return trigger

    def add(self, channel: str, user: str, text: str, **more: Any) -> Message:
        """A message of a person, or of another bot."""
        message = Message(ts=self.ts(), channel=channel, user=user, text=watch.said(text), **more)
        self.messages.append(message)
        return message

    def edit(self, channel: str, ts: str, text: str) -> Message:
        """A person changes what they have said."""
        message = self.find(channel, ts)
        before = message.payload()
        message.text, message.edited = watch.said(text), {"user": message.user, "ts": self.ts()}
        self._said("changed", message, before)
        return message

    def upload(self, name: str, data: bytes, *, elsewhere: bool = False, **facts: str) -> Arguments:
        """Somebody puts a file into Slack: what a message tells of it, which is little when it comes from `elsewhere`,
        another organisation.
        """
        file = stored(f"F0{len(self.files) + 1:04}", name, data, f"{self.url}/files-pri/{TEAM}", **facts)
        self.files[file.id] = file
        return {"id": file.id, "file_access": "check_file_info"} if elsewhere else dict(file.facts)

    def remove_file(self, message: Message, file: str) -> None:
        """A person deletes a file: it leaves a stone in each message that it is in."""
        before = message.payload()
        self.files.pop(file)
        message.files = [{"id": file, "mode": "tombstone"} if one["id"] == file else one for one in message.files]
        self._said("changed", message, before)

    def forward(self, message: Message) -> Arguments:
        """What a message that forwards this one has among its attachments."""
        name = self.users.get(message.user, message.user)
        return forwarded(message.payload(), channel=message.channel, team=TEAM, name=name)

    def unfurl(self, channel: str, ts: str) -> None:
        """Slack adds the preview of a link."""
        message = self.find(channel, ts)
        before = message.payload()
        message.attachments = [{"from_url": "https://x.example", "fallback": "a page", "id": 1}]
        self._said("changed", message, before)

    def remove(self, message: Message) -> None:
        """The message is gone; what rooted a thread with replies leaves a tombstone, by Slackbot, in its place."""
        before = message.payload()
        if len(self.thread(message.channel, message.ts)) == 1:
            self.messages.remove(message)
            self._said("deleted", message, before)
            return
        message.text, message.user, message.bot, message.subtype = (
            "This message was deleted.",
            SLACKBOT,
            None,
            TOMBSTONE,
        )
        message.thread_ts, message.blocks, message.attachments, message.metadata = message.ts, [], [], None
        self._said("changed", message, before)

    def find(self, channel: str, ts: str) -> Message:
        for message in reversed(self.messages):
            if (message.channel, message.ts) == (channel, ts) and message.only_for is None:
                return message
        raise No("message_not_found")

    def thread(self, channel: str, root: str) -> list[Message]:
        return [one for one in self.messages if one.channel == channel and root in (one.ts, one.thread_ts)]

    def call(self, method: str, arguments: Arguments) -> Arguments:
        known: dict[str, Callable[[Arguments], Arguments]] = {
            "auth.test": self._auth_test,
            "users.info": self._users_info,
            "conversations.info": self._conversations_info,
            "conversations.members": self._conversations_members,
            "files.info": self._files_info,
            "chat.postMessage": self._post,
            "chat.postEphemeral": self._post_ephemeral,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "chat.startStream": self._start,
            "chat.appendStream": self._append,
            "chat.stopStream": self._stop,
            "views.open": self._open_view,
            "reactions.add": self._react,
            "reactions.remove": self._unreact,
            "conversations.replies": self._replies,
            "conversations.history": self._history,
            "assistant.threads.setStatus": lambda given: self._status("assistant.threads.setStatus", given),
            "agents.sessions.setStatus": lambda given: self._status("agents.sessions.setStatus", given),
        }
        if method not in known:
            raise No("unknown_method")
        return known[method](arguments)

    def _auth_test(self, _: Arguments) -> Arguments:
        team = {"url": HOME, "team": "Test", "team_id": TEAM}
        team |= {"enterprise_id": self.organisation} if self.organisation else {}
        return {**team, "user": "backscroll", "user_id": BOT_USER, "bot_id": BOT}

    def _users_info(self, given: Arguments) -> Arguments:
        name = self.users.get(given["user"])
        if name is None:
            raise No("user_not_found")
        user = {"id": given["user"], "name": name.lower(), "profile": {"display_name": name}, "is_admin": False}
        user |= {"team_id": TEAM, "is_restricted": False, "is_ultra_restricted": False, "deleted": False}
        user |= self.facts.get(given["user"], {})
        return {"user": user | {power: True for person, power in self.powers.items() if person == given["user"]}}

    def _conversations_info(self, given: Arguments) -> Arguments:
        name = self.channel_names.get(given["channel"])
        if name is None:
            raise No("channel_not_found")
        return {"channel": {"id": given["channel"], "name": name, "is_private": given["channel"] in self.private}}

    def _conversations_members(self, given: Arguments) -> Arguments:
        """docs.slack.dev/reference/methods/conversations.members: a page, and where the next one begins."""
        channel, start, most = given["channel"], int(given.get("cursor") or 0), int(given["limit"])
        found = sorted(self.users.keys() - self.outside.get(channel, set()))
        more = str(start + most) if len(found) > start + most else ""
        return {"members": found[start : start + most], "response_metadata": {"next_cursor": more}}

    def _files_info(self, given: Arguments) -> Arguments:
        if given["file"] not in self.files:
            raise No("file_not_found")
        return {"file": self.files[given["file"]].facts}

    def _post(self, given: Arguments) -> Arguments:
        message = self._written(given)
        self.messages.append(message)
        self._said("posted", message, {})
        return {"channel": message.channel, "ts": message.ts, "message": message.payload()}

    def _post_ephemeral(self, given: Arguments) -> Arguments:
        if given["user"] not in self.users.keys() - self.outside.get(given["channel"], set()):
            raise No("user_not_in_channel")
        message = self._written(given)
        message.only_for = given["user"]
        if message.thread_ts is None or self.is_active(message.channel, message.thread_ts):
            self.messages.append(message)
        return {"message_ts": message.ts}

    def kind(self, channel: str) -> str:
        """The `channel_type` of what is said there."""
        return "im" if channel.startswith("D") else "group" if channel in self.private else "channel"

    def is_active(self, channel: str, root: str) -> bool:
        """docs.slack.dev/reference/methods/chat.postEphemeral: a thread without replies shows nothing to anybody."""
        return any(one.ts != root and one.only_for is None for one in self.thread(channel, root))

    def respond(self, given: Arguments, *, channel: str, user: str) -> None:
        """An answer through a response_url."""
        message = self._written({"channel": channel, **given})
        message.only_for = user if given.get("response_type", "ephemeral") == "ephemeral" else None
        self.messages.append(message)

    def _written(self, given: Arguments) -> Message:
        channel, text, blocks = self._open(given), given.get("text") or "", given.get("blocks") or []
        if not text and not blocks:
            raise No("no_text")
        _check(blocks, given.get("metadata"))
        thread = given.get("thread_ts")
        if thread and not self.thread(channel, thread):
            raise No("thread_not_found")
        return Message(
            ts=self.ts(),
            channel=channel,
            text=text[:40_000],
            bot=BOT,
            blocks=blocks,
            thread_ts=thread,
            metadata=given.get("metadata"),
            arguments=given,
        )

    def _open(self, given: Arguments) -> str:
        channel = str(given["channel"])
        if channel not in self.channels:
            raise No("channel_not_found")
        if channel in self.closed:
            raise No(self.closed[channel])
        return channel

    def _mine(self, given: Arguments, otherwise: str = "cant_update_message") -> Message:
        message = self.find(self._open(given), given["ts"])
        if message.bot != BOT:
            raise No(otherwise)
        return message

    def _open_view(self, given: Arguments) -> Arguments:
        """docs.slack.dev/reference/methods/views.open."""
        trigger = given["trigger_id"]
        if trigger not in self._triggers:
            raise No("invalid_trigger_id")
        user, at = self._triggers[trigger]
        if not user:
            raise No("exchanged_trigger_id")
        if time() - at > self.trigger_seconds:
            raise No("expired_trigger_id")
        _check_view(given["view"])
        self._triggers[trigger] = "", at
        self.modals.append(Modal(id=f"V{len(self.modals)}", user=user, view=given["view"]))
        return {"view": given["view"] | {"id": self.modals[-1].id}}

    def _update(self, given: Arguments) -> Arguments:
        message, text, blocks = self._mine(given), given.get("text") or "", given.get("blocks") or []
        if message.streaming:
            raise No("streaming_state_conflict")
        if len(text) > 4_000:
            raise No("msg_too_long")
        _check(blocks, given.get("metadata"))
        before = message.payload(with_metadata=True)
        message.text, message.blocks, message.arguments = text, blocks, given
        message.metadata = given.get("metadata") or message.metadata
        message.edited = {"user": BOT_USER, "ts": self.ts()}
        message.edits += 1
        self._said("changed", message, before)
        return {"channel": message.channel, "ts": message.ts, "text": text}

    def _delete(self, given: Arguments) -> Arguments:
        message = self._mine(given, "cant_delete_message")
        self.remove(message)
        return {"channel": message.channel, "ts": message.ts}

    def _react(self, given: Arguments) -> Arguments:
        message = self._reacted(given)
        if given["name"] in message.reactions:
            raise No("already_reacted")
        message.reactions.add(given["name"])
        return {}

    def _unreact(self, given: Arguments) -> Arguments:
        message = self._reacted(given)
        if given["name"] not in message.reactions:
            raise No("no_reaction")
        message.reactions.discard(given["name"])
        return {}

    def _reacted(self, given: Arguments) -> Message:
        return self.find(self._open(given), given["timestamp"])

    def _start(self, given: Arguments) -> Arguments:
        channel, text, now = self._open(given), given.get("markdown_text", ""), time()
        self._started_at = [at for at in self._started_at if at > now - 60]
        if self.streams_a_minute is not None and len(self._started_at) >= self.streams_a_minute:
            raise TooMany(30)
        if not self.thread(channel, given.get("thread_ts", "")):
            raise No("invalid_thread_ts")
        for needed in () if channel.startswith("D") else ("recipient_user_id", "recipient_team_id"):
            if not given.get(needed):
                raise No(f"missing_{needed}")
        if given.keys() & {"metadata", "blocks"}:
            raise No("invalid_arguments")
        if len(text) > 12_000:
            raise No("msg_too_long")
        self._started_at.append(now)
        message = Message(
            ts=self.ts(), channel=channel, text=text, bot=BOT, thread_ts=given["thread_ts"], streaming=True
        )
        self.messages.append(message)
        self._said("posted", message, {})
        return {"channel": channel, "ts": message.ts}

    def _append(self, given: Arguments) -> Arguments:
        message = self._mine(given)
        if message.stopped_by_user:
            raise No("stopped_by_user")
        if not message.streaming:
            raise No("message_not_in_streaming_state")
        if len(given.get("markdown_text") or "") > 12_000:
            raise No("msg_too_long")
        if given.get("markdown_text"):
            before = message.payload(with_metadata=True)
            message.text += given["markdown_text"]
            message.edits += 1
            self._said("changed", message, before)
        return {"channel": message.channel, "ts": message.ts}

    def _stop(self, given: Arguments) -> Arguments:
        _check([], given.get("metadata"))
        if given.get("session_status", "active") not in ("active", "processing", "suspended", "closed"):
            raise No("invalid_arguments")
        answer = self._append(given)
        message = self._mine(given)
        message.streaming = False
        if given.get("metadata"):
            before = message.payload(with_metadata=True)
            message.metadata = given["metadata"]
            self._said("changed", message, before)
        return answer | {"message": message.payload()}

    def _replies(self, given: Arguments) -> Arguments:
        found = self.thread(given["channel"], given["ts"])
        if not found:
            raise No("thread_not_found")
        return self._page("conversations.replies", given, found, newest_first=False)

    def _history(self, given: Arguments) -> Arguments:
        found = [
            one
            for one in self.messages
            if one.channel == given["channel"]
            and (one.thread_ts in (None, one.ts) or one.subtype == "thread_broadcast")
        ]
        return self._page("conversations.history", given, found, newest_first=True)

    def _page(self, method: str, given: Arguments, found: list[Message], *, newest_first: bool) -> Arguments:
        self._ration(method)
        oldest, latest = float(given.get("oldest", 0)), float(given.get("latest", "inf"))
        public = [one for one in found if one.only_for is None]
        root = given.get("ts")  # the first page of a thread begins with its root, whatever was asked for
        within = [one for one in public if oldest < float(one.ts) < latest or one.ts == root]
        within.sort(key=lambda one: float(one.ts), reverse=newest_first)
        limit = min(int(given.get("limit", 100)), 15 if self.rationed else 1000)
        start = int(given.get("cursor") or 0)
        page, rest = within[start : start + limit], within[start + limit :]
        with_metadata = given.get("include_all_metadata") in ("true", "1", True)
        return {
            "messages": [one.payload(with_metadata=with_metadata) | self._replied(one) for one in page],
            "has_more": bool(rest),
            "response_metadata": {"next_cursor": str(start + limit) if rest else ""},
        }

    def _replied(self, root: Message) -> Arguments:
        """What a message in a history tells of its thread; docs.slack.dev/messaging/retrieving-messages."""
        replies = [one for one in self.messages if one.thread_ts == root.ts != one.ts and one.only_for is None]
        if not replies:
            return {}
        users = list(dict.fromkeys(one.user for one in replies))
        return {"reply_count": len(replies), "reply_users": users, "latest_reply": replies[-1].ts}

    def _ration(self, method: str) -> None:
        """docs.slack.dev/reference/methods/conversations.history: 1 call a minute outside the Marketplace."""
        now = time()
        wait = self._read_at.get(method, 0) + 60 - now
        if self.rationed and wait > 0:
            raise TooMany(int(wait) + 1)
        self._read_at[method] = now

    def _status(self, method: str, given: Arguments) -> Arguments:
        if given["channel_id"] not in self.channels:
            raise No("channel_not_found")
        self.statuses.append((method, given))
        return {}


def _check_charts(blocks: Iterable[Arguments]) -> None:
    """docs.slack.dev/reference/block-kit/blocks/data-visualization-block."""
    for block in blocks:
        chart = block["chart"]
        names, series = chart["axis_config"]["categories"], chart["series"]
        fits = chart["type"] == "bar" and 1 <= len(series) <= 6 and 1 <= len(names) <= 20
        matches = all([point["label"] for point in one["data"]] == names for one in series)
        if not (fits and matches and 1 <= len(block["title"]) <= 50 and all(1 <= len(name) <= 20 for name in names)):
            raise No("invalid_blocks")


def _check_view(view: Arguments) -> None:
    """Slack's limits for modals and inputs; docs.slack.dev/reference/views/modal-views."""
    titles = [view[name]["text"] for name in ("title", "submit", "close")]
    blocks = view["blocks"]
    if view["type"] != "modal" or not all(0 < len(one) <= 24 for one in titles) or not 1 <= len(blocks) <= 100:
        raise No("invalid_arguments")
    if len(view["private_metadata"]) > 3_000 or len(view["callback_id"]) > 255:
        raise No("invalid_arguments")
    if len({block["block_id"] for block in blocks}) < len(blocks):
        raise No("invalid_arguments")
    for block in blocks:
        element, hint = block["element"], block.get("hint", {}).get("text", "…")
        if len(block["label"]["text"]) > 2_000 or not 0 < len(hint) <= 2_000 or len(element["action_id"]) > 255:
            raise No("invalid_arguments")
        if element["type"] == "plain_text_input":
            most, value = element["max_length"], element.get("initial_value", "…")
            if not 1 <= most <= 3_000 or not 0 < len(value) <= most:
                raise No("invalid_arguments")
        else:
            options, chosen = element["options"], element.get("initial_option")
            if not 1 <= len(options) <= 100 or (chosen is not None and chosen not in options):
                raise No("invalid_arguments")
            if any(len(one["text"]["text"]) > 75 or not 1 <= len(one["value"]) <= 150 for one in options):
                raise No("invalid_arguments")


def _check(blocks: list[Arguments], metadata: Arguments | None) -> None:
    """Slack's limits for blocks, options and metadata; docs.slack.dev/reference."""
    markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
    if len(blocks) > 50 or markdown > 12_000:
        raise No("invalid_blocks")
    _check_charts(block for block in blocks if block["type"] == "data_visualization")
    for block in blocks:
        for element in block.get("elements", ()):
            if element["type"] == "button":
                if len(element["text"]["text"]) > 75 or len(element["value"]) > 2_000:
                    raise No("invalid_blocks")
                continue
            options = element["options"]
            if not 1 <= len(options) <= 100:
                raise No("invalid_blocks")
            if any(len(one["text"]["text"]) > 75 or not 1 <= len(one["value"]) <= 150 for one in options):
                raise No("invalid_blocks")
    if metadata is not None:
        values = metadata["event_payload"]
        if not all(re.fullmatch(r"[a-z][a-z0-9_]*", key) and not isinstance(values[key], dict) for key in values):
            raise No("invalid_metadata_format")
