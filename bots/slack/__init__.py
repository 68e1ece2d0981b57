"""The door to Slack; slack_sdk is imported nowhere else."""

from bots.slack.adapter import SlackAdapter, from_settings
from bots.slack.manifest import as_json, manifest

__all__ = ["SlackAdapter", "as_json", "from_settings", "manifest"]
