"""Slack says who is an admin, anew each time."""

import pytest

from bots.slack import SlackAdapter
from bots.slack.admins import has_power
from core.errors import DeliveryError
from core.seam.address import Address
from tests.wire.slack import SlackStage
from tests.wire.slack.workspace import CHANNEL, TEAM

HERE = Address(platform="slack", workspace=TEAM, channel=CHANNEL)


@pytest.mark.parametrize("power", ["is_admin", "is_owner", "is_primary_owner"])
async def test_admins_and_owners_have_power_over_channels_and_the_workspace(
    stage: SlackStage, adapter: SlackAdapter, power: str
) -> None:
    for workspace in (False, True):
        assert not await adapter.is_admin(HERE, "U0ADA", workspace=workspace)
        stage.server.workspace.powers = {"U0ADA": power}
        assert await adapter.is_admin(HERE, "U0ADA", workspace=workspace)
        stage.server.workspace.powers = {}


async def test_who_is_not_known_is_nobody_that_can_be_judged(adapter: SlackAdapter) -> None:
    with pytest.raises(DeliveryError):
        await adapter.is_admin(HERE, "U0NOBODY", workspace=False)


@pytest.mark.parametrize(
    ("facts", "workspace", "power"),
    [
        ({"team_id": "T1"}, "T1", True),
        ({}, "T1", True),
        ({"team_id": "T2"}, "T1", False),
        ({"is_stranger": True}, "T1", False),
        ({"team_id": "T2", "enterprise_user": {"enterprise_id": "E1"}}, "E1", True),
        ({"team_id": "T2", "enterprise_user": {"enterprise_id": "E2"}}, "E1", False),
        ({"team_id": "T2"}, "E1", False),
        ({"team_id": "T1", "is_admin": False}, "T1", False),
    ],
)
def test_another_workspaces_or_organisations_admins_are_guests_here(
    facts: dict[str, object], workspace: str, power: bool
) -> None:
    assert has_power({"is_admin": True, **facts}, workspace) == power
