"""Slack: what becomes of messages, as a table of payloads and as whole conversations."""

from asyncio import Event as Signal
from typing import Any

import pytest

from bots.slack import SlackAdapter
from bots.slack.events import translate
from bots.slack.payloads import Ourselves, View
from core.seam.address import Address
from core.seam.messages import Audience, Closed, Deleted, Draft, Edited, Event, Inbound, Left, Receipt, Rejected
from tests.bots.slack.ear import Ear, asked
from tests.wire.slack import SlackStage
from tests.wire.slack.workspace import CHANNEL

US = Ourselves(workspace="T1", user="U0BOT", bot="B0BOT")
VIEW = View(us=US, agent_view=True, now=1000.0)
PLAIN = View(us=US, agent_view=False, now=1000.0)
THREAD = Address(platform="slack", workspace="T1", channel="C1", thread="1.5")

SAID = {"type": "message", "user": "U1", "ts": "2.000001", "text": "hi", "team": "T1", "thread_ts": "1.5"}
EDIT = {"edited": {"user": "U1", "ts": "3.5"}}
TOMBSTONE = {"subtype": "tombstone", "user": "USLACKBOT", "hidden": True, "text": "This message was deleted."}


def _events(view: View = VIEW, **event: Any) -> tuple[Event, ...]:
    given = {"type": "message", "channel": "C1", "hidden": True, "ts": "4.5", "event_ts": "4.5", **event}
    return translate({"type": "event_callback", "event_id": "Ev1", "event": given}, view)


def _changed(*, before: dict[str, Any] = SAID, **after: Any) -> tuple[Event, ...]:
    message = {**SAID, **before, **after}
    return _events(subtype="message_changed", message=message, previous_message={**SAID, **before})


def _deleted(view: View = VIEW, **before: Any) -> tuple[Event, ...]:
    message = {**SAID, **before}
    return _events(view, subtype="message_deleted", deleted_ts=message["ts"], previous_message=message)


def test_an_edit_is_the_message_as_it_is_now() -> None:
    (edited,) = _changed(text="<@U0BOT> hello &amp; more", **EDIT)
    assert isinstance(edited, Edited)
    (said,) = translate(
        {
            "type": "event_callback",
            "event": {**SAID, "channel": "C1", "text": "<@U0BOT> hello &amp; more", "channel_type": "channel"},
        },
        VIEW,
    )
    assert edited.message == said
    assert edited.at == 3.5
    assert (edited.message.id, edited.message.at) == ("2.000001", 2.000001)


