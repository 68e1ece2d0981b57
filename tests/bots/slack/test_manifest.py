"""Slack: the manifest fits Slack's documented limits, the commands' table, and what the adapter understands."""

import json

import pytest

from bots.slack import SlackAdapter, as_json, manifest
from bots.slack.commands import SHORTCUTS
from bots.slack.manifest import scopes
from bots.slack.replies import EVENT_TYPE
from core.commands.table import COMMANDS
from tests.values import SET, SUMMARIZE
from tests.wire.slack import SlackStage
from tests.wire.slack.server import APP_TOKEN, BOT_TOKEN
from tests.wire.slack.workspace import SCOPES


@pytest.mark.parametrize("agent_view", [True, False])
def test_the_manifest_keeps_slacks_limits(*, agent_view: bool) -> None:
    """github.com/slackapi/manifest-schema, schemas/manifest.schema.2.0.0.json."""
    made = manifest(COMMANDS, agent_view=agent_view)
    features, settings = made["features"], made["settings"]
    assert len(made["display_information"]["name"]) <= 35
    assert len(made["display_information"]["description"]) <= 140
    assert len(features["bot_user"]["display_name"]) <= 80
    assert len(features["shortcuts"]) <= 10
    for shortcut in features["shortcuts"]:
        assert len(shortcut["name"]) <= 24
        assert len(shortcut["description"]) <= 150
        assert len(shortcut["callback_id"]) <= 255
        assert shortcut["callback_id"] in SHORTCUTS
    for command in features["slash_commands"]:
        assert len(command["command"]) <= 32
        assert len(command["description"]) <= 2000
        assert len(command["usage_hint"]) <= 1000
    bot = made["oauth_config"]["scopes"]["bot"]
    assert len(bot) == len(set(bot)) <= 255
    assert set(bot) == scopes(agent_view=agent_view)
    assert len(settings["event_subscriptions"]["bot_events"]) <= 100
    (subscription,) = settings["event_subscriptions"]["metadata_subscriptions"]
    assert subscription == {"app_id": "*", "event_type": EVENT_TYPE}
    assert len(EVENT_TYPE) <= 50
    assert "message_metadata_posted" in settings["event_subscriptions"]["bot_events"]
    assert settings["socket_mode_enabled"] is True
    assert ("agent_view" in features) is agent_view
    assert ("agent_session_stopped" in settings["event_subscriptions"]["bot_events"]) is agent_view
    if agent_view:
        assert len(features["agent_view"]["agent_description"]) <= 300


def test_the_manifest_follows_from_the_table() -> None:
    made = manifest()
    assert [one["name"] for one in made["features"]["shortcuts"]] == [
        "Reset session",
        "Summarize session",
        "What was shown for this",
    ]
    (command,) = made["features"]["slash_commands"]
    assert command["command"] == "/session"
    assert all(one.said in command["usage_hint"] for one in COMMANDS.values())
    assert manifest({"help": COMMANDS["help"]})["features"]["shortcuts"] == []
    assert json.loads(as_json(made)) == made
    (command,) = manifest({"set": SET, "summarize": SUMMARIZE})["features"]["slash_commands"]
    assert command["usage_hint"] == "set zone|persona VALUE | summarize [since SINCE]"


async def test_a_well_configured_app_passes_the_examination(stage: SlackStage, adapter: SlackAdapter) -> None:
    findings = await adapter.examine()
    assert [(one.subject, one.ok) for one in findings] == [
        ("SLACK_BOT_TOKEN", True),
        ("Slack scopes", True),
        ("SLACK_APP_TOKEN", True),
    ]
    assert "Test" in findings[0].detail
    assert stage.server.workspace.messages == []


async def test_wrong_tokens_are_named_with_a_remedy(stage: SlackStage) -> None:
    adapter = SlackAdapter(bot_token="xoxb-no", app_token="xapp-no", api_url=f"{stage.server.url}/api/")
    findings = await adapter.examine()
    await adapter.close()
    assert [(one.subject, one.ok) for one in findings] == [("SLACK_BOT_TOKEN", False), ("SLACK_APP_TOKEN", False)]
    for one in findings:
        assert one.subject in one.remedy
        assert "invalid_auth" in one.detail


@pytest.mark.parametrize("scope", ["channels:history", "files:read"])
async def test_a_missing_scope_is_named(stage: SlackStage, adapter: SlackAdapter, scope: str) -> None:
    stage.server.scopes = SCOPES.replace(f"{scope},", "")
    (_, finding, _) = await adapter.examine()
    assert (finding.ok, finding.detail) == (False, f"missing: {scope}")
    assert "reinstall" in finding.remedy


async def test_scopes_that_may_be_left_out_are_not_missed(stage: SlackStage, adapter: SlackAdapter) -> None:
    optional = manifest()["oauth_config"]["scopes"]["bot_optional"]
    assert optional == ["channels:read", "groups:read", "im:read", "mpim:read"]
    stage.server.scopes = ",".join(scope for scope in SCOPES.split(",") if scope not in optional)
    assert all(finding.ok for finding in await adapter.examine())


async def test_slack_out_of_reach_is_no_wrong_token() -> None:
    adapter = SlackAdapter(bot_token=BOT_TOKEN, app_token=APP_TOKEN, api_url="http://127.0.0.1:9/api/")
    findings = await adapter.examine()
    await adapter.close()
    assert [one.ok for one in findings] == [False, False]
    assert all("SLACK_API_URL" in one.remedy for one in findings)
