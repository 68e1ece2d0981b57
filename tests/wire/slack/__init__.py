"""A Slack of our own on loopback: Web API, Socket Mode and response URLs, as the real client libraries expect them."""

from tests.wire.slack.server import SlackServer
from tests.wire.slack.stage import SlackStage
from tests.wire.slack.workspace import Message, Workspace

__all__ = ["Message", "SlackServer", "SlackStage", "Workspace"]