@pytest.mark.parametrize(
    ("before", "after", "at"),
    [
        ({}, {"text": "ho", **EDIT}, 3.5),
        ({}, {"text": "ho"}, 4.5),
        ({"edited": {"ts": "2.5"}}, {"text": "ho", **EDIT}, 3.5),
        ({}, EDIT, 3.5),
    ],
)
def test_what_people_change_is_an_edit(before: dict[str, Any], after: dict[str, Any], at: float) -> None:
    (edited,) = _changed(before=before, **after)
    assert isinstance(edited, Edited)
    assert edited.at == at


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"attachments": [{"from_url": "https://x.example"}]}),
        (EDIT, {"attachments": [{"from_url": "https://x.example"}]}),
        ({}, {"thread_ts": "2.000001", "reply_count": 3, "reply_users": ["U2"], "latest_reply": "3.5"}),
        ({"bot_id": "B0BOT", "user": "U0BOT"}, {"text": "longer", "edited": {"ts": "3.5"}}),
        ({"user": "USLACKBOT"}, {"text": "longer"}),
    ],
)
def test_what_slack_and_bots_change_is_no_edit(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert _changed(before=before, **after) == ()


@pytest.mark.parametrize("by", [{"bot_id": "B1", "user": "U9"}, {"subtype": "bot_message", "user": None}])
def test_what_other_programs_change_may_have_been_heard(by: dict[str, Any]) -> None:
    """D2."""
    (edited,) = _changed(before=by, **{"text": "longer", **EDIT})
    assert isinstance(edited, Edited)
    assert edited.message.author.is_bot


def test_without_a_message_before_only_slacks_word_counts() -> None:
    assert _events(subtype="message_changed", message=SAID) == ()
    (edited,) = _events(subtype="message_changed", message={**SAID, **EDIT})
    assert isinstance(edited, Edited)


def test_an_edit_that_cannot_be_read_is_kept() -> None:
    (kept,) = _changed(text=["x"])
    assert isinstance(kept, Rejected)
    (kept,) = _events(subtype="message_changed")
    assert isinstance(kept, Rejected)
    assert kept.reason == "no message"


def test_a_mention_that_was_edited_in_is_a_message_to_us() -> None:
    event = {**SAID, **EDIT, "type": "app_mention", "channel": "C1", "text": "<@U0BOT> hi"}
    (said,) = translate({"type": "event_callback", "event": event}, VIEW)
    assert isinstance(said, Inbound)
    assert (said.id, said.audience, said.text) == ("2.000001", Audience.BOT, "hi")


ROOT = Address(platform="slack", workspace="T1", channel="C1", thread="2.000001")
DM = Address(platform="slack", workspace="T1", channel="D1")


@pytest.mark.parametrize(
    ("view", "before", "events"),
    [
        (VIEW, {}, (Deleted(address=THREAD, id="2.000001"),)),
        (VIEW, {"thread_ts": None}, (Deleted(address=ROOT, id="2.000001"), Closed(address=ROOT, gone=False))),
        (VIEW, {"thread_ts": "2.000001"}, (Deleted(address=ROOT, id="2.000001"), Closed(address=ROOT, gone=False))),
        (VIEW, {"bot_id": "B0BOT", "user": "U0BOT"}, (Deleted(address=THREAD, id="2.000001"),)),
        (VIEW, {"bot_id": "B1"}, (Deleted(address=THREAD, id="2.000001"),)),
        (
            VIEW,
            {"bot_id": "B1", "thread_ts": None},
            (Deleted(address=ROOT, id="2.000001"), Closed(address=ROOT, gone=False)),
        ),
    ],
)
def test_what_a_deletion_means(view: View, before: dict[str, Any], events: tuple[Event, ...]) -> None:
    assert _deleted(view, **before) == events


def test_a_direct_message_that_is_one_conversation_is_not_closed_by_a_deletion() -> None:
    for thread in (None, "1.5"):
        before = {**SAID, "thread_ts": thread}
        gone = _events(PLAIN, subtype="message_deleted", deleted_ts="2.000001", previous_message=before, channel="D1")
        assert gone == (Deleted(address=DM, id="2.000001"),)


@pytest.mark.parametrize("author", ["U1", "U0BOT"])
def test_a_root_with_replies_that_is_deleted_closes_its_thread(author: str) -> None:
    before = {"user": author, "thread_ts": "2.000001", "reply_count": 1}
    events = _changed(before=before, **TOMBSTONE)
    closed = Closed(address=ROOT, gone=False)
    assert events == (Deleted(address=ROOT, id="2.000001"), closed)


def _receipt(**more: Any) -> tuple[Event, ...]:
    noted = {"key": "k2", "part": 0, "digest": "d", "thread": "1.5"}
    event = {
        "type": "message_metadata_posted",
        "app_id": "A1",
        "bot_id": "B0BOT",
        "user_id": "U0BOT",
        "channel_id": "C1",
        "message_ts": "2.5",
        "metadata": {"event_type": "backscroll_reply", "event_payload": noted},
    }
    return translate({"type": "event_callback", "event_id": "Ev1", "event": {**event, **more}}, VIEW)


def test_slacks_word_for_our_metadata_is_a_receipt() -> None:
    assert _receipt() == (Receipt(address=THREAD, key="k2", shown=Draft(id="2.5", text="", note="edit")),)


@pytest.mark.parametrize(
    "more",
    [
        {"bot_id": "B1", "user_id": "U9"},
        {"metadata": {"event_type": "task_created", "event_payload": {"key": "k2"}}},
    ],
)
def test_other_apps_metadata_is_theirs(more: dict[str, Any]) -> None:
    assert _receipt(**more) == ()


@pytest.mark.parametrize("more", [{"metadata": None}, {"message_ts": None}, {"channel_id": 3}])
def test_a_receipt_that_cannot_be_read_is_kept(more: dict[str, Any]) -> None:
    (kept,) = _receipt(**more)
    assert isinstance(kept, Rejected)


async def test_edits_and_deletions_are_heard_and_nothing_else_that_changes(stage: SlackStage, ear: Ear) -> None:
    root = await stage.say("root")
    ts = await stage.say("helo", to_bot=False)
    await stage.unfurl(ts)
    await stage.edit(ts, "hello", to_bot=False)
    await stage.until(lambda: ear.of(Edited))
    await stage.delete(ts)
    await stage.until(lambda: ear.of(Deleted))
    (edited,) = ear.of(Edited)
    assert (edited.message.text, edited.message.id, edited.message.author.name) == ("hello", ts, "ada")
    assert edited.message.address.id == stage.session("main")
    assert edited.at > edited.message.at
    assert [(one.id, one.address.id) for one in ear.of(Deleted)] == [(ts, stage.session("main"))]
    assert ear.of(Closed) == []
    assert root != ts


async def test_a_mention_that_is_edited_in_arrives_both_ways(stage: SlackStage, ear: Ear) -> None:
    ts = await stage.say("hello", to_bot=False)
    await stage.edit(ts, "hello")
    await stage.until(lambda: ear.of(Edited) and len(ear.heard) == 2)
    assert {one.id for one in ear.heard} == {ts}
    assert ear.of(Edited)[0].message == ear.heard[-1]


@pytest.mark.parametrize("replies", [0, 1])
async def test_a_deleted_root_is_deleted_and_closed(stage: SlackStage, ear: Ear, replies: int) -> None:
    root = await stage.say("root", to_bot=False)
    for number in range(replies):
        await stage.say(str(number), to_bot=False)
    await stage.delete(root)
    await stage.until(lambda: ear.of(Closed))
    address = Address.parse(stage.session("main"))
    assert ear.of(Deleted) == [Deleted(address=address, id=root)]
    assert ear.of(Closed) == [Closed(address=address, gone=False)]


async def test_a_deletion_does_not_overtake_its_message(stage: SlackStage, ear: Ear) -> None:
    ear.hold = Signal()
    ts = await stage.say("hi", to_bot=False)
    await stage.until(lambda: ear.began)
    await stage.delete(ts)
    await stage.until(lambda: len(stage.server.envelopes) == 2)
    ear.hold.set()
    await stage.until(lambda: len(ear.arrived) == 3)
    assert [type(one) for one in ear.arrived] == [Inbound, Deleted, Closed]


async def test_a_change_that_could_not_be_stored_comes_again(stage: SlackStage, ear: Ear) -> None:
    stage.server.ack_seconds = 0.2
    ts = await stage.say("hi", to_bot=False)
    await ear.until(1)
    ear.failures = 2  # the deletion is stored at the second attempt, and what closes with it at the third
    await stage.delete(ts)
    await stage.until(lambda: ear.of(Closed))
    await stage.until(lambda: stage.server.envelopes[-1].acked.is_set())
    assert {one.id for one in ear.of(Deleted)} == {ts}


async def test_slack_confirms_what_is_on_screen(stage: SlackStage, adapter: SlackAdapter, ear: Ear) -> None:
    reply = await asked(stage)
    ts = await adapter.deliver(reply)
    await stage.until(lambda: ear.of(Receipt))
    (found,) = ear.of(Receipt)
    assert (found.address, found.key, found.shown.id) == (reply.address, reply.key, ts)
    metadata = stage.server.workspace.find(CHANNEL, ts).metadata
    assert metadata is not None
    assert all(isinstance(value, str | int) for value in metadata["event_payload"].values())


async def test_our_own_messages_that_people_delete_are_told(stage: SlackStage, adapter: SlackAdapter, ear: Ear) -> None:
    stage.server.receipts = False
    ts = await adapter.deliver(await asked(stage))
    await stage.delete(ts)
    await stage.until(lambda: len(stage.server.envelopes) == 4)
    await stage.until(lambda: all(one.acked.is_set() for one in stage.server.envelopes))
    assert [one.id for one in ear.arrived if isinstance(one, Deleted)] == [ts]


OF_ANOTHER: dict[str, Any] = {"team_id": "T0OTHER"}
OF_ORGANISATION: dict[str, Any] = {"team_id": None, "enterprise_id": "E1"}


@pytest.mark.parametrize("authorizations", [{}, {"authorizations": []}, {"authorizations": None}])
@pytest.mark.parametrize(
    ("us", "named", "is_left"),
    [
        (US, {"team_id": "T1"}, True),
        (US, OF_ANOTHER, False),
        (US, {}, False),
        (Ourselves(workspace="E1", user="U0BOT", bot="B0BOT"), OF_ORGANISATION, True),
        (Ourselves(workspace="E1", user="U0BOT", bot="B0BOT"), OF_ANOTHER, False),
    ],
)
def test_an_app_that_is_removed_from_another_workspace_stays_in_ours(
    us: Ourselves, named: dict[str, Any], authorizations: dict[str, Any], *, is_left: bool
) -> None:
    """Slack names no authorization then, and one app-level token hears of all workspaces that have the app."""
    payload = {"type": "event_callback", "event_id": "Ev1", "event": {"type": "app_uninstalled"}}
    found = translate(payload | named | authorizations, View(us=us, agent_view=True, now=1000.0))

    assert found == ((Left(platform="slack", workspace=us.workspace),) if is_left else ())


async def test_what_is_remembered_here_outlives_the_app_in_another_workspace(stage: SlackStage, ear: Ear) -> None:
    stage.server.event({"type": "app_uninstalled"}, authorizations=[], **OF_ANOTHER)
    await stage.say("still here?")

    assert {one.text for one in await ear.until(1)} == {"still here?"}
    assert ear.of(Left) == []
