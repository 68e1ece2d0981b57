"""What a model is asked to write, and what that is held against: a checkpoint of turns, or of other checkpoints.

The order stands before and behind what people wrote, and that is between marks; so a small model, which follows what it
read last, reads ours last. An old summary is made of nodes, and a state of checkpoints, never of the one before: in a
simulation of 3,000 exchanges, one edited turn made 175 versions of a rewritten summary stale, and 5 texts of a tree.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo

from core.memory.brevity import Cut
from core.memory.checkpoints.disguises import line
from core.memory.checkpoints.form import Run, State, Topic
from core.memory.checkpoints.material import moment, said
from core.memory.checkpoints.prompts import ORDER, instructions
from core.memory.checkpoints.refusals import REMEDIES, Reason
from core.memory.checkpoints.shown import Record, block
from core.memory.checkpoints.wording import decides
from core.model.llm import Message
from core.session import Fold, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What is to be written, what from, and what it is held against.

    `covers` are the turns that it is about, said from `since` to `until`; `times` tells when, by seq, in order.
    `decisions` are the lines that tell one. What it stands for costs `tokens` in a window; it may cost `most`.
    """

    kind: Fold
    instructions: str
    material: str
    covers: Run
    since: datetime
    until: datetime
    times: tuple[tuple[int, datetime], ...]
    decisions: tuple[str, ...]
    tokens: int
    most: int

    @property
    def messages(self) -> tuple[Message, ...]:
        """What the model is shown beside the instructions."""
        first, last = self.covers
        order = ORDER.format(first=first, last=last)
        return (Message(role="user", text=f"{self.material}\n\n{order}"),)


def checkpoint(turns: Sequence[Turn], *, covers: Run, zone: tzinfo, cut: Cut, longest: int, most: int) -> Assignment:
    """A checkpoint of at least one turn, oldest first, of which each is shown with at most about `longest` tokens."""
    words = _shown(turns, zone, cut, longest)
    return _assigned(Fold.CHECKPOINT, covers, most, turns=turns, words=words, zone=zone)


def node(parts: Sequence[Record], *, most: int) -> Assignment:
    """One text for at least one checkpoint or node, which follow one another."""
    return _assigned(Fold.NODE, _span(parts), most, parts=parts)


def old(nodes: Sequence[Record], *, most: int) -> Assignment:
    """The old summary, of the highest nodes that there are of its turns."""
    return _assigned(Fold.OLD, _span(nodes), most, parts=nodes)


def state(
    parts: Sequence[Record],
    turns: Sequence[Turn],
    *,
    covers: Run,
    zone: tzinfo,
    cut: Cut,
    longest: int,
    most: int,
) -> Assignment:
    """How things stand after these checkpoints and the turns behind them; there is at least one of either."""
    words = _shown(turns, zone, cut, longest)
    return _assigned(Fold.STATE, covers, most, parts=parts, turns=turns, words=words, zone=zone)


def order(kind: Fold, most: int) -> tuple[str, str]:
    """What stands before what is to be read, and behind it, whatever that is."""
    return instructions(kind, most), ORDER.format(first=_NUMBER, last=_NUMBER)


_NUMBER = 99_999  # no shorter than those of turns


def again(assignment: Assignment, reason: Reason) -> Assignment:
    """The same, asked once more, with the remedy for what was wrong."""
    remedy = f"{assignment.instructions}\nA first attempt was no use. {REMEDIES[reason]}\n"
    return replace(assignment, instructions=remedy)


def shortened(assignment: Assignment, material: str) -> Assignment:
    """The same of this much of the material, and held against no decision that is not in it any more."""
    left = line(material)
    return replace(assignment, material=material, decisions=tuple(one for one in assignment.decisions if one in left))


def _assigned(
    kind: Fold,
    covers: Run,
    most: int,
    *,
    parts: Sequence[Record] = (),
    turns: Sequence[Turn] = (),
    words: str = "",
    zone: tzinfo = UTC,
) -> Assignment:
    """`words` are the turns as they are shown, with times in this zone; those of checkpoints have theirs."""
    moments = [moment(turn, zone) for turn in turns]
    return Assignment(
        kind=kind,
        instructions=instructions(kind, most),
        material="\n\n".join(filter(None, (*map(block, parts), words))),
        covers=covers,
        since=min([*(part.since for part in parts), *moments]),
        until=max([*(part.until for part in parts), *moments]),
        times=_times(parts, zip((turn.seq for turn in turns), moments, strict=True)),
        decisions=(*_decided(parts), *_deciding(words)),
        tokens=sum(part.tokens for part in parts) + sum(turn.tokens for turn in turns),
        most=most,
    )


def _shown(turns: Sequence[Turn], zone: tzinfo, cut: Cut, longest: int) -> str:
    """The turns between marks."""
    if not turns:
        return ""
    named = f"turns {turns[0].seq}-{turns[-1].seq}"
    return f"[[{named}]]\n{said(turns, zone, cut, longest)}\n[[end of {named}]]"


def _span(parts: Sequence[Record]) -> Run:
    return min(part.covers[0] for part in parts), max(part.covers[1] for part in parts)


def _times(parts: Sequence[Record], turns: Iterable[tuple[int, datetime]]) -> tuple[tuple[int, datetime], ...]:
    """When each turn was said, as far as is known: a line of a checkpoint tells it of the first that it names."""
    known = {part.covers[0]: part.since for part in parts}
    told = [(entry.seqs[0][0], entry.at) for part in parts for entry in part.entries if entry.seqs and entry.at]
    return tuple(sorted((known | dict(told) | dict(turns)).items()))


def _decided(parts: Sequence[Record]) -> list[str]:
    """The lines that tell a decision which still holds."""
    lines = [entry for part in parts for entry in part.entries if entry.topic is Topic.DECIDED]
    return [entry.words for entry in lines if entry.state is not State.SUPERSEDED]


def _deciding(words: str) -> list[str]:
    """The lines of what people said, none of those that they quote, that look like a decision."""
    return [line(one[2:]) for one in words.splitlines() if one.startswith("> ") and decides(one[2:])]
