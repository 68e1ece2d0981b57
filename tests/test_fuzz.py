"""Fuzz, a short run: whatever reaches us, nobody is kept from being answered, and no word of it is in the log.

`BACKSCROLL_FUZZ=10000` makes it a long one, and so does `python -m tests.fuzz`.
"""

import json
import os
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.discord import changes, commands, forms, messages
from bots.discord.names import Names
from bots.slack.events import translate
from bots.slack.payloads import Ourselves, View
from core.seam.messages import Inbound, Rejected
from tests.fuzz import IN_TIME, fuzz
from tests.mutations import MARK, mutated

EVENTS = int(os.environ.get("BACKSCROLL_FUZZ", "200"))

VIEW = View(us=Ourselves(workspace="T1", user="UBOT", bot="BBOT"), agent_view=True, now=1_700_000_000.0)
SAID = {
    "type": "event_callback",
    "event_id": "Ev1",
    "authorizations": [{"team_id": "T1", "enterprise_id": None, "is_enterprise_install": False}],
    "event": {
        "type": "message",
        "channel": "C1",
        "user": "U1",
        "ts": "1700000000.000100",
        "text": "<@UBOT> see <https://example.org|this>",
        "files": [{"id": "F1", "name": "a.txt", "mimetype": "text/plain", "url_private": "https://files.slack.com/a"}],
        "attachments": [{"is_share": True, "ts": "1700000000.000001", "author_id": "U2", "text": "before"}],
        "blocks": [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "text"}]}]}],
        "edited": {"user": "U1", "ts": "1700000001.000000"},
    },
}
CHANGED = SAID | {
    "event": {
        "type": "message",
        "subtype": "message_changed",
        "channel": "C1",
        "ts": "1700000002.000000",
        "message": SAID["event"],
        "previous_message": SAID["event"],
    }
}
PRESSED = {
    "type": "block_actions",
    "trigger_id": "1.2.3",
    "response_url": "https://hooks.slack.com/x",
    "user": {"id": "U1", "name": "ada"},
    "channel": {"id": "C1"},
    "actions": [{"action_id": "session_button_0", "value": "status slack:T1:C1:1700000000.000100"}],
}
FILLED = {
    "type": "view_submission",
    "user": {"id": "U1"},
    "view": {
        "id": "V1",
        "callback_id": "session_form",
        "private_metadata": "prefer slack:T1:C1:1700000000.000100",
        "state": {"values": {"tone": {"tone 0": {"type": "plain_text_input", "value": "dry"}}}},
    },
}
PERSON = {"id": "100", "username": "ada", "global_name": "Ada"}
HEARD = {
    "id": "1300000000000000000",
    "type": 19,
    "channel_id": "20",
    "guild_id": "10",
    "author": PERSON,
    "member": {"nick": None},
    "content": "<@1> look",
    "mentions": [PERSON],
    "mention_roles": [],
    "edited_timestamp": "2026-01-01T00:00:00+00:00",
    "message_reference": {"type": 0, "message_id": "1200000000000000000"},
    "referenced_message": {"id": "1200000000000000000", "author": PERSON, "content": "before"},
    "message_snapshots": [{"message": {"content": "forwarded", "timestamp": "2026-01-01T00:00:00+00:00"}}],
    "attachments": [{"id": "5", "filename": "a.txt", "url": "https://cdn.discordapp.com/a"}],
    "embeds": [{"title": "a", "fields": [{"name": "b", "value": "c"}], "image": {"url": "https://example.org/a"}}],
    "components": [{"type": 17, "components": [{"type": 10, "content": "words"}]}],
    "poll": {"question": {"text": "which?"}, "answers": [{"answer_id": 1}], "results": {"answer_counts": []}},
}
GIVEN = {
    "id": "1300000000000000000",
    "type": 2,
    "application_id": "99",
    "token": "secret",
    "channel_id": "20",
    "guild_id": "10",
    "member": {"nick": "Countess", "user": PERSON},
    "data": {
        "name": "session",
        "custom_id": "prefer discord:10:20",
        "options": [{"type": 1, "name": "status", "options": []}],
        "components": [{"component": {"custom_id": "tone 0", "value": "dry"}}],
        "values": ["tone"],
    },
}

dice = st.randoms(use_true_random=False)


def judge(found: object) -> None:
    """What is known of somebody, or of a place, is short and on one line; and why something is unreadable has no word
    of it."""
    if isinstance(found, Inbound):
        assert len(found.id) <= 200
        assert len(found.address.id) <= 600
        assert found.author.id.isprintable()
    if isinstance(found, Rejected):
        assert MARK.split()[0] not in f"{found.id} {found.reason}"
        assert len(found.payload) < 100_000
        json.loads(found.payload)


@given(dice, st.sampled_from([SAID, CHANGED, PRESSED, FILLED]))
def test_whatever_slack_sends_is_read_or_kept(dice: Random, event: dict[str, Any]) -> None:
    for found in translate(mutated(event, dice), VIEW):
        judge(found)


@given(dice)
def test_whatever_discord_tells_is_read_or_kept(dice: Random) -> None:
    event, names = mutated(HEARD, dice), Names(me="1")
    for read in (messages.message, changes.edited):
        judge(read(event, None, names))
    messages.unresolved(event)


@given(dice, st.sampled_from([2, 3]))
def test_whatever_is_typed_pressed_or_filled_in_on_discord_is_read_or_kept(dice: Random, kind: int) -> None:
    event = mutated(GIVEN | {"type": kind}, dice)
    judge(commands.interaction(event, None))
    judge(forms.submission(event))


@pytest.mark.parametrize("platform", ["slack", "discord"])
async def test_people_are_answered_in_time_whatever_else_arrives(platform: str, make_url: Any) -> None:
    done = await fuzz(platform, make_url("sqlite"), events=EVENTS, seed=EVENTS)

    assert done.rejected
    assert done.slowest < IN_TIME
