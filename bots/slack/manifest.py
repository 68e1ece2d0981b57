"""The Slack app that fits this program, as Slack's own manifest (schema version 2): made from the commands' table."""

import json
from typing import Any

from bots.slack.commands import SHORTCUTS
from bots.slack.replies import EVENT_TYPE
from core.commands.table import COMMANDS, Command, Shown, Table

Manifest = dict[str, Any]

COMMAND = "/session"

_SCOPES = (
    "app_mentions:read",
    "channels:history",
    "chat:write",
    "commands",
    "files:read",
    "groups:history",
    "im:history",
    "metadata.message:read",
    "mpim:history",
    "reactions:write",
    "users:read",
)
_OPTIONAL = ("channels:read", "groups:read", "im:read", "mpim:read")
"""Without them it can't be asked who sees a channel, nor of which kind it is; and public channels go by their IDs."""
_EVENTS = (
    "app_mention",
    "app_uninstalled",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "message_metadata_posted",
    "tokens_revoked",
)
_DESCRIPTION = "An AI teammate that keeps one durable session per conversation"


def scopes(*, agent_view: bool = True) -> frozenset[str]:
    """What the bot token must be granted."""
    return frozenset((*_SCOPES, "assistant:write") if agent_view else _SCOPES)


def manifest(commands: Table = COMMANDS, *, agent_view: bool = True, name: str = "Backscroll") -> Manifest:
    """The manifest as Slack's schema describes it; github.com/slackapi/manifest-schema.

    A subscription to metadata names the app that posts it, and an app that is yet to be made has no ID: so it is for
    every app's (`*`, docs.slack.dev/reference/app-manifest), and the adapter looks whose it is.
    """
    events = (*_EVENTS, "agent_session_stopped") if agent_view else _EVENTS
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {"name": name, "description": _DESCRIPTION},
        "features": _features(commands, agent_view=agent_view, name=name),
        "oauth_config": {"scopes": {"bot": sorted(scopes(agent_view=agent_view)), "bot_optional": list(_OPTIONAL)}},
        "settings": {
            "event_subscriptions": {
                "bot_events": sorted(events),
                "metadata_subscriptions": [{"app_id": "*", "event_type": EVENT_TYPE}],
            },
            "interactivity": {"is_enabled": True},
            "org_deploy_enabled": False,
            "socket_mode_enabled": True,
            "token_rotation_enabled": False,
        },
    }


def as_json(found: Manifest) -> str:
    """As it is pasted into api.slack.com/apps under "From a manifest"."""
    return json.dumps(found, indent=2, ensure_ascii=False)


def _features(commands: Table, *, agent_view: bool, name: str) -> Manifest:
    features: Manifest = {
        "app_home": {"home_tab_enabled": False, "messages_tab_enabled": True, "messages_tab_read_only_enabled": False},
        "bot_user": {"display_name": name, "always_online": True},
        "shortcuts": [_shortcut(callback, commands[verb]) for callback, verb in SHORTCUTS.items() if verb in commands],
        "slash_commands": [
            {
                "command": COMMAND,
                "description": "Manage the session of a conversation",
                "usage_hint": " | ".join(one.usage for one in commands.values() if Shown.SLASH in one.shown),
                "should_escape": False,
            }
        ],
    }
    if agent_view:
        features["agent_view"] = {"agent_description": f"{_DESCRIPTION}. Ask me anything; say !help for my commands."}
    return features


def _shortcut(callback: str, command: Command) -> Manifest:
    return {
        "name": command.menu,
        "type": "message",
        "callback_id": callback,
        "description": command.help,
    }
