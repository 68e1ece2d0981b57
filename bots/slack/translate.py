"""What Slack sends, in our words: pure functions from payloads to Inbound, Rejected, or None for what is not for us.

One message reaches us as `message` and again as `app_mention`, each possibly more than once, in any order. All of them
become the same Inbound, because its ID is the message's own `ts` and its facts are taken from what both events carry.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from re import compile as pattern
from typing import Any, TypeGuard

from structlog import get_logger

from bots.slack.ticket import RESPONSE_SECONDS, Ticket
from bots.slack.words import mentioned, readable, without_mention
from core.address import Address, AddressError
from core.commands import COMMANDS
from core.messages import Audience, Author, Inbound, Rejected

Payload = Mapping[str, Any]

PLATFORM = "slack"
PICKER = "session_picker"
SHORTCUTS = {f"session_{verb}": verb for verb in ("reset", "summarize")}
"""Callback IDs of the message shortcuts, and the verbs that they stand for."""

log = get_logger(platform=PLATFORM)

_SPOKEN = (None, "file_share", "thread_broadcast", "me_message")
_SLACKBOT = "USLACKBOT"
_SECRETS = frozenset({"token", "response_url", "trigger_id", "ticket"})
_TS = pattern(r"[0-9]+\.[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ourselves:
    """Who the token says that we are: installation, bot user, bot, and the name of the workspace for people."""

    workspace: str
    user: str
    bot: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a translation depends on besides the payload. `now` dates what Slack itself does not date."""

    us: Ourselves
    agent_view: bool
    now: float


class _Unreadable(ValueError):
    """The payload lacks something that every such payload has."""


def translate(payload: Payload, view: View) -> Inbound | Rejected | None:
    """One payload of a Socket Mode envelope or of an HTTP request, in our words."""
    try:
        match payload.get("type"):
            case "event_callback":
                return _event(payload, view)
            case "message_action":
                return _shortcut(payload, view)
            case "block_actions":
                return _choice(payload, view)
        return _slash(payload, view) if "command" in payload else None
    except _Unreadable as problem:
        return rejected(payload, str(problem))
    except (TypeError, ValueError, AttributeError) as problem:
        return rejected(payload, f"not of Slack's shape ({type(problem).__name__})")


def rejected(payload: Payload, reason: str) -> Rejected:
    """The payload as evidence, without what answers in our name. What tells two events apart may be among that."""
    whole = json.dumps(payload, sort_keys=True, default=str)
    kept = json.dumps(json.loads(whole, object_hook=_without_secrets))
    event_id = payload.get("event_id")
    name = event_id if isinstance(event_id, str) and event_id else sha256(whole.encode()).hexdigest()[:24]
    return Rejected(platform=PLATFORM, id=name, reason=reason, payload=kept)


def _without_secrets(part: Payload) -> Payload:
    return {name: value for name, value in part.items() if name not in _SECRETS}


def past(message: Payload, address: Address, view: View) -> Inbound | None:
    """A message from `conversations.history` or `conversations.replies`: other bots' and our own are facts there.

    None for what nobody said, or what can't be read: one odd message must not hide the others.
    """
    try:
        return _past(message, address, view)
    except (TypeError, ValueError, AttributeError):
        return None


def _past(message: Payload, address: Address, view: View) -> Inbound | None:
    ts, subtype = message.get("ts"), message.get("subtype")
    if not is_ts(ts) or subtype not in (*_SPOKEN, "bot_message") or message.get("hidden"):
        return None
    text = _shown_text(message)
    return Inbound(
        address=address,
        id=ts,
        author=_past_author(message, view.us),
        text=readable(without_mention(text, view.us.user)),
        at=_seconds(ts),
        audience=_audience(text, view.us),
        direct=_is_direct(address.channel),
    )


def is_ts(name: object) -> TypeGuard[str]:
    """Whether this is a message's ID, which is also its time; a command's ID is not."""
    return isinstance(name, str) and _TS.fullmatch(name) is not None


def _event(payload: Payload, view: View) -> Inbound | None:
    event = _part(payload, "event")
    match event.get("type"):
        case "message" | "app_mention":
            return _message(payload, event, view)
        case "agent_session_stopped":
            return _stopped(payload, event, view)
    return None


