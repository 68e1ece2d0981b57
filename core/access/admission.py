"""Admission: who may talk with the bot at all. By default a workspace's own people, where the bot was invited to."""

from collections.abc import Iterator
from dataclasses import replace
from enum import Enum

from core.policy import DIRECT_CHANNELS, Named, Names, Policy
from core.seam.address import Address
from core.seam.messages import UNTOLD, Author, Inbound, Quote, Standing


class Denial(Enum):
    """Why somebody is not talked with, in a sentence for them alone."""

    DENIED = "I can't talk with you here: those who run me, or an admin, have set it so (`deny`)."
    NOT_ALLOWED = "I only talk with certain people, or in certain places, and this is none of them (`allow`)."
    EXTERNAL = (
        "I only talk with people of this workspace here. One of its admins can open this channel to people of other "
        "organisations: `set external yes`."
    )
    GUEST = "I don't talk with guests here. An admin of the workspace can change that: `set guests yes`."
    UNREADABLE = (
        "I can't read any more what is set here, so I don't know whom I may talk with, and what I may spend. An admin "
        "can set it anew, by `set`."
    )
    UNKNOWN = "I can't find out just now whether I may talk with you here. Please try again in a minute."


def denial(message: Inbound, policy: Policy) -> Denial | None:
    """Why its author is not talked with in this place, under this policy of the place; None where they are.

    Whoever is named among the denied is told no other reason, and what is not known counts as a reason only where it
    would be one.
    """
    standing = message.standing
    if policy.deny & _names(message):
        return Denial.DENIED
    if standing.is_external is not False and not policy.external:
        return Denial.EXTERNAL if standing.is_external else Denial.UNKNOWN
    if standing.is_guest is not False and not policy.guests:
        return Denial.GUEST if standing.is_guest else Denial.UNKNOWN
    if _may_be_of_another((*policy.allow, policy.deny), message):
        return Denial.UNKNOWN
    if not all(_admits(names, message) for names in policy.allow):
        return Denial.UNKNOWN if _may_have_a_role(policy.allow, message) else Denial.NOT_ALLOWED
    if _may_have_a_role((policy.deny,), message):
        return Denial.UNKNOWN
    return Denial.UNREADABLE if policy.is_lost else None


def is_heard(message: Inbound, policy: Policy) -> bool:
    """Whether what was said around us may be remembered: other programs are not talked with, but may be overheard."""
    if message.author.is_self:
        return True
    if message.author.is_bot:
        return not policy.deny & _names(message)
    return denial(message, policy) is None


def is_unheard(message: Inbound, policy: Policy) -> bool:
    """Whether it is certain that nothing of this is to be remembered, whenever it was said, and whoever tells it on."""
    if message.author.is_bot:
        return bool(policy.deny & _names(message))
    return not message.author.is_self and denial(message, policy) not in _UNCERTAIN


def quotable(message: Inbound, policy: Policy) -> tuple[Quote, ...]:
    """What a message points at: of those who are not talked with there, that they said something, and no word of it."""
    return tuple(_wordless(one) if _is_unheard(one, message, policy) else one for one in message.quotes)


def _is_unheard(quote: Quote, message: Inbound, policy: Policy) -> bool:
    if quote.author is None:
        return False
    return is_unheard(replace(message, author=quote.author, standing=quote.standing), policy)


def _wordless(quote: Quote) -> Quote:
    return Quote(kind=quote.kind, author=quote.author, title="a message", unread="I don't talk with its author")


def shut_out(
    policy: Policy, place: Address, person: Author, *, direct: bool, standing: Standing = UNTOLD
) -> Denial | None:
    """Why somebody who was talked with is not in this place any more, under this policy, as far as that is known."""
    heard = Inbound(address=place, id="", author=person, text="", at=0.0, direct=direct, standing=standing)
    why = denial(heard, policy)
    return None if why in _UNCERTAIN else why


_UNCERTAIN = (None, Denial.UNKNOWN, Denial.UNREADABLE)
"""Nothing by which somebody is certain not to be talked with."""


def _names(message: Inbound) -> Names:
    """Everything by which a list may name this message's author, and the place where it was said."""
    return frozenset((*_workspaces(message), *_channels(message), *_people(message)))


def _workspaces(message: Inbound) -> Iterator[Named]:
    """That of the place, and the one that its author comes from."""
    yield Named("workspace", message.address.workspace)
    yield Named("workspace", message.standing.home or message.address.workspace)


def _channels(message: Inbound) -> Iterator[Named]:
    yield Named("channel", message.address.channel)
    if message.direct:
        yield Named("channel", DIRECT_CHANNELS)


def _people(message: Inbound) -> Iterator[Named]:
    yield Named("person", message.author.id)
    yield from (Named("role", role) for role in message.standing.roles or ())


def _admits(names: Names, message: Inbound) -> bool:
    """Whether a list lets a message in: by its workspaces, its channel, and its author, as far as it names such.

    So a channel and a person in one list are that person in that channel.
    """
    kinds = {one.kind for one in names}
    return (
        ("workspace" not in kinds or names.issuperset(_workspaces(message)))
        and ("channel" not in kinds or not names.isdisjoint(_channels(message)))
        and (kinds.isdisjoint({"person", "role"}) or not names.isdisjoint(_people(message)))
    )


def _may_have_a_role(lists: tuple[Names, ...], message: Inbound) -> bool:
    """Whether it is for want of knowing somebody's roles that nothing can be said."""
    return message.standing.roles is None and any(one.kind == "role" for names in lists for one in names)


def _may_be_of_another(lists: tuple[Names, ...], message: Inbound) -> bool:
    """Whether it is for want of knowing which workspace somebody comes from that nothing can be said."""
    is_known = message.standing.home is not None or message.standing.is_external is not None
    return not is_known and any(one.kind == "workspace" for names in lists for one in names)
