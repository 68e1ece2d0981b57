"""What was said, in our words: pure, and total. What can't be read becomes a Rejected, never an exception.

Payloads are read as they came off the wire, so that the gateway and the history are read by the same lines, and a
thread that the library has not cached is no special case.
"""

from bots.discord import quotes
from bots.discord.markup import readable
from bots.discord.members import standing
from bots.discord.names import Names, author
from bots.discord.payloads import Payload, address_of, edited_at, instant, rejected, snowflake
from core.seam.address import DIRECT, Address
from core.seam.evidence import UNREADABLE
from core.seam.messages import Audience, Inbound, Quote, Rejected

_SAID = frozenset({0, 19})  # message types DEFAULT and REPLY; the others are the system's, or answers to interactions
_STARTER = 21  # the first message of a thread that was started from a message; that message is the referenced one


def message(payload: Payload, parent: str | None, names: Names) -> Inbound | Rejected | None:
    """What a MESSAGE_CREATE says; None when no person said it, or when it says nothing to us.

    `parent` is the channel around the thread that it was said in, None outside threads.
    """
    try:
        if payload["type"] not in _SAID or not _by_person(payload):
            return None
        inbound = said(payload, address_of(payload, parent), names)
    except UNREADABLE as error:
        return rejected(payload, error)
    return inbound if inbound.text or inbound.audience is Audience.BOT or quotes.carries(payload) else None


def said(payload: Payload, address: Address, names: Names) -> Inbound:
    """One message by anybody, our own included; raises when it can't be read."""
    return Inbound(
        address=address,
        id=snowflake(payload["id"]),
        author=author(payload, payload.get("member"), names),
        text=readable(payload["content"], payload, names),
        at=instant(payload["id"]),
        audience=Audience.BOT if _to_us(payload, names) else Audience.ROOM,
        direct=address.workspace == DIRECT,
        reply_to=payload["id"],
        edited_at=edited_at(payload),
        quotes=(*_title(payload, address, names), *quotes.pointed(payload, names)),
        standing=standing(payload, address),
        public=names.public(address),
    )


def _title(payload: Payload, address: Address, names: Names) -> tuple[Quote, ...]:
    """What a forum post is called, which stands above its first message: that has the number of the post's thread."""
    if not payload["id"] == payload.get("channel_id") == address.thread:
        return ()
    title = names.channel(payload["id"])
    return (Quote(kind="is under", title=title),) if title else ()


def earlier(payload: Payload, address: Address, names: Names) -> Inbound | None:
    """One message of a channel's history; None for what nobody said, or what can't be read."""
    try:
        if payload["type"] == _STARTER:
            payload = payload["referenced_message"]
        if payload["type"] not in _SAID:
            return None
        inbound = said(payload, address, names)
    except UNREADABLE:
        return None
    return inbound if inbound.text or quotes.carries(payload) else None


def by_another(payload: Payload, parent: str | None, names: Names) -> Inbound | None:
    """What another program said, as it may be remembered by who has looked back; None for what is anybody else's."""
    try:
        address = address_of(payload, parent)
    except UNREADABLE:
        return None
    found = earlier(payload, address, names)
    return found if found is not None and found.author.is_bot and not found.author.is_self else None


def unresolved(payload: Payload) -> tuple[str, str] | None:
    """Channel and ID of the message that a person replies to, when Discord did not look it up for us."""
    try:
        reference = payload.get("message_reference")
        if reference is None or payload["type"] not in _SAID or not _by_person(payload):
            return None
        if "referenced_message" in payload or not quotes.is_reply(payload):
            return None
        return snowflake(reference.get("channel_id", payload["channel_id"])), snowflake(reference["message_id"])
    except UNREADABLE:
        return None  # `message` meets the same flaw, and says so


def _by_person(payload: Payload) -> bool:
    return not (payload.get("webhook_id") or payload["author"].get("bot") or payload["author"].get("system"))


def _to_us(payload: Payload, names: Names) -> bool:
    if any(user["id"] == names.me for user in payload.get("mentions", ())):
        return True
    if not names.my_roles.isdisjoint(payload.get("mention_roles", ())):
        return True
    answered = payload.get("referenced_message")
    return bool(answered and quotes.is_reply(payload) and answered["author"]["id"] == names.me)
