"""Bodies: all that people or models wrote, sealed and opened by the identity of its row, where there is a way to seal.

To the database a body is opaque: no statement compares, searches or cuts one, or copies it to another row, where it
could not be opened. Whoever has to look inside reads the row, and opens it.
What can't be opened, because it was changed, moved, or sealed by a key that is gone, is one thing that can't be read
any more, and nothing else is kept from being read by it.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, Protocol

import structlog
from sqlalchemy import LargeBinary, Text
from sqlalchemy.sql.schema import Column

from core.policy import LOST as LOST_SETTINGS
from core.schema import (
    audit,
    audit_chains,
    checkpoints,
    deliveries,
    policies,
    preferences,
    pseudonyms,
    quotes,
    rejections,
    turns,
)
from core.vault.packet import MARK, MARK_OF_TEXT, NoPacket, as_text, of_text

log = structlog.get_logger()

LOST = "[a message that can't be read any more]"
"""What is read in place of words that can't be opened."""

NO_FACTS = "{}"
"""The same for what is JSON."""


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


class NotOpened(Exception):
    """What is stored in a place can't be opened; `erased` where its key was destroyed on purpose."""

    def __init__(self, *, erased: bool = False) -> None:
        super().__init__("it can't be opened")
        self.erased = erased


class Codec(Protocol):
    """How bodies are sealed. It may be called from every thread that runs functions of a `Connection`."""

    @property
    def all_sealed(self) -> bool:
        """Whether nothing is stored in the clear any more: what is nevertheless, we have not stored."""

    def seal(self, place: Place, words: bytes, by: str) -> bytes:
        """The words in a packet, by the key of whoever wrote them; another time they are sealed otherwise."""

    def open(self, place: Place, packet: bytes) -> bytes:
        """What `seal` was given. Raises NotOpened where it was sealed for another place, or is not as it was."""


_codec: Codec | None = None


def use(codec: Codec | None) -> None:
    """From now on, this process seals and opens by this codec; None leaves bodies as they are. Called at the start."""
    global _codec
    _codec = codec
    _tell_once.cache_clear()
    forget_opened()


def are_plain() -> bool:
    """Whether bodies are stored as they are: then there is nothing to open, for whoever reads many."""
    return _codec is None


class Body:
    """A column of bytes that holds text. What is empty is so for all to see: it is what is left of what was erased.

    `lost` is what is read in place of what can't be opened.
    """

    def __init__(self, column: Column[bytes], lost: str = LOST) -> None:
        assert isinstance(column.type, LargeBinary)  # noqa: S101 – each is named below
        self.column = column
        self._lost = lost
        self._here = column.table.name, column.name

    def seal(self, owner: Owner, row: Row, words: str, *, by: str = "") -> bytes:
        """The words as they are stored in this row; `by` is the ID of the person whose own words they are."""
        plain = words.encode("utf-8", "replace")
        if _codec is None or not plain:
            return plain
        return _codec.seal(Place(*self._here, owner.workspace, owner.session, row), plain, by)

    def open(self, owner: Owner, row: Row, stored: bytes) -> str:
        """The words that are stored in this row."""
        try:
            return self.read(owner, row, stored)
        except (NotOpened, UnicodeDecodeError) as error:
            _tell(Place(*self._here, owner.workspace, owner.session, row), error)
            return self._lost

    def read(self, owner: Owner, row: Row, stored: bytes) -> str:
        """The same. Raises NotOpened, or UnicodeDecodeError, where they can't be opened."""
        if not stored:
            return ""
        packet = self.packet(stored)
        if packet is not None:
            return _opened(Place(*self._here, owner.workspace, owner.session, row), packet)
        _admit_plain()
        return stored.decode()

    def again(self, owner: Owner, row: Row, stored: bytes, *, by: str) -> bytes:
        """The same words sealed anew. Raises NotOpened."""
        return self.seal(owner, row, self.read(owner, row, stored), by=by)

    def packet(self, stored: object) -> bytes | None:
        """What is stored, if it is sealed. Raises NotOpened for what is no bytes, which SQLite keeps as well."""
        if not isinstance(stored, bytes):
            raise NotOpened
        return stored if stored[0] == MARK else None


