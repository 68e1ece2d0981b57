"""What is sealed opens for its own place alone, whole and unchanged, by the right key."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigurationError
from core.vault import packet, ring
from core.vault.cipher import KEY, NONCE, TAG, Cipher, NotAuthentic
from core.vault.ring import NoSuchKey, OwnKeys

keys = st.binary(min_size=KEY, max_size=KEY)
nonces = st.binary(min_size=NONCE, max_size=NONCE)
numbers = st.integers(min_value=0, max_value=2**31 - 1)


def test_a_known_answer() -> None:
    """Test case 16 of McGrew and Viega's specification of GCM."""
    cipher = Cipher(bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2))
    plain = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    about = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    nonce = bytes.fromhex("cafebabefacedbaddecaf888")

    sealed = cipher.seal(plain, about, nonce=nonce)

    assert sealed.hex() == (
        "cafebabefacedbaddecaf888"
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )
    assert cipher.open(sealed, about) == plain


@given(key=keys, nonce=nonces, plain=st.binary(max_size=300), about=st.binary(max_size=60), data=st.data())
def test_one_bit_that_has_changed_is_enough(
    key: bytes, nonce: bytes, plain: bytes, about: bytes, data: st.DataObject
) -> None:
    cipher = Cipher(key)
    sealed = cipher.seal(plain, about, nonce=nonce)
    assert len(sealed) == NONCE + len(plain) + TAG
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    changed = bytearray(sealed)
    changed[bit // 8] ^= 1 << bit % 8

    with pytest.raises(NotAuthentic):
        cipher.open(bytes(changed), about)
    with pytest.raises(NotAuthentic):
        cipher.open(sealed, about + b"|")
    with pytest.raises(NotAuthentic):
        cipher.open(sealed[: data.draw(st.integers(0, len(sealed) - 1))], about)
    assert cipher.open(sealed, about) == plain


@given(number=numbers, sealed=st.binary(max_size=80))
def test_a_packet_tells_its_data_key_and_is_no_text(number: int, sealed: bytes) -> None:
    stored = packet.head(number) + sealed

    found, start = packet.number_of(stored)

    assert (found, stored[start:]) == (number, sealed)
    with pytest.raises(UnicodeDecodeError):
        stored.decode()
    assert packet.of_text(packet.as_text(stored)) == stored


@given(text=st.text(min_size=1))
def test_no_text_begins_as_a_packet_does(text: str) -> None:
    assert text.encode("utf-8", "replace")[0] != packet.MARK


@pytest.mark.parametrize("broken", [b"\xfe", b"\xfe\x80", b"\xfe\xff\xff\xff\xff\xff\x01"])
def test_half_a_packet_is_none(broken: bytes) -> None:
    with pytest.raises(packet.NoPacket):
        packet.number_of(broken)


@given(text=st.text(alphabet="!?ø \n=", min_size=1, max_size=9))
def test_other_text_behind_the_mark_is_none(text: str) -> None:
    with pytest.raises(packet.NoPacket):
        packet.of_text(f"{packet.MARK_OF_TEXT}{text}")


parts = st.one_of(numbers, st.text(alphabet="12|:-aø", max_size=6))


@given(one=st.lists(parts, max_size=5), other=st.lists(parts, max_size=5))
def test_no_two_places_are_written_alike(one: list[int | str], other: list[int | str]) -> None:
    assert (packet.about("turns.body", *one) == packet.about("turns.body", *other)) is (one == other)


@given(one=keys, other=keys, data_key=keys)
def test_a_ring_wraps_and_unwraps_by_each_of_its_keys(one: bytes, other: bytes, data_key: bytes) -> None:
    old, both = OwnKeys(other), OwnKeys(one, other)
    wrapped = old.wrap(old.newest, data_key, b"1|2")

    assert both.newest == ring.fingerprint(one)
    assert both.unwrap(old.newest, wrapped, b"1|2") == data_key
    assert both.unwrap(both.newest, both.wrap(both.newest, data_key, b"1|2"), b"1|2") == data_key
    with pytest.raises(NotAuthentic):
        both.unwrap(old.newest, wrapped, b"1|3")


def test_a_ring_says_which_key_it_lacks() -> None:
    old, new = OwnKeys(bytes(KEY)), OwnKeys(secrets.token_bytes(KEY))

    with pytest.raises(NoSuchKey, match=old.newest):
        new.unwrap(old.newest, old.wrap(old.newest, bytes(KEY), b""), b"")


def test_keys_are_separated_by_commas_or_lines_and_may_be_commented() -> None:
    one, other, third = (ring.generate() for _ in range(3))

    found = ring.read(f"# the newest\n{one} , {other}\n\n{third}  # of 2026\n")

    assert list(found.fingerprints) == [ring.read(key).newest for key in (one, other, third)]


def test_both_alphabets_of_base64_are_one_key() -> None:
    assert ring.read("-_-_" * 10 + "-_8=").newest == ring.read("+/+/" * 10 + "+/8").newest


def test_each_key_that_is_made_is_another_one_and_can_be_read() -> None:
    assert len({ring.read(ring.generate()).newest for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("", "holds no key"),
        (" , \n# nothing\n", "holds no key"),
        ("c2hvcnQ=", "key 1 is 5 bytes long and must have 32"),
        (f"{'A' * 43},c2hvcnQ=", "key 2 is 5 bytes long and must have 32"),
        (f"{'A' * 86}", "key 1 is 64 bytes long"),
        ("päss", "key 1 is not base64"),
        ("A", "key 1 is not base64"),
    ],
)
def test_a_key_that_is_none_is_refused_and_never_quoted(written: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as refusal:
        ring.read(written)

    assert str(refusal.value).startswith("BACKSCROLL_KEYS")
    assert "c2hvcnQ" not in str(refusal.value)
