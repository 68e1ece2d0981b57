"""Judging: what a message is to us, by whom it is for, where it was said, and what is set there. Pure."""

from core.policy import Policy
from core.seam.messages import Audience, Inbound
from core.session import Kind


def is_called(message: Inbound) -> bool:
    """Whether it is for us by itself, wherever it was said."""
    return message.direct or message.audience is Audience.BOT or message.verb is not None


def of_called(policy: Policy) -> Kind | None:
    """What talk is to us that is for us by itself; None for nothing."""
    match policy.answers:
        case "off":
            return None
        case "observe":
            return Kind.OVERHEARD
        case _:
            return Kind.SAID


def of_others(message: Inbound, live_since: float | None, policy: Policy, *, is_command: bool) -> Kind | None:
    """What a message is to us that is not, where a session has lived since this instant, or none lives."""
    if policy.answers == "all":
        return Kind.COMMAND if is_command else Kind.SAID
    if is_command:
        return None if live_since is None else Kind.COMMAND
    if policy.answers in ("observe", "off"):
        return of_called(policy)
    return None if live_since is None else _of_talk(message, live_since, policy)


def _of_talk(message: Inbound, live_since: float, policy: Policy) -> Kind | None:
    """What talk is to us in a place where a session has lived since this instant."""
    in_thread = message.address.thread is not None
    said_since = message.at >= live_since  # what was said before may arrive after it, and is no question
    if in_thread and said_since and message.audience is Audience.ROOM and policy.answers == "follow":
        return Kind.SAID
    return Kind.OVERHEARD if policy.hear == "channel" or (in_thread and policy.hear == "thread") else None
