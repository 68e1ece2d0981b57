"""What a Discord server on loopback knows: people, channels, messages, interactions, and the faults that it plays."""

import itertools
import re
import time
from asyncio import Event
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests import watch

Payload = dict[str, Any]

EPOCH = 1_420_070_400_000
TEXT, DIRECT, VOICE, THREAD, FORUM = 0, 1, 2, 11, 15
VIEW_CHANNEL, CONNECT = 1 << 10, 1 << 20
USUAL = VIEW_CHANNEL | 1 << 11 | 1 << 16  # and to send messages, and read earlier ones
EPHEMERAL = 1 << 6
COMPONENT, SUBMISSION = 3, 5  # kinds of interaction beside a command
STARTER = 21  # the type of the first message of a thread that began with a message
CONTENT_FLAG = 1 << 19
NONCE = "nonce"
CDN = "https://cdn.discordapp.com"

_FORWARDED = ("type", "content", "timestamp", "edited_timestamp", "mentions", "mention_roles", "attachments", "embeds")


class Refused(Exception):
    """An answer that Discord gives instead of what was asked for."""

    def __init__(self, status: int, code: int = 0, message: str = "refused", headers: Mapping[str, str] | None = None):
        super().__init__(f"{status} {code} {message}")
        self.status = status
        self.body: Payload = {"code": code, "message": message}
        self.headers = dict(headers or {})


@dataclass(kw_only=True)
class Fault:
    """What happens to the next `times` requests whose "METHOD /path" matches. `after`: once they have had effect."""

    match: str
    status: int = 500
    code: int = 0
    body: Payload | None = None
    headers: dict[str, str] = field(default_factory=dict)
    after: bool = False
    hang: bool = False
    times: int = 1
    hit: int = 0

    def meets(self, request: str) -> bool:
        return self.hit < self.times and re.search(self.match, request) is not None


@dataclass(kw_only=True)
class Request:
    """One request as it arrived."""

    method: str
    path: str
    body: Any
    status: int = 0
    at: float = field(default_factory=time.monotonic)


@dataclass(kw_only=True)
class Kept:
    """One message, and what only the server knows about it."""

    payload: Payload
    edits: int = 0
    listed: bool = True  # in the history; ephemeral messages are not
    reactions: set[str] = field(default_factory=set)  # the bot's own


@dataclass(kw_only=True)
class Interaction:
    """One command that somebody gave, and what became of it."""

    id: str
    token: str
    channel: str
    at: float
    kind: int = 2
    author: str = ""
    modal: Payload | None = None
    deferred: bool = False
    private: bool = False
    first: int = 0  # how it was answered at first
    original: str | None = None
    acknowledged_after: float | None = None
    done: Event = field(default_factory=Event)


