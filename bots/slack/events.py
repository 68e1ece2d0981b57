"""What Slack sends, in our words: pure functions from payloads to events; most payloads are none for us."""

import json
from hashlib import sha256

from bots.slack.changes import changed, deleted, left, left_channel, receipt
from bots.slack.commands import choice, shortcut, slash, stopped
from bots.slack.messages import said
from bots.slack.payloads import PLATFORM, Payload, Unreadable, View, part, word, workspace_of
from core.seam.messages import Event, Rejected

_LEAVING = frozenset(
    {
        *("member_left_channel", "channel_left", "group_left"),
        *("channel_archive", "group_archive", "channel_deleted", "group_deleted"),
    }
)
"""Events that end a channel for us, where the app is subscribed to them: most want more scopes than we ask for."""

_SECRETS = frozenset({"token", "response_url", "trigger_id", "ticket"})


def translate(payload: Payload, view: View) -> tuple[Event, ...]:
    """One payload of a Socket Mode envelope or of an HTTP request, in our words; all its events are of one place."""
    try:
        return tuple(event for event in _events(payload, view) if event is not None)
    except Unreadable as problem:
        return (rejected(payload, str(problem)),)
    except (TypeError, ValueError, AttributeError) as problem:
        return (rejected(payload, f"not of Slack's shape ({type(problem).__name__})"),)


def rejected(payload: Payload, reason: str) -> Rejected:
    """The payload as evidence, without what answers in our name. What tells two events apart may be among that."""
    whole = json.dumps(payload, sort_keys=True, default=str)
    kept = json.dumps(json.loads(whole, object_hook=_without_secrets))
    event_id = payload.get("event_id")
    name = event_id if isinstance(event_id, str) and event_id else sha256(whole.encode()).hexdigest()[:24]
    return Rejected(platform=PLATFORM, id=name, reason=reason, payload=kept)


def _without_secrets(part: Payload) -> Payload:
    return {name: value for name, value in part.items() if name not in _SECRETS}


def _events(payload: Payload, view: View) -> tuple[Event | None, ...]:
    match payload.get("type"):
        case "event_callback":
            return _happened(payload, part(payload, "event"), view)
        case "message_action":
            return (shortcut(payload, view),)
        case "block_actions":
            return (choice(payload, view),)
    return (slash(payload, view),) if "command" in payload else ()


def _happened(payload: Payload, event: Payload, view: View) -> tuple[Event | None, ...]:
    match event.get("type"), event.get("subtype"):
        case "message", "message_changed":
            return changed(payload, event, view)
        case "message", "message_deleted":
            return deleted(payload, event, view)
        case (("app_uninstalled" | "tokens_revoked"), _):
            return left(payload, event, view)
        case kind, _ if kind in _LEAVING:
            return left_channel(payload, event, view)
        case "message_metadata_posted", _:
            return receipt(payload, event, view)
        case "agent_session_stopped", _:
            return (stopped(payload, event, view),)
        case (("message" | "app_mention"), _):
            return (said(event, word(event, "channel"), workspace_of(payload, view.us), view),)
    return ()
