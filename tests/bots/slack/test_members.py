"""What people are in a workspace, and who sees a channel: as Slack tells it, with what a message says beside it."""

import pytest

from bots.slack import SlackAdapter
from bots.slack.members import standing
from bots.slack.payloads import Ourselves, View
from core.errors import DeliveryDelayed, DeliveryError, DeliveryRefused, DeliveryUnknown
from core.seam.address import Address
from core.seam.messages import Standing
from tests.bots.slack.ear import Ear
from tests.wire.faults import Fault
from tests.wire.slack import SlackStage
from tests.wire.slack.server import Refusal
from tests.wire.slack.workspace import BOT_USER, CHANNEL, TEAM

HERE = Address(platform="slack", workspace=TEAM, channel=CHANNEL)
US = Ourselves(workspace="T1", user="UB", bot="B", organisation="E1")
ALONE = Ourselves(workspace="T1", user="UB", bot="B")
PAGES = [
    Fault("page", status=200),
    Fault("page", status=403),
    Fault("page", status=404),
    Fault("page", status=503),
    Fault("page", status=200, type="application/json", text='{"error": "sign in"}'),
    Fault("page", status=200, type="application/json", text="[]"),
]
GRID = {"enterprise_id": "E1", "teams": ["T5"]}


def known(user: dict[str, object] | None, told: dict[str, object], us: Ourselves, workspace: str = "T1") -> Standing:
    people = {} if user is None else {"U1": user}
    return standing("U1", told, workspace, View(us=us, agent_view=True, now=0.0, people=people))


@pytest.mark.parametrize(
    ("user", "told", "expected"),
    [
        ({"team_id": "T1"}, {}, Standing()),
        ({"team_id": "T1", "is_restricted": True}, {}, Standing(is_guest=True)),
        ({"team_id": "T1", "is_ultra_restricted": True}, {}, Standing(is_guest=True)),
        ({"team_id": "T2"}, {}, Standing(home="T2", is_external=True)),
        ({"team_id": "T1", "is_stranger": True}, {}, Standing(is_external=True)),
        ({"team_id": "T2", "enterprise_user": {"enterprise_id": "E9"}}, {}, Standing(home="T2", is_external=True)),
        (None, {}, Standing(is_external=None, is_guest=None)),
        (None, {"team": "T1"}, Standing(is_guest=None)),
        (None, {"team": "T2"}, Standing(home="T2", is_external=True, is_guest=None)),
        (None, {"team": "T1", "user_team": "T2"}, Standing(home="T2", is_external=True, is_guest=None)),
        (None, {"user_profile": {"is_restricted": False}}, Standing(is_external=None)),
        (None, {"user_profile": {"is_restricted": False, "team": "T1"}}, Standing()),
        (None, {"user_profile": {"is_restricted": False, "team": "T2"}}, Standing(home="T2", is_external=True)),
        (None, {"team": "T1", "user_profile": {"is_restricted": True}}, Standing(is_guest=True)),
        (None, {"team": "T1", "user_profile": {"name": "ada"}}, Standing(is_guest=None)),
    ],
)
def test_what_somebody_is_here(user: dict[str, object] | None, told: dict[str, object], expected: Standing) -> None:
    assert known(user, told, ALONE) == expected


def test_people_of_one_organisation_are_no_strangers_to_one_another() -> None:
    sister = {"team_id": "T2", "enterprise_user": GRID}

    assert known(sister, {}, US) == Standing(home="T2")
    assert known(sister, {}, US, workspace="E1") == Standing(home="T2"), "the app is all of the organisation's"
    assert known(sister | {"enterprise_user": GRID | {"teams": ["T1"]}}, {}, US) == Standing()
    assert known(None, {"team": "T2"}, US) == Standing(home="T2", is_external=None, is_guest=None)


