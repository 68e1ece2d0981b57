"""Epochs: the reasons for which what stands before a question may change from one window to the next; all of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from core.memory.window import Window
from core.seam.cache import Recent
from core.session import Fold


class Epoch(StrEnum):
    """Why a window does not begin with what stood before the last question of its session."""

    MODEL = "model"  # another one is asked
    SETTINGS = "settings"  # other instructions, or another budget
    MEASURE = "measure"  # the budget holds more or less of our tokens than we knew
    RESET = "reset"  # nothing of before is in view, by a command or a closed place
    UNDO = "undo"  # older turns are in view again
    FOLD = "fold"  # checkpoints stand in place of turns
    STEP = "step"  # old turns had no room any more
    ERASURE = "erasure"  # a turn is gone: deleted, or refused by the model's provider
    LATE = "late"  # a turn stands among older ones: it arrived late, or was called upon late
    EDIT = "edit"  # a turn has other words: edited, or made again, or what it has attached was read


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """What stood before a question: what was set, and the messages, each by its hash.

    `seqs` are the turns that were shown, as runs of numbers from the first to the last, and `told` those in whose place
    checkpoints were; together all that there are if `whole`.
    """

    model: str
    instructions: str
    budget: int
    room: int
    messages: tuple[int, ...]
    seqs: tuple[tuple[int, int], ...]
    told: tuple[tuple[int, int], ...]
    whole: bool

    @classmethod
    def of(cls, window: Window, *, model: str, instructions: str, budget: int, room: int) -> "Prefix":
        """That of a window whose last message is its question."""
        return cls(
            model=model,
            instructions=instructions,
            budget=budget,
            room=room,
            messages=tuple(map(hash, window.messages[:-1])),
            seqs=window.seqs,
            told=tuple((one.first, one.last) for one in window.checkpoints if one.kind is not Fold.STATE),
            whole=window.since is None,
        )


def why(before: Prefix, after: Prefix) -> Epoch | None:
    """Why the one does not begin with the other; None where it does."""
    if before.model != after.model:
        return Epoch.MODEL
    if before.instructions != after.instructions:
        return Epoch.SETTINGS
    if after.messages[: len(before.messages)] == before.messages:
        return None
    if before.budget != after.budget:
        return Epoch.SETTINGS
    return Epoch.MEASURE if before.room != after.room else _of_turns(before, after)


def _of_turns(before: Prefix, after: Prefix) -> Epoch:
    """Why, by which turns stand no more, and which stand only now."""
    then, now = _all(before), _all(after)
    if not then & now:
        return Epoch.RESET
    if min(now) < min(then):
        return Epoch.UNDO
    if after.told != before.told:  # what is stale is shown as it was said, until it is told again
        return Epoch.FOLD if len(_seqs(after.told)) > len(_seqs(before.told)) else Epoch.EDIT
    if min(now) > min(then) and not after.whole:
        return Epoch.STEP
    if then - now or _lacks(before.messages, after.messages):
        return Epoch.ERASURE
    return Epoch.LATE if any(seq < max(then) for seq in now - then) else Epoch.EDIT


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

    def note(self, session: str, prefix: Prefix) -> Epoch | None:
        """Why it does not begin with the one before; None where it does, or that is not known."""
        before = self._last.get(session)
        self._last.note(session, prefix)
        return None if before is None else why(before, prefix)
