"""Links to messages, as Discord's client copies them."""

import pytest

from bots.discord.links import link, linked
from core.seam.address import Address

CHANNEL = Address(platform="discord", workspace="1", channel="22")
THREAD = Address(platform="discord", workspace="1", channel="22", thread="333")
DIRECT = Address(platform="discord", workspace="@me", channel="22")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (CHANNEL, "https://discord.com/channels/1/22/4444"),
        (THREAD, "https://discord.com/channels/1/333/4444"),
        (DIRECT, "https://discord.com/channels/@me/22/4444"),
    ],
)
def test_a_link_is_the_one_that_people_copy(address: Address, expected: str) -> None:
    assert link(address, "4444") == expected
    found = linked(expected)
    assert found is not None
    assert found.message == "4444"
    assert found.may_be_in(address)


def test_a_thread_stands_in_the_place_of_its_channel() -> None:
    found = linked("https://discord.com/channels/1/333/4444")

    assert found is not None
    assert found.address == Address(platform="discord", workspace="1", channel="333")
    assert not found.may_be_in(CHANNEL)


@pytest.mark.parametrize(
    "host", ["discord.com", "canary.discord.com", "ptb.discord.com", "discordapp.com", "DISCORD.com"]
)
@pytest.mark.parametrize("written", ["https://{}/channels/1/22/4444", "<https://{}/channels/1/22/4444/?jump=1>"])
def test_every_client_of_discords_copies_links(host: str, written: str) -> None:
    found = linked(written.format(host))

    assert found is not None
    assert (found.address, found.message) == (CHANNEL, "4444")


@pytest.mark.parametrize(
    "words",
    [
        "http://discord.com/channels/1/22/4444",
        "discord://discord.com/channels/1/22/4444",
        "https://discord.com.example.org/channels/1/22/4444",
        "https://notdiscord.com/channels/1/22/4444",
        "https://discord.com@example.org/channels/1/22/4444",
        "https://beta.discord.com/channels/1/22/4444",
        "https://discord.com/channels/1/22",
        "https://discord.com/channels/@everyone/22/4444",
        "https://discord.com/channels/1/22/٤٤٤٤",
        "https://discord.com/api/channels/1/22/4444",
    ],
)
def test_what_is_no_link_to_a_message_is_none(words: str) -> None:
    assert linked(words) is None
