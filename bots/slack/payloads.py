"""What every payload of Slack's is made of: its words and times, and whom and which conversation it concerns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from re import compile as pattern
from typing import Any, TypeGuard

from core.seam.address import Address
from core.seam.evidence import is_id

Payload = Mapping[str, Any]

PLATFORM = "slack"

_TS = pattern(r"[0-9]{1,11}\.[0-9]{1,9}")  # Python has no dates after the year 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class Ourselves:
    """Who the token says that we are: installation, bot user, bot, the name of the workspace for people, and ours.

    `url` is where people open the workspace. `organisation` is that of Slack's Enterprise Grid, where it is in one.
    """

    workspace: str
    user: str
    bot: str
    name: str = ""
    handle: str = ""
    url: str = ""
    organisation: str = ""

    def said(self, message: Payload) -> bool:
        """Whether a message is ours."""
        return message.get("user") == self.user or message.get("bot_id") == self.bot != ""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a translation depends on besides the payload. `now` dates what Slack itself does not date.

    `names` are those by which people and channels go, by their IDs, as far as they are known; `people` is what Slack
    says of those who speak, and `public` whether all of the workspace may see the channel.
    """

    us: Ourselves
    agent_view: bool
    now: float
    names: Mapping[str, str] = field(default_factory=dict)
    people: Mapping[str, Payload] = field(default_factory=dict)
    public: bool | None = None


class Unreadable(ValueError):
    """The payload lacks something that every such payload has."""


def part(payload: Payload, name: str) -> Payload:
    """What must be there, and have parts of its own."""
    found = payload.get(name)
    if not isinstance(found, Mapping):
        raise Unreadable(f"no {name}")
    return found


def word(payload: Payload, name: str) -> str:
    """What must be there, and be a text."""
    found = payload.get(name)
    if not isinstance(found, str) or not found:
        raise Unreadable(f"no {name}")
    return found


def identity(payload: Payload, name: str) -> str:
    """What must be there, and be an ID: one that is endless, or of several lines, has no place in a key or in a log."""
    found = payload.get(name)
    if not is_id(found):
        raise Unreadable(f"no {name}")
    return found


def seconds(ts: str) -> float:
    """A message's ID as the time that it is, in seconds since 1970."""
    if not is_ts(ts):
        raise Unreadable("a time that is no time")
    return float(ts)


def is_ts(name: object) -> TypeGuard[str]:
    """Whether this is a message's ID, which is also its time; a command's ID is not."""
    return isinstance(name, str) and _TS.fullmatch(name) is not None


def thread_of(message: Payload) -> str | None:
    """The root of the thread that a message is in; of a root itself, once it has replies."""
    return identity(message, "thread_ts") if message.get("thread_ts") else None


def workspace_of(payload: Payload, us: Ourselves) -> str:
    """The installation that the payload is for. In a shared channel an event's `team_id` may be the sender's; its
    authorization never is. A slash command and a message's menu have none: people find there what is installed in their
    own workspace, which they name. What a button or a form is for, it says itself.
    """
    installs = payload.get("authorizations")
    first = installs[0] if isinstance(installs, list) and installs else None
    if isinstance(first, Mapping):
        found = first.get("enterprise_id") if first.get("is_enterprise_install") else first.get("team_id")
        if is_id(found):
            return found
    named = _homes(payload) if "command" in payload or payload.get("type") == "message_action" else []
    return named[0] if named and us.workspace not in named else us.workspace


def _homes(payload: Payload) -> list[str]:
    """The workspace and the organisation that somebody has acted in, as far as they are told."""
    found = [payload.get("team_id"), payload.get("enterprise_id")]
    found += [one.get("id") for name in ("team", "enterprise") if isinstance(one := payload.get(name), Mapping)]
    return [one for one in found if is_id(one)]


def address_of(workspace: str, channel: str, root: str, view: View) -> Address:
    """Every conversation is a thread, named by its root. A DM without the agent view is one conversation, threads
    and all; what is asked in a thread there is answered in that thread (`reply_to`) from the DM's one memory."""
    thread = None if is_plain_dm(channel, view) else root
    return Address(platform=PLATFORM, workspace=workspace, channel=channel, thread=thread)


def is_direct(channel: str) -> bool:
    """By the ID, because `app_mention` carries no `channel_type`."""
    return channel.startswith("D")


def is_plain_dm(channel: str, view: View) -> bool:
    """Whether this is a DM that is one conversation as a whole."""
    return is_direct(channel) and not view.agent_view
