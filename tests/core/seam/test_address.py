"""A session's ID is its address written down."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.seam.address import Address, AddressError

texts = some.text(some.characters(), max_size=12) | some.text(":%/@ \n\x00é\ud800", max_size=6)
addresses = some.builds(Address, platform=texts, workspace=texts, channel=texts, thread=some.none() | texts)


@given(addresses)
def test_an_id_parses_back_to_its_address(address: Address) -> None:
    assert Address.parse(address.id) == address


@given(addresses, addresses)
def test_different_addresses_have_different_ids(one: Address, other: Address) -> None:
    assert (one.id == other.id) == (one == other)


@given(some.text(":%0aZ", max_size=12) | some.text(max_size=12))
def test_no_session_is_spelled_in_two_ways(text: str) -> None:
    try:
        address = Address.parse(text)
    except AddressError:
        return
    assert address.id == text


@given(addresses)
def test_an_id_is_printable_and_storable(address: Address) -> None:
    address.id.encode("utf-8")
    assert not any(character.isspace() or character < " " for character in address.id)


@pytest.mark.parametrize(
    ("address", "session_id"),
    [
        (
            Address(platform="slack", workspace="T01", channel="C01", thread="1700000000.000100"),
            "slack:T01:C01:1700000000.000100",
        ),
        (Address(platform="discord", workspace="123", channel="456", thread="789"), "discord:123:456:789"),
        (Address(platform="discord", workspace="@me", channel="456"), "discord:@me:456"),
        (Address(platform="console", workspace="local", channel="main"), "console:local:main"),
        (Address(platform="console", workspace="local", channel="main", thread="a:b"), "console:local:main:a%3Ab"),
    ],
)
def test_ids_are_readable(address: Address, session_id: str) -> None:
    assert address.id == session_id


@pytest.mark.parametrize("wrong", ["", "slack", "slack:T01", "a:b:c:d:e", "a:b:%3a", "a:b:c d", "a:b:%41", "a:b:%ff"])
def test_what_is_not_an_id_is_refused(wrong: str) -> None:
    with pytest.raises(AddressError):
        Address.parse(wrong)
