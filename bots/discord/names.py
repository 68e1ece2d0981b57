"""What people, channels and roles are called by those who read along, and who has said something."""

from collections.abc import Callable
from dataclasses import dataclass

from bots.discord.payloads import Payload, snowflake
from core.seam.address import Address
from core.seam.messages import Author


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the payload itself does not say: who we are, which roles are our own, what channels and roles are called.

    And whether all of the server may see a place; None where that is not known.
    """

    me: str
    my_roles: frozenset[str] = frozenset()
    channel: Callable[[str], str | None] = lambda _: None
    role: Callable[[str], str | None] = lambda _: None
    public: Callable[[Address], bool | None] = lambda _: None


def author(payload: Payload, member: Payload | None, names: Names) -> Author:
    """Who has said this. Raises what a payload that can't be read raises."""
    user = payload["author"]
    return Author(
        id=snowflake(user["id"]),
        name=name(user, member),
        is_bot=bool(user.get("bot") or payload.get("webhook_id")),
        is_self=user["id"] == names.me,
    )


def name(user: Payload, member: Payload | None) -> str:
    """The name that people see: the server's own, else the person's, else the account's."""
    nick = member.get("nick") if member else None
    return line(nick or user.get("global_name") or user["username"])


def line(words: str) -> str:
    """The words on one line."""
    return " ".join(words.split())