def _message(payload: Payload, event: Payload, view: View) -> Inbound | None:
    us, user = view.us, event.get("user")
    if event.get("subtype") not in _SPOKEN or event.get("bot_id") or event.get("hidden"):
        return None
    if user in (us.user, _SLACKBOT):
        return None
    channel, ts, author = _word(event, "channel"), _word(event, "ts"), _word(event, "user")
    text = _with_files(event)
    heard = Audience.BOT if event["type"] == "app_mention" else _audience(text, us)
    workspace, thread = _workspace(payload, us), _word(event, "thread_ts") if event.get("thread_ts") else None
    return Inbound(
        address=_address(workspace, channel, thread or ts, view),
        id=ts,
        author=Author(id=author, name=_profile_name(event) or author),
        text=readable(without_mention(text, us.user)),
        at=_seconds(ts),
        audience=heard,
        direct=_is_direct(channel),
        reply_to=thread if _is_plain_dm(channel, view) and thread != ts else None,
        ticket=_foreign(event, workspace),
    )


def _stopped(payload: Payload, event: Payload, view: View) -> Inbound:
    """Somebody pressed Slack's own stop button; docs.slack.dev/reference/events/agent_session_stopped."""
    channel, ts, user = _word(event, "channel"), _word(event, "event_ts"), _word(event, "user")
    return Inbound(
        address=_address(_workspace(payload, view.us), channel, _word(event, "thread_ts"), view),
        id=f"stop:{ts}",
        author=Author(id=user, name=user),
        text="",
        at=_seconds(ts),
        audience=Audience.BOT,
        direct=_is_direct(channel),
        verb="stop",
    )


def _slash(payload: Payload, view: View) -> Inbound:
    """`/session VERB …`. The payload names no thread, and Slack runs no such command in one, so it is mostly vague."""
    channel, user = _word(payload, "channel_id"), _word(payload, "user_id")
    verb, _, rest = str(payload.get("text") or "").strip().partition(" ")
    return Inbound(
        address=Address(platform=PLATFORM, workspace=view.us.workspace, channel=channel),
        id=_word(payload, "trigger_id"),
        author=Author(id=user, name=str(payload.get("user_name") or user)),
        text=rest.strip(),
        at=view.now,
        audience=Audience.BOT,
        direct=_is_direct(channel),
        verb=_verb(verb),
        vague=not _is_plain_dm(channel, view),
        ticket=_answerable(payload, view),
    )


def _shortcut(payload: Payload, view: View) -> Inbound | None:
    """A message's menu: the one native command that knows its thread."""
    verb = SHORTCUTS.get(str(payload.get("callback_id")))
    if verb is None:
        return None
    channel, message = _word(_part(payload, "channel"), "id"), _part(payload, "message")
    thread = message.get("thread_ts") or _word(message, "ts")
    return _pressed(payload, view, verb=verb, address=_address(view.us.workspace, channel, thread, view))


def _choice(payload: Payload, view: View) -> Inbound | None:
    """Something picked from our list of sessions, which are all of this channel; other buttons are not ours."""
    for action in payload.get("actions") or ():
        if isinstance(action, Mapping) and action.get("action_id") == PICKER:
            verb, _, session = _word(_part(action, "selected_option"), "value").partition(" ")
            try:
                address = Address.parse(session)
            except AddressError as error:
                raise _Unreadable("the chosen value names no session") from error
            channel = _word(_part(payload, "channel"), "id")
            here = Address(platform=PLATFORM, workspace=view.us.workspace, channel=channel)
            if address.channel_address != here:
                log.warning("choice ignored", session=here.id, reason="the chosen session is of another place")
                return None
            return _pressed(payload, view, verb=verb, address=address)
    return None


def _pressed(payload: Payload, view: View, *, verb: str, address: Address) -> Inbound:
    user = _part(payload, "user")
    name = user.get("name") or user.get("username") or _word(user, "id")
    return Inbound(
        address=address,
        id=_word(payload, "trigger_id"),
        author=Author(id=_word(user, "id"), name=str(name)),
        text="",
        at=view.now,
        audience=Audience.BOT,
        direct=_is_direct(address.channel),
        verb=verb,
        ticket=_answerable(payload, view),
    )


