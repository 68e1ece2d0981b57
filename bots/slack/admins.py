"""Who is an admin: Slack's own word, asked anew each time, since it is asked rarely and must not be stale."""

from collections.abc import Mapping

from bots.slack.api import Api
from bots.slack.members import in_organisation, is_organisation
from bots.slack.payloads import Payload
from core.seam.address import Address

_POWERS = ("is_admin", "is_owner", "is_primary_owner")
"""docs.slack.dev/reference/objects/user-object"""


async def is_admin(api: Api, address: Address, person: str) -> bool:
    """Whether this person administers the workspace, or owns it. Raises a DeliveryError."""
    user = (await api.read("users.info", {"user": person})).get("user")
    return isinstance(user, Mapping) and has_power(user, address.workspace)


def has_power(user: Payload, workspace: str) -> bool:
    """The same of a user as Slack describes them. In a shared channel, another workspace's admins are guests, and so
    are another organisation's where the app is all of an organisation's.
    """
    is_ours = (
        in_organisation(user, workspace) if is_organisation(workspace) else user.get("team_id") in (None, workspace)
    )
    return is_ours and not user.get("is_stranger") and any(user.get(power) is True for power in _POWERS)
