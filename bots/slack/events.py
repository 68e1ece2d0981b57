"""What Slack sends, event by event: read, named, and handed over in the order in which it came.

Reading is pure, and most payloads are none for us. What can't be stored is not kept here: without an acknowledgement
Slack sends an event again, and tells a person that their command has failed.
"""

from asyncio import gather
from collections.abc import Callable, Mapping
from dataclasses import replace

import structlog

from bots.slack import forms
from bots.slack.changes import changed, deleted, left, left_channel, receipt
from bots.slack.channels import Channels
from bots.slack.commands import choice, shortcut, slash, stopped
from bots.slack.messages import completes, said
from bots.slack.names import Names, nameless_in
from bots.slack.payloads import PLATFORM, Ourselves, Payload, Unreadable, View, identity, is_ts, part, workspace_of
from core.errors import NotFilled
from core.seam.adapter import Receive
from core.seam.address import Address
from core.seam.cache import Recent
from core.seam.evidence import UNREADABLE, rejected
from core.seam.messages import Closed, Deleted, Edited, Event, Filled, Inbound, Left, Receipt, Rejected
from core.seam.ordering import Ordering

log = structlog.get_logger()

_CLOCKS_DIFFER = 60.0  # seconds at the most; what is later than that is no time of now

_LEAVING = frozenset(
    {
        *("member_left_channel", "channel_left", "group_left"),
        *("channel_archive", "group_archive", "channel_deleted", "group_deleted"),
    }
)
"""Events that end a channel for us, where the app is subscribed to them: most want more scopes than we ask for."""


class Events:
    """Takes payloads. `heard` is told of each message before it is handed over."""

    def __init__(
        self,
        receive: Receive,
        us: Ourselves,
        names: Names,
        channels: Channels,
        heard: Callable[[Inbound], None],
        *,
        order: Ordering,
        agent_view: bool,
        now: Callable[[], float],
    ) -> None:
        self._receive, self._us, self._names, self._channels, self._heard = receive, us, names, channels, heard
        self._order, self._agent_view, self._now = order, agent_view, now
        self._newest = 0.0
        self._strange: Recent[None] = Recent(100)  # workspaces of which somebody was told that we can't answer there

    async def take(self, payload: object) -> Payload | None:
        """All that one payload tells; what Slack is answered to it. When it raises, not everything was taken in."""
        if not isinstance(payload, Mapping):
            await self._receive(_rejected(payload, Unreadable("no payload")))
            return None
        if (workspace := workspace_of(payload, self._us)) != self._us.workspace:
            self._pass_over(workspace)
            return None
        happened = payload.get("event")
        public = self._channels.note(happened) if isinstance(happened, Mapping) else None
        view = View(us=self._us, agent_view=self._agent_view, now=self._moment(happened), public=public)
        try:
            for place, event in enumerate(translate(payload, view)):
                if isinstance(event, Rejected | Receipt | Left):
                    await self._receive(event)
                else:
                    await self._in_turn(event, payload, view, place)
        except NotFilled as wrong:
            return forms.errors(wrong.reasons)
        return None

    def _moment(self, happened: object) -> float:
        """What time it is: no earlier than what we have heard of by now, as our clock may be behind Slack's."""
        now, ts = self._now(), happened.get("ts") if isinstance(happened, Mapping) else None
        if is_ts(ts) and float(ts) - now < _CLOCKS_DIFFER:
            self._newest = max(self._newest, float(ts))
        return max(now, self._newest)

    def _pass_over(self, workspace: str) -> None:
        """Our token is of one workspace, the app of several: what is said in another one nobody here can answer."""
        if workspace not in self._strange:
            self._strange.note(workspace, None)
            log.warning("another workspace's events are passed over", workspace=workspace, ours=self._us.workspace)

    async def _in_turn(
        self, event: Inbound | Filled | Edited | Deleted | Closed, payload: Payload, view: View, place: int
    ) -> None:
        """All who wait look their names up at once, so that nobody waits for more than the one look-up; a deletion does
        not overtake the message."""
        if isinstance(event, Inbound):
            self._heard(event)
        address = event.message.address if isinstance(event, Edited) else event.address
        async with self._order.line(address.id) as turn:
            known = await self._named(event, payload, view, place)
            await turn()
            await self._receive(known)
            if isinstance(known, Inbound) and completes(known, payload.get("event")):
                await self._receive(Edited(message=known, at=known.at))

    async def _named(self, event: Event, payload: Payload, view: View, place: int) -> Event:
        """What the payload says at this place, once more with what Slack says of the people and channels in it."""
        if not isinstance(event, Inbound | Filled | Edited):
            return event
        said = event.message if isinstance(event, Edited) else event
        asked = said.author.id, *nameless_in(payload.get("event"))
        public, names = await gather(self._public(said.address, view), self._names.of(asked, view.us))
        people = self._names.people(asked)
        return translate(payload, replace(view, names=names, people=people, public=public))[place]

    async def _public(self, address: Address, view: View) -> bool | None:
        """Whether its channel is public: an `app_mention` and a command don't say of what kind theirs is."""
        return view.public if view.public is not None else await self._channels.is_public(address.channel)


def translate(payload: Payload, view: View) -> tuple[Event, ...]:
    """One payload of a Socket Mode envelope or of an HTTP request, in our words; all its events are of one place."""
    try:
        return tuple(event for event in _events(payload, view) if event is not None)
    except UNREADABLE as problem:
        return (_rejected(payload, problem),)


def _rejected(payload: object, problem: Exception) -> Rejected:
    """Why is said of what we have found out by ourselves; what a library says may quote the payload."""
    own = isinstance(problem, Unreadable)
    reason = str(problem) if own else f"not of Slack's shape ({type(problem).__name__})"
    return replace(rejected(PLATFORM, payload, problem, name="event_id"), reason=reason)


def _events(payload: Payload, view: View) -> tuple[Event | None, ...]:
    match payload.get("type"):
        case "event_callback":
            return _happened(payload, part(payload, "event"), view)
        case "message_action":
            return (shortcut(payload, view),)
        case "block_actions":
            return (choice(payload, view),)
        case "view_submission":
            return (forms.submission(payload, view),)
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
            return (said(event, identity(event, "channel"), workspace_of(payload, view.us), view),)
    return ()