def _verb(word: str) -> str:
    lowered = word.lower()
    return "help" if not word else lowered if lowered in COMMANDS else word


def _answerable(payload: Payload, view: View) -> str | None:
    url = payload.get("response_url")
    return Ticket(url=url, until=view.now + RESPONSE_SECONDS).written() if isinstance(url, str) else None


def _foreign(event: Payload, workspace: str) -> str | None:
    """A person of another organisation (Slack Connect): a stream must be addressed to their own team."""
    team = event.get("user_team") or event.get("team")
    return Ticket(team=team).written() if isinstance(team, str) and team != workspace else None


def _workspace(payload: Payload, us: Ourselves) -> str:
    """The installation that the event is for. In a shared channel `team_id` may be the sender's; this never is."""
    installs = payload.get("authorizations")
    first = installs[0] if isinstance(installs, list) and installs else None
    if isinstance(first, Mapping):
        found = first.get("enterprise_id") if first.get("is_enterprise_install") else first.get("team_id")
        if isinstance(found, str) and found:
            return found
    return us.workspace


def _address(workspace: str, channel: str, root: str, view: View) -> Address:
    """Every conversation is a thread, named by its root. A DM without the agent view is one conversation, threads
    and all; what is asked in a thread there is answered in that thread (`reply_to`) from the DM's one memory."""
    thread = None if _is_plain_dm(channel, view) else root
    return Address(platform=PLATFORM, workspace=workspace, channel=channel, thread=thread)


def _is_direct(channel: str) -> bool:
    """By the ID, because `app_mention` carries no `channel_type`."""
    return channel.startswith("D")


def _is_plain_dm(channel: str, view: View) -> bool:
    return _is_direct(channel) and not view.agent_view


def _audience(text: str, us: Ourselves) -> Audience:
    people = mentioned(text)
    return Audience.BOT if us.user in people else Audience.OTHERS if people else Audience.ROOM


def _with_files(message: Payload) -> str:
    text = message.get("text") or ""
    if not isinstance(text, str):
        raise _Unreadable("the text is no text")
    files = [file for file in message.get("files") or () if isinstance(file, Mapping)]
    names = [f"[attached: {file.get('title') or file.get('name') or file.get('id')}]" for file in files]
    return "\n".join(part for part in (text, *names) if part)


def _shown_text(message: Payload) -> str:
    """What a person sees of a message that may be a bot's: its Markdown blocks, its text, or its attachments'."""
    blocks = [part for part in message.get("blocks") or () if isinstance(part, Mapping)]
    markdown = [str(block.get("text", "")) for block in blocks if block.get("type") == "markdown"]
    attachments = [part for part in message.get("attachments") or () if isinstance(part, Mapping)]
    fallbacks = [str(part.get("text") or part.get("fallback") or "") for part in attachments]
    return "\n".join(markdown) or _with_files(message) or "\n".join(fallbacks)


def _past_author(message: Payload, us: Ourselves) -> Author:
    user, bot = str(message.get("user") or ""), str(message.get("bot_id") or "")
    ours = user == us.user or (bot != "" and bot == us.bot)
    profile = message.get("bot_profile")
    name = message.get("username") or (profile.get("name") if isinstance(profile, Mapping) else None)
    said_by = user or bot or "unknown"
    return Author(
        id=said_by,
        name=str(name or _profile_name(message) or said_by),
        is_bot=bool(bot) or ours or message.get("subtype") == "bot_message",
        is_self=ours,
    )


def _profile_name(event: Payload) -> str:
    profile = event.get("user_profile")
    if not isinstance(profile, Mapping):
        return ""
    return str(profile.get("display_name") or profile.get("real_name") or profile.get("name") or "")


def _part(payload: Payload, name: str) -> Payload:
    found = payload.get(name)
    if not isinstance(found, Mapping):
        raise _Unreadable(f"no {name}")
    return found


def _word(payload: Payload, name: str) -> str:
    found = payload.get(name)
    if not isinstance(found, str) or not found:
        raise _Unreadable(f"no {name}")
    return found


def _seconds(ts: str) -> float:
    if not is_ts(ts):
        raise _Unreadable("a time that is no time")
    return float(ts)
