"""A folder by script: it writes down what it is told to keep, in the form that a model is asked for."""

from collections.abc import Callable, Sequence
from datetime import UTC
from re import MULTILINE
from re import compile as pattern

from core.memory.checkpoints import asked
from core.memory.checkpoints.asked import Assignment
from core.memory.checkpoints.checks import checked
from core.memory.checkpoints.form import Entry, Run, Topic, parsed, written
from core.memory.checkpoints.refusals import Reason, Refusal
from core.memory.checkpoints.shown import Record
from core.session import Turn
from tests.core.memory.checkpoints.talk import count, cut, turn

_TURN = pattern(r"^#(\d+) \[[^\]]+\] (?:(.+?) \(\w+\)|the assistant)[^\n]*:$", MULTILINE)


def assigned(*turns: Turn, covers: Run | None = None, most: int = 1_000) -> Assignment:
    return asked.checkpoint(
        turns, covers=covers or (turns[0].seq, turns[-1].seq), zone=UTC, cut=cut, longest=2_000, most=most
    )


def long(*turns: Turn, most: int = 1_000) -> Assignment:
    """These turns after much talk, so that a record of them is shorter than they are."""
    talk = [turn(seq, "so we talked and talked about this and that " * 20) for seq in range(1, 5)]
    return assigned(*talk, *turns, most=most)


def folded(assignment: Assignment, keep: Callable[[str], bool], *, topic: Topic = Topic.FACTS) -> str:
    """What the folder writes: of what is said, the lines that it is to keep; of records, the entries."""
    (message,) = assignment.messages
    records = "\n".join(one for one in message.text.splitlines() if one.startswith(("# ", "- ")))
    return written([*(one for one in parsed(records) if keep(one.words)), *_told(message.text, keep, topic)])


def _told(text: str, keep: Callable[[str], bool], topic: Topic) -> Sequence[Entry]:
    turns = list(_TURN.finditer(text))
    ends = [one.start() for one in turns[1:]] + [len(text)] * bool(turns)
    told: list[Entry] = []
    for one, end in zip(turns, ends, strict=True):
        said = [words[2:] for words in text[one.end() : end].splitlines() if words.startswith("> ")]
        kept = [words for words in said if keep(words)]
        told += [
            Entry(topic=topic, words=f"{one[2] or 'the assistant'} said that {words}", seqs=((int(one[1]),) * 2,))
            for words in kept
        ]
    return told


def made(text: str, assignment: Assignment) -> Record:
    checkpoint = checked(text, assignment, count)
    assert isinstance(checkpoint, Record), checkpoint
    return checkpoint


def refused(text: str, assignment: Assignment) -> Reason:
    refusal = checked(text, assignment, count)
    assert isinstance(refusal, Refusal), refusal
    return refusal.reason