class World:
    """One application `bot` in one guild. `now` is the server's clock; `dispatch` is set by the gateway."""

    def __init__(self) -> None:
        self.now: Callable[[], float] = time.time
        self._counter = itertools.count()
        self.token = watch.secret("bot-token")
        self.bot = self._user("900000000000000001", "backscroll", bot=True)
        self.application = "900000000000000002"
        self.guild = "900000000000000003"
        self.roles: list[Payload] = []
        self.has_roles: dict[str, list[str]] = {}
        """Roles beside those that every guild has here, and who has which."""
        self.left: set[str] = set()
        """Those who are not in the guild any more."""
        self.in_thread: dict[str, set[str]] = {}
        """Who is in a thread, as far as a test is about that."""
        self.role = "900000000000000004"
        self.flags = CONTENT_FLAG
        self.session_starts = 1000
        self.people: dict[str, Payload] = {}
        self.channels: dict[str, Payload] = {}
        self.uncached: set[str] = set()  # channels that GUILD_CREATE does not name, as archived threads
        self.unreadable: set[str] = set()  # channels whose history the bot may not read
        self.messages: dict[str, dict[str, Kept]] = {}
        self.interactions: dict[str, Interaction] = {}
        self.token_lifetime = 15 * 60.0
        self.acknowledge_within = 3.0
        self.nonces: dict[tuple[str, str], tuple[str, float]] = {}
        self.nonce_window = 180.0  # "the past few minutes", in seconds
        self.shows_nonces = False  # whether the history has them
        self.commands: list[Payload] = []
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.limits: dict[str, tuple[int, float]] = {}
        self.files: dict[str, bytes] = {}  # what is attached, by the attachment's number
        self.signature = 1  # of the addresses of files: one that was made before it changed is refused

    def snowflake(self, at: float | None = None) -> str:
        milliseconds = int((self.now() if at is None else at) * 1000) - EPOCH
        return str((milliseconds << 22) | (next(self._counter) & 0x3FFFFF))

    def person(self, name: str, *, bot: bool = False) -> Payload:
        if name not in self.people:
            self.people[name] = self._user(f"8000000000000000{len(self.people):02d}", name, bot=bot)
        return self.people[name]

    def fault(self, match: str, **how: Any) -> Fault:
        """Plays this fault once, or as often as it says."""
        self.faults.append(Fault(match=match, **how))
        return self.faults[-1]

    def asked(self, match: str) -> list[Request]:
        """The requests so far whose "METHOD /path" matches."""
        return [request for request in self.requests if re.search(match, f"{request.method} {request.path}")]

    def channel(self, name: str, kind: int = TEXT, parent: str | None = None, number: str | None = None) -> Payload:
        """A new channel, forum, thread or direct channel."""
        channel: Payload = {"id": number or self.snowflake(), "type": kind, "name": name, "last_message_id": None}
        if kind != DIRECT:
            channel |= {"guild_id": self.guild, "parent_id": parent, "position": 0, "permission_overwrites": []}
        if kind == THREAD:
            channel |= {
                "owner_id": self.bot["id"],
                "message_count": 0,
                "member_count": 1,
                "thread_metadata": {
                    "archived": False,
                    "auto_archive_duration": 60,
                    "archive_timestamp": stamp(self.now()),
                    "locked": False,
                },
            }
        if kind == FORUM:
            channel |= {"available_tags": []}
        if kind == VOICE:
            channel |= {"bitrate": 64_000, "user_limit": 0}
        self.channels[channel["id"]] = channel
        self.messages[channel["id"]] = {}
        return channel

    def message(self, channel: str, author: Payload, content: str, **more: Any) -> Payload:
        """A message in a channel, as everybody with the content intent sees it."""
        number = more.pop("id", None) or self.snowflake()
        payload: Payload = {
            "id": number,
            "type": 0,
            "channel_id": channel,
            "author": author,
            "content": watch.said(content),
            "timestamp": stamp(((int(number) >> 22) + EPOCH) / 1000),
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mentions": self.mentioned(content),
            "mention_roles": re.findall(r"<@&(\d+)>", content),
            "attachments": [],
            "embeds": [],
            "pinned": False,
            "flags": 0,
            "components": [],
        } | more
        reference = payload.get("message_reference")
        if reference and reference.get("type", 0) == 0 and "referenced_message" not in payload:
            original = self.messages[reference.get("channel_id", channel)].get(reference["message_id"])
            payload |= {"type": 19, "referenced_message": original.payload if original else None}
            reference |= {"channel_id": channel, "guild_id": self.guild}
        kept = self.messages[channel][number] = Kept(payload=payload, listed=not payload["flags"] & EPHEMERAL)
        if kept.listed:
            self.channels[channel]["last_message_id"] = number
        return payload

    def attachment(self, channel: str, name: str, data: bytes, kind: str | None = None, **more: Any) -> Payload:
        """A file as a message in this channel carries it; `kind` is what Discord says that it is."""
        number = self.snowflake()
        self.files[number] = data
        url = f"{CDN}/attachments/{channel}/{number}/{name}"
        known = {
            "id": number,
            "filename": name,
            "size": len(data),
            "url": url,
            "proxy_url": url.replace("cdn", "media"),
        }
        return self.signed(known | ({"content_type": kind} if kind else {}) | more)

    def snapshot(self, message: Payload) -> Payload:
        """A message as a forward carries it: without its author, and the same for ever."""
        return {"message": {key: message[key] for key in _FORWARDED if key in message}}

    def signed(self, part: Any) -> Any:
        """The same with addresses of files that are good now."""
        if isinstance(part, list):
            return [self.signed(one) for one in part]
        if not isinstance(part, dict):
            return part
        if "filename" in part:
            return part | {"url": f"{part['url'].partition('?')[0]}?ex=1&is=1&hm={self.signature}&"}
        return {key: self.signed(value) for key, value in part.items()}

    def edit(self, message: Kept, content: str) -> None:
        """Its author writes another text in its place."""
        message.edits += content != message.payload["content"]
        message.payload |= {
            "content": content,
            "edited_timestamp": stamp(self.now()),
            "mentions": self.mentioned(content),
            "mention_roles": re.findall(r"<@&(\d+)>", content),
        }

    def gone(self, messages: list[Kept]) -> list[Payload]:
        """What is told of each of these messages that were deleted: IDs, and nothing else."""
        return [
            {key: value for key, value in one.payload.items() if key in ("id", "channel_id")}
            | ({"guild_id": self.guild} if "guild_id" in self.channels[one.payload["channel_id"]] else {})
            for one in messages
        ]

    def posted(self, channel: str, nonce: object) -> Payload | None:
        """The message that this nonce has made a short time ago."""
        number, at = self.nonces.get((channel, str(nonce)), ("", 0.0))
        kept = self.messages[channel].get(number)
        return kept.payload if kept is not None and self.now() - at <= self.nonce_window else None

    def remove(self, channel: str) -> None:
        """A channel and the threads in it are gone, with all that was said there."""
        for number, one in list(self.channels.items()):
            if channel in (number, one.get("parent_id")):
                del self.channels[number], self.messages[number]

    def archived(self, channel: str) -> bool:
        """Whether this is a thread that is archived."""
        return bool(self.channels[channel].get("thread_metadata", {}).get("archived"))

    def locked(self, channel: str) -> bool:
        """Whether this is a thread that only moderators may write in."""
        return bool(self.channels[channel].get("thread_metadata", {}).get("locked"))

    def seen(self, payload: Payload, *, content: bool, nonce: bool = False) -> Payload:
        """The message as the bot is shown it, on the gateway and by REST: without content, unless it is for it."""
        sent = {key: self.signed(value) for key, value in payload.items() if nonce or key != NONCE}
        ours = payload["author"]["id"] == self.bot["id"] or self.channels[payload["channel_id"]]["type"] == DIRECT
        if content or ours or any(user["id"] == self.bot["id"] for user in payload["mentions"]):
            return sent
        if sent.get("referenced_message"):
            sent["referenced_message"] = self.seen(sent["referenced_message"], content=content)
        return {key: value for key, value in sent.items() if key not in ("poll", "message_snapshots")} | {
            "content": "",
            "attachments": [],
            "embeds": [],
            "components": [],
        }

    def guild_now(self) -> Payload:
        """The guild as it is asked for."""
        whole = self.guild_create()
        return {one: whole[one] for one in ("id", "name", "owner_id")} | {"roles": [*whole["roles"], *self.roles]}

    def member(self, user: str) -> Payload:
        """A person in the guild."""
        if user in self.left:
            raise Refused(404, 10007, "Unknown Member")
        return {"user": {"id": user, "username": user}, "roles": self.has_roles.get(user, []), "nick": None}

    def guild_create(self) -> Payload:
        """The guild as a bot gets it when it connects."""
        known = [channel for number, channel in self.channels.items() if number not in self.uncached]
        return {
            "id": self.guild,
            "name": "Analytical Society",
            "unavailable": False,
            "member_count": 3,
            "owner_id": "1",
            "channels": [channel for channel in known if channel["type"] in (TEXT, FORUM)],
            "threads": [channel for channel in known if channel["type"] == THREAD],
            "roles": [
                self._role(self.guild, "@everyone", may=USUAL),
                self._role(self.role, "backscroll", bot=self.bot["id"]),
            ],
            "members": [
                {
                    "user": self.bot,
                    "roles": [self.role],
                    "joined_at": stamp(0),
                    "deaf": False,
                    "mute": False,
                    "flags": 0,
                }
            ],
            "emojis": [],
            "features": [],
            "voice_states": [],
            "presences": [],
        }

    def forget_nonces(self) -> None:
        """The past few minutes are over."""
        self.nonces.clear()

    def mentioned(self, content: str) -> list[Payload]:
        """Whom a text mentions."""
        known = {user["id"]: user for user in (self.bot, *self.people.values())}
        return [known[number] for number in dict.fromkeys(re.findall(r"<@!?(\d+)>", content)) if number in known]

    @staticmethod
    def _user(number: str, name: str, *, bot: bool = False) -> Payload:
        return {
            "id": number,
            "username": name,
            "global_name": name,
            "discriminator": "0",
            "avatar": None,
            "bot": bot,
            "public_flags": 0,
        }

    @staticmethod
    def _role(number: str, name: str, *, bot: str | None = None, may: int = 0) -> Payload:
        return {
            "id": number,
            "name": name,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "position": 0,
            "permissions": str(may),
            "managed": bot is not None,
            "mentionable": False,
            "flags": 0,
        } | ({"tags": {"bot_id": bot}} if bot else {})


def stamp(seconds: float) -> str:
    """Discord's way to write an instant."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds * 1e6) % 1_000_000:06d}+00:00"
