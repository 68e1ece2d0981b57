"""Links: what they are told from, and which places they may lead to."""

import pytest

from core.seam.address import Address
from core.seam.links import Linked, secure


@pytest.mark.parametrize(
    "words",
    [
        "https://a.example/b?c=d",
        " https://a.example/b?c=d\n",
        "<https://a.example/b?c=d>",
        "<https://a.example/b?c=d|x y>",
    ],
)
def test_a_link_is_one_however_it_is_written(words: str) -> None:
    found = secure(words)

    assert found is not None
    assert (found.netloc, found.path, found.query) == ("a.example", "/b", "c=d")


@pytest.mark.parametrize(
    "words",
    [
        "",
        "a.example",
        "http://a.example",
        "https://",
        "https:a.example",
        "https://a.example/b c",
        "<a|https://a.example>",
        "https://[a.example",
        "javascript:https://a.example",
        "https://a.example/\tb",
    ],
)
def test_what_is_no_https_address_is_no_link(words: str) -> None:
    assert secure(words) is None


def place(channel: str, thread: str | None = None, *, workspace: str = "w", platform: str = "p") -> Address:
    return Address(platform=platform, workspace=workspace, channel=channel, thread=thread)


@pytest.mark.parametrize(
    ("there", "may"),
    [
        (place("c", "t"), True),
        (place("c"), True),  # the channel alone
        (place("t"), True),  # the thread in the place of a channel
        (place("c", "another"), False),
        (place("another", "t"), False),
        (place("another"), False),
        (place("c", "t", workspace="another"), False),
        (place("c", "t", platform="another"), False),
    ],
)
def test_a_link_may_lead_into_a_thread_that_it_does_not_name(there: Address, *, may: bool) -> None:
    assert Linked(address=there, message="m").may_be_in(place("c", "t")) is may


def test_what_is_said_in_a_thread_is_not_said_in_its_channel() -> None:
    assert not Linked(address=place("c", "t"), message="m").may_be_in(place("c"))
