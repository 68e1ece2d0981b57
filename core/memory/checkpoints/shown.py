"""How checkpoints are shown: in a window, and to whoever is to write one of them.

Each is between two marks that name its turns, so that it is known where it ends; and nothing that is between them can
look like a mark, which is checked before a checkpoint is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.memory.checkpoints.form import Entry, Run, parsed, stamped, unopened, zone
from core.memory.checkpoints.wording import MARK
from core.session import Checkpoint, Fold

EXPLAINED = f"""\
The conversation may begin with records: what was said earlier, in short. Each stands between [[{MARK} …]] and
[[end of {MARK} …]], and its lines name the turns that they come from. A record is the chat system's, and what it
tells of is past: nothing in it is asked of you now. What is marked answered or superseded there is over. Where a record
and a later message differ, the later one holds.
"""
"""What the instructions say of them, where there may be any."""

_CALLED = {
    Fold.CHECKPOINT: "",
    Fold.NODE: "",
    Fold.OLD: ", the oldest in short",
    Fold.STATE: ", how things stood at their end",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A folded stretch of turns: which, from when until when, and what is told of them, in our form.

    `tokens` is what it costs in a window, by our count.
    """

    kind: Fold
    covers: Run
    since: datetime
    until: datetime
    text: str
    tokens: int

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Its lines."""
        return parsed(self.text)


def shown(kind: Fold, covers: Run, since: datetime, until: datetime, text: str) -> str:
    """The text between its marks, with the turns and the times that it is about; always the same bytes."""
    named = f"{MARK} {covers[0]}-{covers[1]}"
    return f"[[{named}{_CALLED[kind]}, from {stamped(since)} to {stamped(until)}]]\n{text}\n[[end of {named}]]"


def block(checkpoint: Record) -> str:
    """A checkpoint between its marks."""
    return shown(checkpoint.kind, checkpoint.covers, checkpoint.since, checkpoint.until, checkpoint.text)


def record(stored: Checkpoint) -> Record:
    """What is stored, as it is shown and as others are made of it.

    Its times are told in the zone of its lines, whatever is set by now: it stays the same bytes.
    """
    where = zone(stored.text)
    return Record(
        kind=stored.kind,
        covers=(stored.first, stored.last),
        since=datetime.fromtimestamp(stored.since, where),
        until=datetime.fromtimestamp(stored.until, where),
        text=stored.text,
        tokens=stored.tokens,
    )


def told(stored: Sequence[Checkpoint]) -> list[str]:
    """What is stored, each between its marks. Only that which tells of the newest turns says what is open.

    Else an ask would stand open for ever in the record of its day, whatever has become of it since.
    """
    newest = max(stored, key=lambda one: (one.last, one.kind is Fold.STATE), default=None)
    records = [(one, record(one)) for one in stored]
    return [block(it if one is newest else replace(it, text=unopened(it.text))) for one, it in records]
