"""Slack: links to messages, as people copy them (docs.slack.dev/reference/methods/chat.getPermalink)."""

import pytest

from bots.slack import SlackAdapter
from bots.slack.links import link, linked
from bots.slack.payloads import Ourselves
from core.seam.address import Address
from tests.wire.slack import SlackStage

US = Ourselves(workspace="T1", user="U0BOT", bot="B0BOT", url="https://acme.slack.com/")
CHANNEL = Address(platform="slack", workspace="T1", channel="C1")
THREAD = Address(platform="slack", workspace="T1", channel="C1", thread="1700000000.000100")
ROOT = "https://acme.slack.com/archives/C1/p1700000000000100"
REPLY = "https://acme.slack.com/archives/C1/p1700000005000200?thread_ts=1700000000.000100&cid=C1"


@pytest.mark.parametrize(
    ("address", "message", "expected"),
    [
        (THREAD, "1700000000.000100", ROOT),
        (THREAD, "1700000005.000200", REPLY),
        (THREAD, "1699999999.000100", "https://acme.slack.com/archives/C1/p1699999999000100"),
        (CHANNEL, "1700000005.000200", REPLY.partition("?")[0]),
        (THREAD, "ephemeral-1", None),
        (THREAD, "trigger-17.5", None),
    ],
)
def test_a_link_is_the_one_that_people_copy(address: Address, message: str, expected: str | None) -> None:
    assert link(US, address, message) == expected


def test_a_workspace_without_an_address_has_no_links() -> None:
    nowhere = Ourselves(workspace="T1", user="U0BOT", bot="B0BOT")

    assert link(nowhere, THREAD, "1700000000.000100") is None
    assert linked(nowhere, ROOT, agent_view=True) is None


@pytest.mark.parametrize(
    ("words", "address", "message"),
    [
        (ROOT, CHANNEL, "1700000000.000100"),
        (REPLY, THREAD, "1700000005.000200"),
        (f"<{REPLY}>", THREAD, "1700000005.000200"),
        (REPLY.replace("acme.slack", "ACME.Slack"), THREAD, "1700000005.000200"),
        (
            "https://acme.slack.com/archives/C1/p1700000005000200/?cid=C1&x=y&thread_ts=1700000000.000100#top",
            THREAD,
            "1700000005.000200",
        ),
    ],
)
def test_a_link_is_read_back(words: str, address: Address, message: str) -> None:
    found = linked(US, words, agent_view=True)

    assert found is not None
    assert (found.address, found.message) == (address, message)


@pytest.mark.parametrize(
    "words",
    [
        REPLY.replace("acme", "another"),
        REPLY.replace("acme.slack.com", "acme.slack.com.example.org"),
        REPLY.replace("https://", "https://acme.slack.com@"),
        REPLY.replace("https", "http"),
        REPLY.replace("https", "slack"),
        REPLY.replace("cid=C1", "cid=C2"),
        REPLY.replace("thread_ts=1700000000.000100", "thread_ts=never"),
        "https://acme.slack.com/archives/C1",
        "https://acme.slack.com/archives/C1/p17",
        "https://acme.slack.com/archives/C1/p١٧٠٠٠٠٠٠٠٠٠٠٠١٠٠",
        "https://acme.slack.com/messages/C1/p1700000000000100",
    ],
)
def test_what_is_no_link_to_a_message_of_ours_is_none(words: str) -> None:
    assert linked(US, words, agent_view=True) is None


@pytest.mark.parametrize(("agent_view", "thread"), [(True, "1700000000.000100"), (False, None)])
def test_a_plain_direct_message_is_one_conversation_with_its_threads(*, agent_view: bool, thread: str | None) -> None:
    found = linked(US, REPLY.replace("C1", "D1"), agent_view=agent_view)

    assert found is not None
    assert found.address.thread == thread


async def test_links_take_no_call_for_each_message(stage: SlackStage, adapter: SlackAdapter) -> None:
    for number in range(3):
        await adapter.link(THREAD, f"170000000{number}.000100")
        await adapter.linked(REPLY)

    assert stage.server.number_of("auth.test") == len(stage.server.calls) == 1
