"""Commands by Slack's own means, in our words: slash command, messages' menus, our list of sessions, stop button."""

from collections.abc import Mapping

from structlog import get_logger

from bots.slack.links import link, linked
from bots.slack.members import standing
from bots.slack.payloads import (
    PLATFORM,
    Payload,
    Unreadable,
    View,
    address_of,
    identity,
    is_direct,
    is_plain_dm,
    is_ts,
    part,
    seconds,
    thread_of,
    word,
    workspace_of,
)
from bots.slack.ticket import RESPONSE_SECONDS, Ticket
from core.commands.lines import line_of
from core.commands.table import COMMANDS, Command, find
from core.seam.address import Address, AddressError
from core.seam.messages import Audience, Author, Choice, Inbound

PICKER, BUTTON = "session_picker", "session_button"
SHORTCUTS = {f"session_{verb}": verb for verb, command in COMMANDS.items() if command.menu is not None}
"""Callback IDs of the message shortcuts, and the verbs that they stand for."""

log = get_logger(platform=PLATFORM)


def stopped(payload: Payload, event: Payload, view: View) -> Inbound:
    """Somebody pressed Slack's own stop button; docs.slack.dev/reference/events/agent_session_stopped."""
    channel, ts, user = identity(event, "channel"), identity(event, "event_ts"), identity(event, "user")
    return Inbound(
        address=address_of(workspace_of(payload, view.us), channel, identity(event, "thread_ts"), view),
        id=f"stop:{ts}",
        author=Author(id=user, name=view.names.get(user, user)),
        text="",
        at=seconds(ts),
        audience=Audience.BOT,
        direct=is_direct(channel),
        verb="stop",
        standing=standing(user, {"team": workspace_of(payload, view.us)}, workspace_of(payload, view.us), view),
        public=view.public,
    )


def slash(payload: Payload, view: View) -> Inbound:
    """`/session VERB …`. The payload names no thread, and Slack runs no such command in one, so it is mostly vague.

    A link to a message in a thread of this channel names that.
    """
    channel, user = identity(payload, "channel_id"), identity(payload, "user_id")
    verb, _, rest = str(payload.get("text") or "").strip().partition(" ")
    place = Address(platform=PLATFORM, workspace=view.us.workspace, channel=channel)
    thread = _thread(place, _verb(verb), rest, view)
    return Inbound(
        address=thread or place,
        id=identity(payload, "trigger_id"),
        author=Author(id=user, name=str(view.names.get(user) or payload.get("user_name") or user)),
        text=rest.strip(),
        at=view.now,
        audience=Audience.BOT,
        direct=is_direct(channel),
        verb=_verb(verb),
        vague=thread is None and not is_plain_dm(channel, view),
        standing=standing(user, {"team": payload.get("team_id")}, view.us.workspace, view),
        public=view.public,
        ticket=_answerable(payload, view),
    )


def _thread(channel: Address, verb: str, line: str, view: View) -> Address | None:
    """The thread of this channel that a command is for, where it takes a link, and its line is one that names it."""
    there = linked(view.us, line, agent_view=view.agent_view) if find(verb).link else None
    if there is None or there.address.thread is None or there.address.channel_address != channel:
        return None
    return there.address


def shortcut(payload: Payload, view: View) -> Inbound | None:
    """A message's menu: the one native command that knows its thread."""
    verb = SHORTCUTS.get(str(payload.get("callback_id")))
    if verb is None:
        return None
    channel, message = identity(part(payload, "channel"), "id"), part(payload, "message")
    ts = identity(message, "ts")
    address = address_of(view.us.workspace, channel, thread_of(message) or ts, view)
    return _pressed(payload, view, verb=verb, address=address, line=_linking(COMMANDS[verb], address, ts, view))


def _linking(command: Command, address: Address, ts: str, view: View) -> str:
    """What a command is given that is chosen in this message's menu: the link to it, if it takes one."""
    return line_of(command, {command.link.name: link(view.us, address, ts) or ts}) if command.link else ""


def choice(payload: Payload, view: View) -> Inbound | None:
    """Something picked from our list of sessions, or a button of ours: all are of this channel. Others are not ours."""
    for action in payload.get("actions") or ():
        if isinstance(action, Mapping) and (value := _value(action)) is not None:
            try:
                chosen = Choice.read(value)
            except AddressError as error:
                raise Unreadable("the chosen value names no session") from error
            channel = identity(part(payload, "channel"), "id")
            here = Address(platform=PLATFORM, workspace=view.us.workspace, channel=channel)
            if chosen.address.channel_address != here:
                log.warning("choice ignored", session=here.id, reason="the chosen session is of another place")
                return None
            return _pressed(payload, view, verb=chosen.verb, line=chosen.line, address=chosen.address)
    return None


def _value(action: Payload) -> str | None:
    """What our list or a button of ours stands for; None for what is not ours."""
    match action.get("action_id"):
        case str(name) if name == PICKER:
            return word(part(action, "selected_option"), "value")
        case str(name) if name.startswith(BUTTON):
            return word(action, "value")
    return None


def _pressed(payload: Payload, view: View, *, verb: str, address: Address, line: str = "") -> Inbound:
    user = part(payload, "user")
    name = view.names.get(identity(user, "id")) or user.get("name") or user.get("username") or identity(user, "id")
    return Inbound(
        address=address,
        id=identity(payload, "trigger_id"),
        author=Author(id=identity(user, "id"), name=str(name)),
        text=line,
        at=_pressed_at(payload, view),
        audience=Audience.BOT,
        direct=is_direct(address.channel),
        verb=verb,
        standing=standing(word(user, "id"), {"team": user.get("team_id")}, view.us.workspace, view),
        public=view.public,
        ticket=_answerable(payload, view),
    )


def _pressed_at(payload: Payload, view: View) -> float:
    """By Slack's clock: what people say in the next moment comes after it."""
    acted = [one.get("action_ts") for one in payload.get("actions") or () if isinstance(one, Mapping)]
    return next((seconds(ts) for ts in (payload.get("action_ts"), *acted) if is_ts(ts)), view.now)


def _verb(word: str) -> str:
    lowered = word.lower()
    return "help" if not word else lowered if lowered in COMMANDS else word


def _answerable(payload: Payload, view: View) -> str | None:
    url, trigger = payload.get("response_url"), str(payload.get("trigger_id") or "")
    if not isinstance(url, str):
        return None
    return Ticket(url=url, until=view.now + RESPONSE_SECONDS, trigger=trigger).written()
