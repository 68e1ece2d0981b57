"""The form of a checkpoint: a line for each thing that is to be known, under five headings, each with its turns.

    # decided
    - [2026-03-03 14:05 +00:00] Ana and Ben agreed to ship 2.4.1 on 2026-03-05 (12, 15-17)
    # asks
    - [2026-03-03 14:20 +00:00] Ben asked Ana for the notes of the release; open (18)

Headings and states are the same in every language: a small model copies them, and nobody has to translate them back.
The model writes no times; each line gets that of the first turn that it names, so that it can't be wrong.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from re import IGNORECASE, MULTILINE
from re import compile as pattern

from core.memory.checkpoints.disguises import line
from core.session import Fold

Run = tuple[int, int]
"""Turns that follow one another, by the seqs of the first and the last."""


class Topic(StrEnum):
    """The headings, in the order in which they are shown."""

    ABOUT = "about"
    DECIDED = "decided"
    FACTS = "facts"
    LINKS = "links"
    ASKS = "asks"


class State(StrEnum):
    """How an ask stands; a decision that another one has replaced is superseded, too."""

    OPEN = "open"
    ANSWERED = "answered"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line: what is to be known, of which turns, and since when. `at` is None until the record has told it."""

    topic: Topic
    words: str
    seqs: tuple[Run, ...]
    state: State | None = None
    at: datetime | None = None


class Malformed(ValueError):
    """A line is neither a heading nor an entry."""


TOPICS: Mapping[Fold, frozenset[Topic]] = {
    Fold.CHECKPOINT: frozenset(Topic),
    Fold.NODE: frozenset(Topic),
    Fold.OLD: frozenset(Topic),
    Fold.STATE: frozenset((Topic.DECIDED, Topic.ASKS)),
}
"""Which headings each of them has."""

_HEADING = pattern(rf"[#*\s]*({'|'.join(Topic)})[*:\s]*", IGNORECASE)
_AROUND = pattern(r"\s*(?:(?:`{3,}|~{3,})\w*|\[\[[^\[\]]*\]\])\s*")
_ITEM = pattern(r"\s*(?:[-*•–]|\d{1,3}[.)])\s+(?=\S)")
_STAMP = pattern(r"\[(\d{4}-\d\d-\d\d[^\[\]]{0,20})\]\s*")
# What was said before a session's birth has no number above 0.
_SEQ = r"(?:[Tt]urns?\s*)?#?(-?\d{1,12})(?:\s*[-–]\s*#?(-?\d{1,12}))?"
_RUN = pattern(_SEQ)
_SEQS = pattern(rf"{_SEQ}(?:\s*,\s*{_SEQ}){{0,99}}")
_ENDINGS = {f"{mark} {state}": state for state in State for mark in ";,–—-"}
_OPEN = pattern(rf"; {State.OPEN}(?=(?: \({_SEQS.pattern}\))?$)", MULTILINE)
_STATED = frozenset((Topic.DECIDED, Topic.ASKS))
_NOTHING = frozenset(("", "-", "–", "none", "(none)", "none.", "n/a", "nothing", "…", "..."))


def parsed(text: str) -> tuple[Entry, ...]:
    """The entries of what a model wrote, or of what is stored, in their order, each once.

    What small models add is passed over: words before the first heading, a fence or marks around it all, "none",
    empty lines, numbers before the lines, and "turns" before the numbers of turns. Raises Malformed.
    """
    return tuple(dict.fromkeys(_entries(text)))


def _entries(text: str) -> Iterator[Entry]:
    topic: Topic | None = None
    for raw in text.splitlines():
        if heading := _HEADING.fullmatch(raw):
            topic = Topic(heading[1].lower())
        elif topic is not None and (words := _item(raw)) is not None:
            yield _entry(topic, words)


def _item(raw: str) -> str | None:
    """What a line says; None where that is nothing."""
    if not raw.strip() or _AROUND.fullmatch(raw):
        return None
    bullet = _ITEM.match(raw)
    words = line(raw[bullet.end() :] if bullet else raw)
    if words.lower() in _NOTHING:
        return None
    if bullet is None:
        raise Malformed
    return words


def _entry(topic: Topic, words: str) -> Entry:
    """The state stands before the turns, or by mistake behind them."""
    stamp = _STAMP.match(words)
    at = None if stamp is None else _time(stamp[1])
    words, late = _stated(topic, unstamped(words))
    words, seqs = cited(words)
    words, state = (words, late) if late else _stated(topic, words)
    if not words:
        raise Malformed
    return Entry(topic=topic, words=words, seqs=seqs, state=state, at=at)


def unstamped(words: str) -> str:
    """A line without the time at its beginning."""
    stamp = _STAMP.match(words)
    return words[stamp.end() :] if stamp else words


def _time(stamp: str) -> datetime | None:
    """None where it is not written as we do."""
    try:
        return datetime.strptime(stamp, "%Y-%m-%d %H:%M %z")
    except ValueError:
        return None


def _stated(topic: Topic, words: str) -> tuple[str, State | None]:
    """The words without the state at their end, and that; only asks and decisions have one."""
    if topic not in _STATED:
        return words, None
    plain = words.rstrip(" .")
    for ending, state in _ENDINGS.items():
        if plain.lower().endswith(ending):
            return plain[: -len(ending)].rstrip(), state
    return words, None


def cited(words: str) -> tuple[str, tuple[Run, ...]]:
    """The words without the turns at their end, and these; none where they name none."""
    plain = words.rstrip(" .")
    head, _, tail = plain.rpartition("(")
    if not plain.endswith(")") or not _SEQS.fullmatch(tail := tail[:-1].strip()):
        return words, ()
    return head.rstrip(), tuple(map(_run, tail.split(",")))


def _run(text: str) -> Run:
    found = _RUN.fullmatch(text.strip())
    assert found is not None  # noqa: S101 – it is one of those that were matched before
    return int(found[1]), int(found[2] or found[1])


def written(entries: Iterable[Entry]) -> str:
    """The entries in our form, under their headings; the same entries are always the same text."""
    return "\n".join(_lines(tuple(entries)))


def unopened(text: str) -> str:
    """A text of our form without which asks were open at its end: how they stand by now, a later one tells."""
    rest, heading, asks = f"\n{text}".rpartition(f"\n# {Topic.ASKS}\n")
    return f"{rest}{heading}{_OPEN.sub('', asks)}"[1:] if heading else text


def _lines(entries: Sequence[Entry]) -> Iterator[str]:
    for topic in Topic:
        mine = [entry for entry in entries if entry.topic is topic]
        if mine:
            yield f"# {topic}"
            yield from map(_written, mine)


def _written(entry: Entry) -> str:
    stamp = "" if entry.at is None else f"[{stamped(entry.at)}] "
    state = "" if entry.state is None else f"; {entry.state}"
    cited = f" ({', '.join(map(_ranged, entry.seqs))})" if entry.seqs else ""
    return f"- {stamp}{entry.words}{state}{cited}"


def _ranged(run: Run) -> str:
    first, last = run
    return str(first) if first == last else f"{first}-{last}"


def zone(text: str) -> tzinfo:
    """In which zone a text of our form tells its times: in that of its first line; UTC where it has none."""
    stamp = _STAMP.search(text)
    at = None if stamp is None else _time(stamp[1])
    return UTC if at is None or at.tzinfo is None else at.tzinfo


def stamped(at: datetime) -> str:
    """A moment as we write it, with its zone: `2026-03-03 14:05 +00:00`."""
    zone = f"{at:%z}"
    return f"{at:%Y-%m-%d %H:%M} {zone[:3]}:{zone[3:5]}"
