"""The window: the part of a session that the model is shown for one answer, built by one pure function from its parts.

Fixed instructions, then the checkpoints that stand in place of older turns, then the newest turns, oldest first, then
the question. A question is never parted from its answer; one oversized message is cut in its middle. What was overheard
is shown at most twenty messages deep before each question. All before the question is the beginning of the next window,
until turns are folded, or old ones have to drop out, many at once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from typing import Literal

from core.memory import beginning
from core.memory.brevity import Count, Cut, brief
from core.memory.checkpoints.shown import told
from core.memory.citations import bare
from core.memory.shares import Shares, shares
from core.model.envelope import spoken
from core.model.llm import Message
from core.session import Checkpoint, Fold, Kind, Role, ShownPart, Turn, Validity

MESSAGE_TOKENS = 4
"""What a message costs beside its text: three for the frame, one for the role (OpenAI's cookbook, up to gpt-4o)."""

_PARTING = 2
"""What the end of the quotes costs, and that the words behind it are counted by themselves."""

REPLY_TOKENS = 3
"""What the beginning of the reply costs, once (the same source)."""


RECORDS = 2
"""What is shown in place of turns takes one part in so many of the room at most: there may be more than is planned, as
after an undo.
"""


SectionName = Literal["instructions", "old summary", "checkpoints", "state", "turns", "overheard", "question", "room"]
"""What a window is made of; room is what it leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of a window: what it costs by our count, and how many turns it holds as they were said.

    `turns` are the session's own.
    """

    name: SectionName
    tokens: int
    turns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What the model is shown: the messages, and what they are made of, section by section.

    `seqs` are the turns before the question that are shown as they were said, as runs of numbers from the first to the
    last, and `unshown` those that have no room, of what is read for it. `oldest` is when the first of them was said
    (seconds since 1970), `since` the same, but only where something older had no room. `checkpoints` are those that are
    shown in place of others.
    """

    messages: tuple[Message, ...]
    sections: tuple[Section, ...]
    seqs: tuple[tuple[int, int], ...] = ()
    unshown: tuple[tuple[int, int], ...] = ()
    oldest: float | None = None
    since: float | None = None
    checkpoints: tuple[Checkpoint, ...] = ()

    @property
    def tokens(self) -> int:
        """What all of it costs by our count."""
        return sum(section.tokens for section in self.sections)

    @property
    def turns(self) -> int:
        """How many turns it holds, the question among them."""
        return sum(section.turns for section in self.sections)

    @property
    def overheard(self) -> int:
        """How many of them were not said to us."""
        return sum(section.turns for section in self.sections if section.name == "overheard")

    @property
    def parts(self) -> tuple[ShownPart, ...]:
        """What it is made of, in order: each checkpoint by itself, and every other section; without what is empty."""
        sections = [ShownPart(one.name, one.tokens) for one in self.sections if one.name not in _FOLDED.values()]
        told = [ShownPart(_FOLDED[one.kind], one.tokens, (one.first, one.last)) for one in self.checkpoints]
        return tuple(one for one in (*sections[:1], *told, *sections[1:]) if one.tokens)

    @property
    def first(self) -> int | None:
        """The seq of the oldest turn that it shows or tells of; None where there is none before the question."""
        told = [one.first for one in self.checkpoints] + [run[0] for run in self.seqs]
        return min(told, default=None)


def build(
    question: Turn | None,
    newest_first: Iterable[Turn],
    *,
    budget: int,
    fixed: int,
    cut: Cut,
    explaining: int = 0,
    count: Count | None = None,
    checkpoints: Sequence[Checkpoint] = (),
) -> Window:
    """The window of at most `budget` tokens, of which the instructions take `fixed`.

    So much of that is `explaining` what checkpoints are: it is kept free, but takes nothing where none is shown. So the
    first one changes no turn's size.
    The question is always in it, cut down to a message's share if need be; without one, the window is what the next
    question would find. Tokens are those stored with each turn; with `count`, what is quoted is brief where the window
    holds it. The `checkpoints`, oldest first and the state behind them, are shown in place of the turns that they tell
    of, which are not among those given.
    """
    room = budget - fixed - REPLY_TOKENS
    parts = shares(budget, room)
    asked = [] if question is None else [question]
    known = list(beginning.limited(newest_first, parts))
    folded = _newest(checkpoints, room // RECORDS)
    new = sum(_asks(turn, parts) for turn in asked)
    left = room - new - sum(one.tokens for one in folded)
    shown = beginning.chosen(known, left, parts, asked=new)[::-1]
    turns, seqs = [*shown, *asked], {turn.seq for turn in shown}
    spared = 0 if any(one.text for one in folded) else explaining
    briefly = turns if count is None else brief(turns, cut, count)
    ordered = [_fitted(turn, beginning.most(turn, parts), cut, count) for turn in briefly]
    parted = [(_section(turn, question), tokens) for turn, (_, tokens) in zip(turns, ordered, strict=True)]
    return Window(
        messages=tuple(_woven(shown, [message for message, _ in ordered], folded)),
        sections=(
            Section(name="instructions", tokens=fixed + REPLY_TOKENS - spared),
            *_told(folded),
            *(_summed(name, parted) for name in ("turns", "overheard", "question")),
        ),
        seqs=_runs(sorted(seqs)),
        unshown=_runs(sorted({turn.seq for turn in known} - seqs)),
        oldest=shown[0].at if shown else None,
        since=shown[0].at if shown and len(shown) < len(known) else None,
        checkpoints=folded,
    )


def _asks(question: Turn, parts: Shares) -> int:
    """What room a question has. One that is not kept has the same whatever its length, as no fold follows it: else the
    beginning would be another one with each.
    """
    return parts.message if question.validity is Validity.UNRECORDED else beginning.cost(question, parts)


def _newest(checkpoints: Sequence[Checkpoint], room: int) -> tuple[Checkpoint, ...]:
    """As many of them as have room, from the last one back: after an undo there may be more than were ever planned."""
    sizes = accumulate(one.tokens for one in reversed(checkpoints))
    fitting = sum(1 for size in sizes if size <= room)
    return tuple(checkpoints[len(checkpoints) - fitting :])


def _woven(turns: Sequence[Turn], messages: Sequence[Message], folded: Sequence[Checkpoint]) -> Iterator[Message]:
    """The messages of these turns, with each checkpoint before the first turn that comes after what it tells of.

    So turns that none tells of, as after an undo, stand in their place between them. The state is behind the last one,
    and the question, the last message, behind all.
    """
    texts = zip(folded, told(folded), strict=True)
    # of turns that are all gone, nothing is told
    left = [(one.last, Message(role="user", text=text)) for one, text in texts if one.text]
    for turn, message in zip(turns, messages, strict=False):
        while left and left[0][0] < turn.seq:
            yield left.pop(0)[1]
        yield message
    yield from (message for _, message in left)
    yield from messages[len(turns) :]


_FOLDED: Mapping[Fold, SectionName] = {
    Fold.OLD: "old summary",
    Fold.CHECKPOINT: "checkpoints",
    Fold.STATE: "state",
}
"""The sections of what is shown in place of turns, in their order."""


def _told(folded: Sequence[Checkpoint]) -> Iterator[Section]:
    """What they cost, kind by kind; nothing of a kind that there is none of."""
    for kind, name in _FOLDED.items():
        if any(one.kind is kind for one in folded):
            yield Section(name=name, tokens=sum(one.tokens for one in folded if one.kind is kind))


def _section(turn: Turn, question: Turn | None) -> SectionName:
    if turn is question:
        return "question"
    return "overheard" if turn.kind is Kind.OVERHEARD else "turns"


def _summed(name: SectionName, parted: Sequence[tuple[SectionName, int]]) -> Section:
    tokens = [cost for section, cost in parted if section == name]
    return Section(name=name, tokens=sum(tokens), turns=len(tokens))


def _runs(seqs: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Numbers in order, as runs without a gap: the first and the last of each."""
    runs = [list(run) for _, run in groupby(enumerate(seqs), key=lambda one: one[1] - one[0])]
    return tuple((run[0][1], run[-1][1]) for run in runs)


_Fitted = tuple[Message, int]


def _fitted(turn: Turn, most: int, cut: Cut, count: Count | None) -> _Fitted:
    """A turn as a message, and its tokens; what is over `most` tokens loses its middle, never its speaker."""
    words, tokens = text(turn), turn.tokens
    if tokens > most:
        words = _parted(turn, most, cut, count) if turn.quotes and count else cut(words, most - MESSAGE_TOKENS)
        tokens = most
    return Message(role="assistant" if turn.role is Role.ASSISTANT else "user", text=words), tokens


def _parted(turn: Turn, most: int, cut: Cut, count: Count) -> str:
    """What a turn quotes and its own words, each cut by itself: where one ends and the other begins is never lost.

    The quotes have half of what there is, or what the words leave; without a word of theirs they are left out from the
    last one on.
    """
    own = count(turn.text) - MESSAGE_TOKENS + _PARTING
    quotes, part = turn.quotes, max(most // 2, most - own)
    share = part
    while quotes and count(text(turn._replace(text="", quotes=quotes))) > part:
        share //= 2
        quotes = (
            tuple(replace(one, text=cut(one.text, share // len(quotes))) for one in quotes) if share else quotes[:-1]
        )
    head = count(text(turn._replace(text="", quotes=quotes)))
    return text(turn._replace(text=cut(turn.text, most - head - _PARTING), quotes=quotes))


def text(turn: Turn) -> str:
    """A turn as the model reads it: a person's with its speaker, the assistant's as it was, a summary without links."""
    if turn.kind is Kind.SUMMARY:
        return bare(turn.text)
    if turn.role is Role.ASSISTANT or turn.author is None:
        return turn.text
    return spoken(turn.author, turn.at, turn.text, turn.quotes)
