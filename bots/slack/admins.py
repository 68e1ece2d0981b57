"""Who is an admin: Slack's own word, asked anew each time, since it is asked rarely and must not be stale."""

from collections.abc import Mapping

from bots.slack.api import Api

_POWERS = ("is_admin", "is_owner", "is_primary_owner")
"""docs.slack.dev/reference/objects/user-object"""


async def is_admin(api: Api, person: str) -> bool:
    """Whether this person administers the workspace, or owns it. Raises a DeliveryError."""
    user = (await api.read("users.info", {"user": person})).get("user")
    return isinstance(user, Mapping) and any(user.get(power) is True for power in _POWERS)