async def test_members_see_public_channels_and_those_who_are_in_it_a_private_one(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    workspace, ben = stage.server.workspace, stage.user("ben")
    workspace.outside[CHANNEL] = {ben}

    assert await adapter.sees(HERE, ben), "a public channel is for every member"
    workspace.facts[ben] = {"is_restricted": True}
    assert not await adapter.sees(HERE, ben), "but not for a guest"
    workspace.facts[ben] = {"team_id": "T2"}
    assert not await adapter.sees(HERE, ben), "nor for anybody from elsewhere"
    workspace.outside.clear()
    assert await adapter.sees(HERE, ben)
    workspace.facts[ben] = {"deleted": True}
    assert not await adapter.sees(HERE, ben)


@pytest.mark.parametrize("code", ["fetch_members_failed", "internal_error"])
async def test_that_members_can_not_be_told_just_now_is_no_reason_never_to_ask_again(
    stage: SlackStage, adapter: SlackAdapter, code: str
) -> None:
    stage.server.workspace.private.add(CHANNEL)
    ben = stage.user("ben")
    stage.server.fail("conversations.members", code)
    with pytest.raises(DeliveryError) as error:
        await adapter.sees(HERE, ben)
    assert not isinstance(error.value, DeliveryRefused)


@pytest.mark.parametrize("code", ["user_not_found", "user_not_visible"])
async def test_whoever_slack_does_not_know_any_more_sees_nothing(
    stage: SlackStage, adapter: SlackAdapter, code: str
) -> None:
    """As people of another organisation, once no channel is shared with that any more."""
    stage.server.fail("users.info", code)
    assert not await adapter.sees(HERE, "U0GONE")


async def test_another_workspace_of_the_organisation_sees_public_channels_only_from_within(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    workspace, ben = stage.server.workspace, stage.user("ben")
    workspace.organisation = "E1"
    workspace.outside[CHANNEL] = {ben}

    workspace.facts[ben] = {"team_id": "T2", "enterprise_user": GRID | {"teams": ["T2", TEAM]}}
    assert await adapter.sees(HERE, ben), "a member of both"
    workspace.facts[ben] = {"team_id": "T2", "enterprise_user": GRID | {"teams": ["T2"]}}
    assert not await adapter.sees(HERE, ben), "who was taken out of ours"
    workspace.outside.clear()
    assert await adapter.sees(HERE, ben), "a channel may be shared by both"


async def test_a_private_channel_with_more_members_than_a_page_is_read_to_its_end(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    workspace, zoe = stage.server.workspace, stage.user("zoe")
    workspace.private.add(CHANNEL)
    for number in range(1_000):
        stage.user(f"m{number}")

    assert await adapter.sees(HERE, zoe)
    workspace.outside[CHANNEL] = {zoe}
    assert not await adapter.sees(HERE, zoe)
    assert stage.server.number_of("conversations.members") == 4
    assert stage.server.number_of("conversations.info") == 1, "that it is private is believed for a minute"


async def test_who_sees_a_channel_is_not_made_up(stage: SlackStage, adapter: SlackAdapter) -> None:
    stage.server.workspace.private.add(CHANNEL)
    stage.server.fail("conversations.members", 429, retry_after=30)
    with pytest.raises(DeliveryDelayed):
        await adapter.sees(HERE, "U0ADA")

    stage.server.scopes = stage.server.scopes.replace("groups:read,", "")
    with pytest.raises((DeliveryDelayed, DeliveryRefused)):
        await adapter.sees(HERE, "U0ADA")


@pytest.mark.parametrize("method", ["users.info", "conversations.info", "conversations.members"])
@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.status} {page.type} {page.text[:8]}")
async def test_a_page_says_of_nobody_that_they_see_a_channel_or_dont(
    stage: SlackStage, adapter: SlackAdapter, method: str, page: Fault
) -> None:
    workspace, ben = stage.server.workspace, stage.user("ben")
    if method == "conversations.members":
        workspace.private.add(CHANNEL)
    else:
        workspace.outside[CHANNEL] = {ben}
    pages = iter([page])
    stage.server.faults = lambda called, given: next(pages, None) if called == method else None

    with pytest.raises((DeliveryDelayed, DeliveryUnknown)):
        await adapter.sees(HERE, ben)
    assert await adapter.sees(HERE, ben)


async def test_where_slack_does_not_tell_of_a_channel_its_members_see_it(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    workspace, ben = stage.server.workspace, stage.user("ben")
    refused = Refusal(code="channel_not_found")
    stage.server.faults = lambda called, given: refused if called == "conversations.info" else None

    assert await adapter.sees(HERE, ben)
    workspace.outside[CHANNEL] = {ben}
    assert not await adapter.sees(HERE, ben)


async def test_a_message_says_whether_its_channel_is_public_and_a_mention_is_asked_about(
    stage: SlackStage, ear: Ear
) -> None:
    said = {"channel": CHANNEL, "user": "U0ADA", "text": f"<@{BOT_USER}> hi"}
    kinds = [{"type": "app_mention"}] * 2 + [{"type": "message", "channel_type": "group"}, {"type": "app_mention"}]
    for number, kind in enumerate(kinds, 1):
        stage.server.event(said | kind | {"ts": f"1.00000{number}"})
        await ear.until(number)

    assert [one.public for one in ear.heard] == [True, True, False, False]
    assert stage.server.number_of("conversations.info") == 1
