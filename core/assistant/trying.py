"""Trying: what the model is asked first, and then with less, where it could not take what it was shown."""

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import groupby

import structlog

from core.assistant.cases import Case
from core.assistant.sifting import MOST
from core.errors import (
    EmptyAnswer,
    Flagged,
    ModelError,
    ModelMisconfigured,
    ModelRefused,
    RequestNotTaken,
    WindowTooLong,
)
from core.memory import numbering
from core.memory.shares import shares
from core.memory.window import REPLY_TOKENS, Window, build
from core.session import Checkpoint, Role, Turn

log = structlog.get_logger()

_LEAST = 64  # tokens that a question must have beside the instructions

Exchange = Sequence[Turn]
"""The turns of one seq: what was said, and the answer to it."""


class Tries:
    """What is asked in one case: less each time that the model could not take it, until nothing can be left out.

    Raises ModelMisconfigured where not even the question has room from the beginning.
    """

    def __init__(self, case: Case, told: Sequence[Turn], checkpoints: Sequence[Checkpoint]) -> None:
        self._case = case
        self._mind = case.mind
        self._told = told
        self._checkpoints = checkpoints
        self._room = case.mind.room
        if self._room < case.mind.fixed + _LEAST:
            raise ModelMisconfigured("The instructions leave no room for a question in the model's context.")
        self._empty = False
        self._found = 0
        self.refused = list[Turn]()

    @property
    def _shown(self) -> Sequence[Turn]:
        return [turn for turn in self._told if turn not in self.refused]

    def suspects(self, error: ModelError) -> Sequence[Exchange]:
        """The exchanges of which one may have been refused by this error: those that were never answered, or else all.

        None where it is not about words, nor once too many were found.
        """
        if not isinstance(error, ModelRefused) or isinstance(error, Flagged) or self._found >= MOST:
            return ()
        said = _suspects(self._shown, certain=True)
        return [tuple(turns) for _, turns in groupby(said, key=lambda turn: turn.seq)]

    async def window(self, question: Turn, only: Sequence[Exchange] | None = None) -> Window:
        """What the model is shown this time, or `only` a part of it; for a summary, with the numbers of the turns.

        Those are made beside the event loop: every word of the turns is looked through for them.
        """
        mind, shown = self._mind, self._shown if only is None else [turn for one in only for turn in one]
        windowed = partial(
            build,
            newest_first=shown,
            budget=self._room,
            fixed=mind.fixed,
            explaining=mind.explaining,
            cut=mind.cut,
            count=mind.count,
            checkpoints=self._checkpoints,
        )
        if self._case.order is None:
            return windowed(question)
        parts = shares(self._room, self._room - mind.fixed - REPLY_TOKENS)
        return await asyncio.to_thread(numbering.built, windowed, question, shown, parts, mind.count)

    def leave_out_exchange(self, found: Exchange) -> None:
        """Asks without what was found to be refused."""
        self._found += 1
        self.refused += found

    def leave_out_records(self, error: ModelError) -> None:
        """Asks without what is folded. Raises the error where nothing is."""
        if not self._checkpoints:
            raise error
        self._checkpoints = ()

    def leave_out(self, error: ModelError) -> None:
        """Changes what is asked next, after this error. Raises a ModelError where that is no use any more."""
        match error:
            case WindowTooLong():
                if error.answered and self._empty:
                    raise error
                self._empty = self._empty or error.answered
                self._room = self._smaller()
                log.warning("window too long for the model", session=self._case.session, tokens=self._room)
            case EmptyAnswer() if not self._empty:
                self._empty = True  # the same, complete and useless, is asked for once more
            case Flagged():
                raise error
            case ModelRefused() | RequestNotTaken():
                suspects = _suspects(self._shown, certain=isinstance(error, ModelRefused))
                if not suspects:
                    self.leave_out_records(error)
                self.refused += suspects
            case _:
                raise error

    def _smaller(self) -> int:
        """What to try after a window of this room was too long: what is known by now, or half. Raises WindowTooLong."""
        smaller = self._mind.room if self._mind.room < self._room else self._room // 2
        if smaller < self._mind.fixed + _LEAST:
            raise WindowTooLong("Not even the question has room in the model's context.")
        return smaller


def _suspects(told: Sequence[Turn], *, certain: bool) -> Sequence[Turn]:
    """What the provider may have refused beside the question: what was never answered, and then all of before.

    Where it is not `certain` that words are the reason, what it has answered before is above suspicion.
    """
    answered = {turn.seq for turn in told if turn.role is Role.ASSISTANT}
    return [turn for turn in told if turn.seq not in answered] or (told if certain else ())
