"""Bodies: all that people or models wrote, sealed and opened by the identity of its row. Today a body is its text.

To the database a body is opaque: no statement compares, searches or cuts one, or copies it to another row, where it
could not be opened. Whoever has to look inside reads the row, and opens it.
"""

from base64 import b64decode, b64encode
from typing import NamedTuple, Protocol

from sqlalchemy import LargeBinary, Text
from sqlalchemy.sql.schema import Column

from core.schema import audit, audit_chains, checkpoints, deliveries, policies, preferences, quotes, rejections, turns


class Owner(Protocol):
    """Whose row it is: a `SessionKey`, or what else has these two numbers."""

    @property
    def workspace(self) -> int:
        """The workspace's number."""

    @property
    def session(self) -> int:
        """The session's number."""


class Mine(NamedTuple):
    """An owner by its numbers; session 0 is the workspace itself."""

    workspace: int
    session: int = 0


Row = tuple[int | str, ...]
"""What tells a row from the others of its table in its session: seq and role, place or part, a number, scope or ID."""


class Place(NamedTuple):
    """The identity of one body."""

    table: str
    column: str
    workspace: int
    session: int
    row: Row


class Codec(Protocol):
    """How bodies are sealed. It may be called from every thread that runs functions of a `Connection`."""

    def seal(self, place: Place, words: bytes) -> bytes:
        """The words as they are stored in this place; another time they may be stored otherwise."""

    def open(self, place: Place, sealed: bytes) -> bytes:
        """What `seal` was given. Raises where it was sealed for another place."""


_codec: Codec | None = None


def use(codec: Codec | None) -> None:
    """From now on, this process seals and opens by this codec; None leaves bodies as they are. Called at the start."""
    global _codec
    _codec = codec


def are_plain() -> bool:
    """Whether bodies are stored as they are: then there is nothing to open, for whoever reads many."""
    return _codec is None


class Body:
    """A column of bytes that holds text. What is empty is so for all to see: it is what is left of what was erased."""

    def __init__(self, column: Column[bytes]) -> None:
        assert isinstance(column.type, LargeBinary)  # noqa: S101 – each is named below
        self.column = column

    def seal(self, owner: Owner, row: Row, words: str) -> bytes:
        """The words as they are stored in this row."""
        plain = words.encode("utf-8", "replace")
        if _codec is None or not plain:
            return plain
        return _codec.seal(_place(self.column, owner, row), plain)

    def open(self, owner: Owner, row: Row, stored: bytes) -> str:
        """The words that are stored in this row."""
        if _codec is None or not stored:
            return stored.decode()
        return _codec.open(_place(self.column, owner, row), stored).decode()


class Note:
    """A column of text that quotes, names or tells what is nobody else's business. None stays None."""

    def __init__(self, column: Column[str]) -> None:
        assert isinstance(column.type, Text)  # noqa: S101 – each is named below
        self.column = column

    def seal(self, owner: Owner, row: Row, words: str | None) -> str | None:
        """The words as they are stored in this row."""
        if _codec is None or not words:
            return words
        return b64encode(_codec.seal(_place(self.column, owner, row), words.encode())).decode()

    def open(self, owner: Owner, row: Row, stored: str | None) -> str | None:
        """The words that are stored in this row."""
        if _codec is None or not stored:
            return stored
        return _codec.open(_place(self.column, owner, row), b64decode(stored)).decode()


def _place(column: Column[bytes] | Column[str], owner: Owner, row: Row) -> Place:
    plain = tuple(part if isinstance(part, str) else int(part) for part in row)  # a role is a number to the database
    return Place(column.table.name, column.name, owner.workspace, owner.session, plain)


def as_read(words: str) -> str:
    """The words as they are read when they have been stored as a body: without what is not UTF-8."""
    return words.encode("utf-8", "replace").decode()


# rows: seq and role, of an answer or of what a person said
TURN, NAME, SLIP, ERROR = Body(turns.c.body), Note(turns.c.name), Note(turns.c.slip), Note(turns.c.error)
# seq and place
QUOTE = Body(quotes.c.body)
QUOTED_NAME, TITLE, SOURCE, UNREAD = (Note(quotes.c[name]) for name in ("name", "title", "source", "unread"))
# its number
CHECKPOINT = Body(checkpoints.c.body)
# seq and part
DELIVERY, DRAFT, FAILURE = Body(deliveries.c.body), Note(deliveries.c.draft), Note(deliveries.c.error)
# the scope
SETTINGS = Note(policies.c.settings)
# a person's ID
PREFERENCES = Body(preferences.c.body)
# the event's ID
PAYLOAD, REASON = Body(rejections.c.body), Note(rejections.c.reason)
# its number; and nothing more than the workspace
AUDIT, BEGINNING, END = Body(audit.c.hash), Body(audit_chains.c.first), Body(audit_chains.c.last)

ALL = (
    *(TURN, NAME, SLIP, ERROR),
    *(QUOTE, QUOTED_NAME, TITLE, SOURCE, UNREAD),
    CHECKPOINT,
    *(DELIVERY, DRAFT, FAILURE),
    SETTINGS,
    PREFERENCES,
    *(PAYLOAD, REASON),
    *(AUDIT, BEGINNING, END),
)
"""Every column that holds what people or models wrote, or what only we may have written."""