class Note:
    """A column of text that quotes, names or tells what is nobody else's business. None stays None.

    `lost` is what is read in place of what can't be opened.
    """

    def __init__(self, column: Column[str], lost: str | None) -> None:
        assert isinstance(column.type, Text)  # noqa: S101 – each is named below
        self.column = column
        self._lost = lost
        self._here = column.table.name, column.name

    def seal(self, owner: Owner, row: Row, words: str | None, *, by: str = "") -> str | None:
        """The words as they are stored in this row; `by` is the ID of the person whose own words they are."""
        if _codec is None or not words:
            return words
        return as_text(_codec.seal(Place(*self._here, owner.workspace, owner.session, row), words.encode(), by))

    def open(self, owner: Owner, row: Row, stored: str | None) -> str | None:
        """The words that are stored in this row."""
        if not stored:
            return stored
        try:
            return self.read(owner, row, stored)
        except (NotOpened, UnicodeDecodeError) as error:
            _tell(Place(*self._here, owner.workspace, owner.session, row), error)
            return self._lost

    def read(self, owner: Owner, row: Row, stored: str) -> str:
        """The same. Raises NotOpened, or UnicodeDecodeError, where they can't be opened."""
        packet = self.packet(stored)
        if packet is not None:
            return _opened(Place(*self._here, owner.workspace, owner.session, row), packet)
        _admit_plain()
        return stored

    def again(self, owner: Owner, row: Row, stored: str, *, by: str) -> str | None:
        """The same words sealed anew. Raises NotOpened."""
        return self.seal(owner, row, self.read(owner, row, stored), by=by)

    def packet(self, stored: object) -> bytes | None:
        """What is stored, if it is sealed. Raises NotOpened, also for what is no text, which SQLite keeps as well."""
        if not isinstance(stored, str):
            raise NotOpened
        try:
            return of_text(stored) if stored[0] == MARK_OF_TEXT else None
        except NoPacket:
            raise NotOpened from None


_CACHES: list[Callable[[], None]] = []


def until_forgotten(cleared: Callable[[], None]) -> None:
    """What was opened is kept at hand somewhere: it is cleared by this when that has to be opened anew."""
    _CACHES.append(cleared)


def forget_opened() -> None:
    """Whatever was opened before is opened anew: its key may be gone, or what is in the clear is not ours any more."""
    for cleared in _CACHES:
        cleared()


def _opened(place: Place, packet: bytes) -> str:
    if _codec is None:
        raise NotOpened
    return _codec.open(place, packet).decode()


def _admit_plain() -> None:
    """Raises NotOpened where all is sealed: then somebody else has put this here."""
    if _codec is not None and _codec.all_sealed:
        raise NotOpened


def _tell(place: Place, error: Exception) -> None:
    """What was erased is gone quietly."""
    if not (isinstance(error, NotOpened) and error.erased):
        _tell_once(place.table, place.column, place.workspace, place.session)


@lru_cache(1024)
def _tell_once(table: str, column: str, workspace: int, session: int) -> None:
    log.error(
        "can't be read",
        table=table,
        column=column,
        workspace=workspace,
        session=session,
        reason="it was changed or moved, or its key is not here",
    )


def as_read(words: str) -> str:
    """The words as they are read when they have been stored as a body: without what is not UTF-8."""
    return words.encode("utf-8", "replace").decode()


_ANY_MORE = "what went wrong can't be read any more"

# rows: seq and role, of an answer or of what a person said
TURN, NAME = Body(turns.c.body), Note(turns.c.name, "")
SLIP, ERROR = Note(turns.c.slip, NO_FACTS), Note(turns.c.error, _ANY_MORE)
# seq and place
QUOTE, QUOTED_NAME, TITLE = Body(quotes.c.body), Note(quotes.c.name, ""), Note(quotes.c.title, "")
SOURCE, UNREAD = Note(quotes.c.source, None), Note(quotes.c.unread, None)
# its number
CHECKPOINT = Body(checkpoints.c.body)
# seq and part
DELIVERY, DRAFT, FAILURE = Body(deliveries.c.body), Note(deliveries.c.draft, None), Note(deliveries.c.error, _ANY_MORE)
# the scope
SETTINGS = Note(policies.c.settings, LOST_SETTINGS)
# a person's ID
PREFERENCES = Body(preferences.c.body, NO_FACTS)
# the event's ID
PAYLOAD, REASON = Body(rejections.c.body), Note(rejections.c.reason, _ANY_MORE)
# its number; and nothing more than the workspace
AUDIT, BEGINNING, END = Body(audit.c.hash, ""), Body(audit_chains.c.first, ""), Body(audit_chains.c.last, "")
# nothing more than the workspace
SECRET = Body(pseudonyms.c.secret, "")

ALL = (
    *(TURN, NAME, SLIP, ERROR),
    *(QUOTE, QUOTED_NAME, TITLE, SOURCE, UNREAD),
    CHECKPOINT,
    *(DELIVERY, DRAFT, FAILURE),
    SETTINGS,
    PREFERENCES,
    *(PAYLOAD, REASON),
    *(AUDIT, BEGINNING, END),
    SECRET,
)
"""Every column that holds what people or models wrote, or what only we may have written."""

OWN = (TURN, NAME, QUOTE, QUOTED_NAME, TITLE, PREFERENCES)
"""Those that hold a person's own words, where a person has written the row."""
