"""Bodies: what people wrote is stored by the identity of its row, and nothing of it anywhere else."""

import pytest
from sqlalchemy import LargeBinary, Text

from core.schema import metadata
from core.session import Role
from core.store import bodies
from core.store.keys import DataKey, identity
from core.vault.ring import OwnKeys
from tests.sealed import Strict

HERE = bodies.Mine(1, 2)

NO_WORDS = {
    "workspaces": {"platform", "name"},
    "sessions": {"address", "platform", "channel", "owner"},
    "segments": {"kind"},
    "turns": {"message", "author", "verb", "notice", "model", "shown_seqs", "shown_parts"},
    "checkpoints": {"model"},
    "quotes": {"kind", "author", "message", "copied"},
    "gone": {"channel", "message"},
    "deliveries": {"message"},
    "parts": {"message"},
    "chores": {"name", "place", "owner"},
    "usage": {"author", "model"},
    "spent": {"channel", "author", "model"},
    "holds": {"channel", "author", "model"},
    "warned": {"channel", "author", "cap"},
    "calls": {"author", "purpose", "model", "outcome"},
    "servers": {"server", "model", "manners"},
    "measures": {"server", "model"},
    "hearers": {"owner"},
    "policies": {"scope"},
    "preferences": {"author"},
    "erasures": {"scope", "subject", "author", "after", "counts"},
    "denials": {"channel", "author"},
    "rejections": {"id"},
    "audit": {"actor", "deed", "outcome"},
    "data_keys": {"author", "ring", "wrapped"},
}
"""Columns of text that hold names of places, IDs, numbers, and words of ours."""


def vault() -> Strict:
    """One that has a key of two workspaces each at hand."""
    made = Strict(OwnKeys(bytes(32)))
    made.know(DataKey(one, 1, "", *made.wrap_new(identity(one, 1, ""))) for one in (1, 2))
    return made


CODECS = pytest.mark.parametrize("codec", [None, vault()], ids=["plain", "sealed"])


@pytest.fixture
def sealed() -> None:
    bodies.use(vault())


def test_a_column_that_can_hold_words_is_sealed_or_known_to_hold_none() -> None:
    for name, table in metadata.tables.items():
        sealed = {one.column.name for one in bodies.ALL if one.column.table is table}
        can_hold = {one.name for one in table.columns if isinstance(one.type, LargeBinary | Text)}
        assert can_hold - sealed == NO_WORDS.get(name, set()), name
        assert not sealed & NO_WORDS.get(name, set()), name


@pytest.mark.parametrize("words", ["", "plain", "a\ud800b 🎉", "x" * 100_000], ids=["none", "few", "odd", "many"])
@CODECS
def test_what_is_opened_is_what_was_sealed(codec: bodies.Codec | None, words: str) -> None:
    bodies.use(codec)

    body = bodies.TURN.seal(HERE, (3, 0), words)

    assert bodies.TURN.open(HERE, (3, 0), body) == bodies.as_read(words)
    assert isinstance(body, bytes)


@CODECS
def test_a_note_is_text_and_none_stays_none(codec: bodies.Codec | None) -> None:
    bodies.use(codec)

    note = bodies.NAME.seal(HERE, (3, 0), "Ada Ø")

    assert isinstance(note, str)
    assert bodies.NAME.open(HERE, (3, 0), note) == "Ada Ø"
    assert bodies.NAME.seal(HERE, (3, 0), None) is None
    assert bodies.NAME.open(HERE, (3, 0), None) is None


def test_the_same_words_are_sealed_otherwise_each_time(sealed: None) -> None:
    assert bodies.TURN.seal(HERE, (3, 0), "secret") != bodies.TURN.seal(HERE, (3, 0), "secret")


def test_a_body_is_opened_in_its_own_place_alone(sealed: None) -> None:
    body = bodies.TURN.seal(HERE, (3, 0), "secret")

    for owner, row in (
        (bodies.Mine(2, 2), (3, 0)),
        (bodies.Mine(1, 3), (3, 0)),
        (HERE, (4, 0)),
        (HERE, (3, 1)),
    ):
        with pytest.raises(AssertionError, match="not sealed for"):
            bodies.TURN.open(owner, row, body)
    with pytest.raises(AssertionError, match="not sealed for"):
        bodies.DELIVERY.open(HERE, (3, 0), body)
    assert bodies.TURN.open(HERE, (3, 0), body) == "secret"


def test_a_role_is_the_number_that_the_database_has(sealed: None) -> None:
    body = bodies.TURN.seal(HERE, (3, Role.ASSISTANT), "yes")

    assert bodies.TURN.open(HERE, (3, 1), body) == "yes"
