"""What was said, in our words: one message, read alike from events, changes and histories.

One message reaches us as `message` and again as `app_mention`, each possibly more than once, in any order, and may be
found in a history. All of them become the same Inbound, because its ID is the message's own `ts` and its facts are
taken from what all of them carry.
"""

from collections.abc import Mapping
from dataclasses import replace

from bots.slack.blocks import written
from bots.slack.markup import is_quoted, mentioned, readable, without_mention
from bots.slack.members import standing
from bots.slack.payloads import (
    Ourselves,
    Payload,
    Unreadable,
    View,
    address_of,
    identity,
    is_direct,
    is_plain_dm,
    is_ts,
    seconds,
    thread_of,
)
from bots.slack.quotes import pointed
from bots.slack.ticket import Ticket
from core.seam.address import Address
from core.seam.evidence import UNREADABLE, is_id
from core.seam.messages import Audience, Author, Inbound

_SPOKEN = (None, "file_share", "message_share", "thread_broadcast", "me_message")
_SLACKBOT = "USLACKBOT"


def said(message: Payload, channel: str, workspace: str, view: View) -> Inbound | None:
    """What a person said; None for what bots, Slack or we ourselves did. Raises Unreadable."""
    if not is_by_a_person(message, view.us):
        return None
    us, ts, author = view.us, identity(message, "ts"), identity(message, "user")
    text, thread = _seen(message), thread_of(message)
    return Inbound(
        address=address_of(workspace, channel, thread or ts, view),
        id=ts,
        author=Author(id=author, name=view.names.get(author) or _profile_name(message) or author),
        text=readable(without_mention(text, us.user), view.names),
        at=seconds(ts),
        audience=_audience(message, text, us),
        direct=is_direct(channel),
        reply_to=thread if is_plain_dm(channel, view) and thread != ts else None,
        edited_at=_edited_at(message),
        quotes=pointed(message, channel, view),
        standing=standing(author, message, workspace, view),
        public=view.public,
        ticket=_foreign(message, workspace),
    )


def said_by_another(message: Payload, channel: str, workspace: str, view: View) -> Inbound | None:
    """What another program said, as it may be remembered by who has looked back; None for what is anybody else's."""
    ts = identity(message, "ts")
    address = address_of(workspace, channel, thread_of(message) or ts, view)
    found = past(message, address, view)
    return found if found is not None and found.author.is_bot and not found.author.is_self else None


def completes(said: Inbound, happened: Payload | None) -> bool:
    """Whether what happened tells more of a message than may have been told before: Slack's `app_mention` is another
    event of the same message, comes first at times, and lacks its files (github.com/openclaw/openclaw/pull/62927)."""
    is_message = happened is not None and happened.get("type") == "message"
    return is_message and said.audience is Audience.BOT and bool(said.quotes)


def _edited_at(message: Payload) -> float | None:
    edited = message.get("edited")
    return seconds(identity(edited, "ts")) if isinstance(edited, Mapping) else None


def is_by_a_person(message: Payload, us: Ourselves) -> bool:
    """Whether a person said it, as opposed to bots, to us, and to what Slack notes by itself."""
    if message.get("subtype") not in _SPOKEN or message.get("bot_id") or message.get("hidden"):
        return False
    return message.get("user") not in (us.user, _SLACKBOT)


def missed(message: Payload, address: Address, view: View) -> Inbound | None:
    """A person's message from a history, as it would have reached us; a channel's address means its top level.

    None for everything else, and for what can't be read: one odd message must not hide the others.
    """
    try:
        if address.thread is None and thread_of(message) not in (None, message.get("ts")):
            return None
        return said(message, address.channel, address.workspace, view)
    except UNREADABLE:
        return None


def past(message: Payload, address: Address, view: View) -> Inbound | None:
    """A message from a history as something to look back on: other bots' and our own are facts there.

    None for what nobody said, or what can't be read: one odd message must not hide the others.
    """
    try:
        return _past(message, address, view)
    except UNREADABLE:
        return None


def _past(message: Payload, address: Address, view: View) -> Inbound | None:
    ts, subtype = message.get("ts"), message.get("subtype")
    if not is_ts(ts) or subtype not in (*_SPOKEN, "bot_message") or message.get("hidden"):
        return None
    text, thread = _seen(message), thread_of(message)
    return Inbound(
        address=address if thread in (None, ts) else replace(address, thread=thread),  # or sent to the channel as well
        id=ts,
        author=_past_author(message, view),
        text=readable(without_mention(text, view.us.user), view.names),
        at=seconds(ts),
        audience=_audience(message, text, view.us),
        direct=is_direct(address.channel),
        edited_at=None if view.us.said(message) else _edited_at(message),  # our own grow by edits
        quotes=pointed(message, address.channel, view),
        standing=standing(str(message.get("user") or ""), message, address.workspace, view),
    )


def _audience(message: Payload, text: str, us: Ourselves) -> Audience:
    """Slack's `app_mention` is believed, unless our mark stands in code or quoted lines alone."""
    people = mentioned(text)
    if message.get("type") == "app_mention" and not is_quoted(text, us.user):
        return Audience.BOT
    return Audience.BOT if us.user in people else Audience.OTHERS if people else Audience.ROOM


def _foreign(message: Payload, workspace: str) -> str | None:
    """A person of another organisation (Slack Connect): a stream must be addressed to their own team."""
    team = message.get("user_team") or message.get("team")
    return Ticket(team=team).written() if isinstance(team, str) and team != workspace else None


def _text(message: Payload) -> str:
    """Its own words, in Slack's written form."""
    text = message.get("text") or ""
    if not isinstance(text, str):
        raise Unreadable("the text is no text")
    return text


def _seen(message: Payload) -> str:
    """What a person sees of a message: a bot's blocks, for which its text only stands in; else the text."""
    text, blocks = _text(message), written(message.get("blocks"))
    return (blocks or text) if message.get("bot_id") else (text or blocks)


def _past_author(message: Payload, view: View) -> Author:
    user, bot = (one if is_id(one) else "" for one in (message.get("user"), message.get("bot_id")))
    ours = view.us.said(message)
    profile = message.get("bot_profile")
    name = message.get("username") or (profile.get("name") if isinstance(profile, Mapping) else None)
    said_by = user or bot or "unknown"
    return Author(
        id=said_by,
        name=str(name or view.names.get(said_by) or _profile_name(message) or said_by),
        is_bot=bool(bot) or ours or message.get("subtype") == "bot_message",
        is_self=ours,
    )


def _profile_name(message: Payload) -> str:
    profile = message.get("user_profile")
    if not isinstance(profile, Mapping):
        return ""
    return str(profile.get("display_name") or profile.get("real_name") or profile.get("name") or "")
