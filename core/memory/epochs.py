"""Epochs: the reasons for which what stands before a question may change from one window to the next; all of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from core.memory.window import Window
from core.seam.cache import Recent
from core.session import Fold
from core.store.segments import Move


class Epoch(StrEnum):
    """Why a window does not begin with what stood before the last question of its session."""

    MODEL = "model"  # another one is asked
    SETTINGS = "settings"  # other instructions, or another budget
    MEASURE = "measure"  # the budget holds more or less of our tokens than we knew
    RESET = "reset"  # what was said before is set aside, by a command or a closed place
    UNDO = "undo"  # a reset was taken back, or the newest undo
    FOLD = "fold"  # checkpoints stand in place of turns
    STEP = "step"  # old turns had no room any more, or have it again
    ERASURE = "erasure"  # a turn is gone from its place: deleted, refused by the provider, or called upon late
    LATE = "late"  # a turn stands among older ones: it arrived late
    EDIT = "edit"  # a turn has other words: edited, or made again, or what it has attached was read


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """What stood before a question: what was set, and the messages, each by its hash.

    `seqs` are the turns that were shown, as runs of numbers from the first to the last, and `told` those in whose place
    checkpoints were; together all that there are if `whole`. Others were `unshown`, for want of room. `asked` is the
    newest question's seq: this one, or one before, where an old turn was called upon late.
    """

    asked: int
    model: str
    instructions: str
    budget: int
    room: int
    messages: tuple[int, ...]
    seqs: tuple[tuple[int, int], ...]
    told: tuple[tuple[int, int], ...]
    unshown: tuple[tuple[int, int], ...]
    whole: bool

    @classmethod
    def of(cls, window: Window, *, asked: int, model: str, instructions: str, budget: int, room: int) -> "Prefix":
        """That of a window whose last message is its question."""
        return cls(
            asked=asked,
            model=model,
            instructions=instructions,
            budget=budget,
            room=room,
            messages=tuple(map(hash, window.messages[:-1])),
            seqs=window.seqs,
            told=tuple((one.first, one.last) for one in window.checkpoints if one.kind is not Fold.STATE),
            unshown=window.unshown,
            whole=window.since is None,
        )

    def follows(self, before: "Prefix") -> bool:
        """Whether it begins with that one."""
        same = (self.model, self.instructions) == (before.model, before.instructions)
        return same and self.messages[: len(before.messages)] == before.messages


def why(before: Prefix, after: Prefix, moved: Move | None = None) -> Epoch:
    """Why the one does not begin with the other; `moved` is what has moved the view between the two questions."""
    if before.model != after.model:
        return Epoch.MODEL
    if before.instructions != after.instructions:
        return Epoch.SETTINGS
    if moved is not None:
        return Epoch.UNDO if moved is Move.UNDO else Epoch.RESET
    if before.budget != after.budget:
        return Epoch.SETTINGS
    return Epoch.MEASURE if before.room != after.room else _of_turns(before, after)


def _of_turns(before: Prefix, after: Prefix) -> Epoch:
    """Why, by which turns stand no more, and which stand only now."""
    then, now = _all(before), _all(after)
    if after.told != before.told:  # what is stale is shown as it was said, until it is told again
        return Epoch.FOLD if len(_seqs(after.told)) > len(_seqs(before.told)) else Epoch.EDIT
    gone, shown = then - now, _seqs(after.seqs)
    if gone and not after.whole and (not shown or min(gone) < min(shown) or gone & _seqs(after.unshown)):
        return Epoch.STEP
    if not before.whole and _has_more(before, after):
        return Epoch.STEP
    if gone or _lacks(before.messages, after.messages):
        return Epoch.ERASURE
    first = min(then) if not before.whole else min(now)  # what is older may have had no room before
    return Epoch.LATE if any(first <= seq < max(then) for seq in now - then) else Epoch.EDIT


def _has_more(before: Prefix, after: Prefix) -> bool:
    """Whether older turns are shown again that had no room, and what was shown then stands as it did."""
    unshown = _seqs(before.unshown)
    older = any(seq < min(_seqs(before.seqs)) or seq in unshown for seq in _all(after) - _all(before))
    return older and _lacks(after.messages, before.messages)


def _lacks(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """Whether some messages are gone, and all that is left of the rest stands as it did."""
    left = tuple(one for one in before if one in after)
    return after[: len(left)] == left


def _all(prefix: Prefix) -> set[int]:
    return _seqs((*prefix.seqs, *prefix.told))


def _seqs(runs: Iterable[tuple[int, int]]) -> set[int]:
    return {seq for first, last in runs for seq in range(first, last + 1)}


class Epochs:
    """What stood before the last question of each session, as far as this process remembers it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._last: Recent[Prefix] = Recent(1_000, clock=clock)

    def note(self, session: str, prefix: Prefix) -> Prefix | None:
        """The one before, where this one does not begin with it; None where it does, or that is not known."""
        before = self._last.get(session)
        asked = prefix.asked if before is None else max(prefix.asked, before.asked)
        self._last.note(session, replace(prefix, asked=asked))
        return None if before is None or prefix.follows(before) else before
