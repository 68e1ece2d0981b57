"""What becomes of messages, in our words: people edit and delete theirs, and Slack confirms ours.

Most changes that Slack reports are nobody's: previews of links, counts of replies, and our own writing.
"""

from collections.abc import Mapping

from bots.slack.messages import said, said_by_another
from bots.slack.payloads import PLATFORM, Payload, View, address_of, identity, part, seconds, thread_of, workspace_of
from bots.slack.quotes import held
from bots.slack.replies import EDIT, EVENT_TYPE
from core.seam.address import Address
from core.seam.messages import Closed, Deleted, Draft, Edited, Event, Left, Receipt

_TOMBSTONE = "tombstone"
"""What Slack leaves in the place of a deleted message that has replies."""


def changed(payload: Payload, event: Payload, view: View) -> tuple[Event, ...]:
    """A `message_changed`; its own `ts` is not the message's. What other programs have said may be remembered, too."""
    after, before = part(event, "message"), _before(event)
    if after.get("subtype") == _TOMBSTONE:
        return _gone(payload, event, identity(after, "ts"), before, view)
    if not _is_edit(after, before):
        return ()
    where = (identity(event, "channel"), workspace_of(payload, view.us), view)
    message = said(after, *where) or said_by_another(after, *where)
    return () if message is None else (Edited(message=message, at=seconds(_edited(after) or identity(event, "ts"))),)


def deleted(payload: Payload, event: Payload, view: View) -> tuple[Event, ...]:
    """A `message_deleted`: a reply, or a message that has none."""
    return _gone(payload, event, identity(event, "deleted_ts"), _before(event), view)


def left(payload: Payload, event: Payload, view: View) -> tuple[Event, ...]:
    """The app was removed from the workspace, or its token was revoked: the same, told in either order.

    An app may be removed from another workspace than ours, of which Slack names no authorization any more.
    """
    if event.get("type") == "tokens_revoked":
        tokens = event.get("tokens")
        if not (isinstance(tokens, Mapping) and view.us.user in (tokens.get("bot") or ())):
            return ()
    elif view.us.workspace not in (payload.get("team_id"), payload.get("enterprise_id")):
        return ()
    return (Left(platform=PLATFORM, workspace=workspace_of(payload, view.us)),)


def left_channel(payload: Payload, event: Payload, view: View) -> tuple[Event, ...]:
    """A channel that we are in no more, that is put away, or that is deleted with all that was said in it."""
    if event.get("type") == "member_left_channel" and event.get("user") != view.us.user:
        return ()
    workspace = workspace_of(payload, view.us)
    address = Address(platform=PLATFORM, workspace=workspace, channel=identity(event, "channel"))
    return (Closed(address=address, gone=event.get("type") in ("channel_deleted", "group_deleted")),)


def receipt(payload: Payload, event: Payload, view: View) -> tuple[Event, ...]:
    """A `message_metadata_posted` of ours: what we noted in the message's metadata names its session and its reply."""
    metadata = part(event, "metadata")
    ours = view.us.said({"user": event.get("user_id"), "bot_id": event.get("bot_id")})
    if not ours or metadata.get("event_type") != EVENT_TYPE:
        return ()
    noted, channel, ts = part(metadata, "event_payload"), identity(event, "channel_id"), identity(event, "message_ts")
    thread = identity(noted, "thread") if noted.get("thread") else None
    address = Address(platform=PLATFORM, workspace=workspace_of(payload, view.us), channel=channel, thread=thread)
    return (Receipt(address=address, key=identity(noted, "key"), shown=Draft(id=ts, text="", note=EDIT)),)


def _gone(payload: Payload, event: Payload, ts: str, before: Payload, view: View) -> tuple[Event, ...]:
    """What we or other programs said can be deleted as well. With its root a thread is closed, whoever wrote the root;
    its replies stay on screen.
    """
    root = thread_of(before) or ts
    address = address_of(workspace_of(payload, view.us), identity(event, "channel"), root, view)
    found: list[Event] = [Deleted(address=address, id=ts)]
    if address.thread == ts:
        found.append(Closed(address=address, gone=False))
    return tuple(found)


def _before(event: Payload) -> Payload:
    found = event.get("previous_message")
    return found if isinstance(found, Mapping) else {}


def _is_edit(after: Payload, before: Payload) -> bool:
    """Whether a person has changed it: Slack says so, the text is another one, or files have gone or come.

    What is attached besides comes and goes by Slack's own doing: previews of links.
    """
    edited = _edited(after)
    if edited is not None and edited != _edited(before):
        return True
    return bool(before) and (after.get("text") != before.get("text") or held(after) != held(before))


def _edited(message: Payload) -> str | None:
    found = message.get("edited")
    return identity(found, "ts") if isinstance(found, Mapping) else None
