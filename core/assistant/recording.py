"""Recording: the model writes one text of a fold; it is checked, and asked for once more where it is no use."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from core.assistant import drawing
from core.assistant.sifting import sifted
from core.assistant.streaming import written
from core.assistant.tabs import Tabs
from core.budget.holding import Account
from core.errors import EmptyAnswer, ModelRefused, ModelStalled
from core.memory.checkpoints import asked
from core.memory.checkpoints.asked import Assignment
from core.memory.checkpoints.checks import checked
from core.memory.checkpoints.refusals import Reason, Refusal
from core.memory.checkpoints.shown import Record
from core.memory.folding import Part, Text
from core.memory.mind import Mind
from core.memory.window import REPLY_TOKENS
from core.model.llm import Cause, Prompt
from core.session import Fold, SessionKey, Turn
from core.store import Database
from core.timings import Clock, Timings

_ATTEMPTS = 2
_ROOM = 3  # times the length that a text may have: its model may have smaller tokens than those we count
_EFFORT = "low"  # a record is copied out more than thought out


class Unusable(Exception):
    """What the model wrote is no use, also when asked once more."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.name)
        self.reason = reason


class Writer:
    """Has the texts of folds written, each paid for by its session's channel."""

    def __init__(self, *, database: Database, timings: Timings, clock: Clock) -> None:
        self._timings = timings
        self._tabs = Tabs(database=database, clock=clock)

    async def told(
        self,
        mind: Mind,
        key: SessionKey,
        text: Text,
        said: Sequence[Turn],
        records: Mapping[Part, Record],
        *,
        least: int = 0,
    ) -> tuple[Record, str]:
        """What the model writes for this text, and which model that was; without turns that the provider refuses.

        What it stands for counts as `least` tokens at least. Raises a ModelError, or Unusable.
        """

        async def assigned(turns: Sequence[Turn]) -> Assignment:
            given = await asyncio.to_thread(drawing.assigned, mind, text, turns, records)
            return replace(given, tokens=max(given.tokens, least))

        async def write(turns: Sequence[Turn]) -> tuple[Record, str]:
            return await self._text(mind, key, await assigned(turns))

        async def attempt(turns: Sequence[Turn]) -> object:
            return await self._attempt(mind, key, await assigned(turns))

        return await sifted(drawing.within(said, text.part), write, attempt)

    async def _text(self, mind: Mind, key: SessionKey, assignment: Assignment) -> tuple[Record, str]:
        """What the model writes, and which model that was. Raises a ModelError, or Unusable."""
        mind, given, reason = _long_enough(mind, assignment), assignment, Reason.EMPTY
        for _ in range(_ATTEMPTS):
            found, model = await self._attempt(mind, key, given)
            if isinstance(found, Record):
                return found, model
            reason = found.reason
            given = asked.again(assignment, reason)
        raise Unusable(reason)

    async def _attempt(self, mind: Mind, key: SessionKey, given: Assignment) -> tuple[Record | Refusal, str]:
        account = Account(key=key, author="", policy=mind.policy, prices=mind.prices)
        seconds = self._timings.fold_text
        try:
            async with self._tabs.open(account, seconds=seconds) as tab, asyncio.timeout(seconds):
                words, finish = await written(mind, _prompt(mind, key, given), tab=tab)
        except TimeoutError as error:
            raise ModelStalled("One text of a fold took too long.") from error
        except EmptyAnswer:
            return Refusal(reason=Reason.EMPTY), mind.model.name
        if finish.cut == "filter":
            raise ModelRefused("The provider's content filter has ended one text of a fold.")
        if finish.cut is not None:
            return Refusal(reason=Reason.CUT), finish.model
        found = await asyncio.to_thread(checked, words, given, mind.count)
        if given.kind is Fold.STATE and found == Refusal(reason=Reason.EMPTY):
            found = _nothing(given)
        return found, finish.model


def _long_enough(mind: Mind, given: Assignment) -> Mind:
    """The same, under a policy by which what is written may be as long as it is asked for, however short answers are.

    Else a channel that is set to short answers would never be folded.
    """
    longest = max(mind.policy.answer_tokens, _ROOM * given.most)
    return replace(mind, policy=replace(mind.policy, answer_tokens=longest))


def _nothing(given: Assignment) -> Record:
    """A state of which there is nothing to tell: nothing is decided or open."""
    return Record(kind=given.kind, covers=given.covers, since=given.since, until=given.until, text="", tokens=0)


def _prompt(mind: Mind, key: SessionKey, given: Assignment) -> Prompt:
    """Asked once, and of no conversation: nothing of it is worth a place in the provider's cache."""
    told = sum(mind.count(message.text) for message in given.messages)
    return Prompt(
        instructions=given.instructions,
        messages=given.messages,
        tokens=mind.count(given.instructions) + told + REPLY_TOKENS,
        conversation="",
        cause=Cause(workspace=key.workspace, session=key.session, seq=given.covers[1], author=None, purpose="fold"),
        answer_tokens=mind.policy.answer_tokens,
        effort=_EFFORT,
    )
