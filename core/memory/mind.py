"""The mind: what answering needs beside the session, under one policy, and how long an answer of it may be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import inf

from core.memory.citations import bare
from core.memory.prompts import with_persona
from core.memory.shares import Shares, shares
from core.memory.window import MESSAGE_TOKENS, REPLY_TOKENS, text
from core.model import envelope
from core.model.calibration import Calibration
from core.model.cutting import cut_middle
from core.model.llm import CHARACTERS, Model
from core.model.prices import Prices
from core.model.tokens import Counter
from core.policy import Overrides, Policy
from core.seam.messages import Quote
from core.session import Turn

SHARE = 4
"""The room that is kept for an answer is one part in so many of the model's context, where that is known."""

QUOTED = 6
"""What a message quotes takes at most one part in so many of the window: the whole message has a fifth."""

QUOTES = 12
"""So many quotes of one message are kept: as many files as Discord takes, and what they reply to."""

_COUNTED_EVERY = 400  # characters by which an answer grows before it is counted again
_SLACK = 1.25  # its model counts by a vocabulary of its own, and was told the limit


@dataclass(kw_only=True)
class Mind:
    """What answering needs beside the session: the model, its instructions, how its tokens are counted and paid.

    `records` is what is said of records, to whoever is shown any. `policy` is what is set: the deployment's, until the
    mind is asked for the one of a session. `others` are the models that it may name, each with its own calibration.
    """

    model: Model
    instructions: str
    counter: Counter
    calibration: Calibration
    policy: Policy
    records: str = ""
    prices: Prices = field(default_factory=Prices)
    others: Mapping[str, tuple[Model, Calibration]] = field(default_factory=dict)

    def under(self, overrides: Overrides) -> "Mind":
        """The same, for a session for which this is set."""
        policy = self.policy.under(overrides)
        if policy is self.policy:
            return self
        model, calibration = self.others.get(policy.model, (self.model, self.calibration))
        return replace(self, policy=policy, model=model, calibration=calibration)

    @property
    def calibrations(self) -> Mapping[str, Calibration]:
        """Those of all models that are here, by their names."""
        return {name: calibration for name, (_, calibration) in self.others.items()} | {
            self.model.name: self.calibration
        }

    @property
    def cheaper(self) -> str | None:
        """The name of the cheaper model, where one is set that is here."""
        return self.policy.cheaper_model if self.policy.cheaper_model in self.others else None

    def thrifty(self) -> "Mind":
        """The same with that."""
        model, calibration = self.others.get(self.cheaper or "", (self.model, self.calibration))
        return replace(self, model=model, calibration=calibration)

    def count(self, words: str) -> int:
        """What a message with these words costs in the window."""
        return self.counter.count(words) + MESSAGE_TOKENS

    def count_summary(self, words: str) -> int:
        """What a summary with these words costs in the window, where its links are not shown."""
        return self.count(bare(words))

    def cut(self, words: str, most: int) -> str:
        """The words with their middle cut out, so that they cost at most `most` tokens."""
        return cut_middle(words, most, self.counter)

    def pointed(self, quotes: Sequence[Quote]) -> tuple[Quote, ...]:
        """The quotes, cut so that all of them together take no more than their share of the window.

        Where there are too many, the last one says how many are left out.
        """
        taken = tuple(quotes[:QUOTES])
        if len(quotes) > QUOTES:
            over = len(quotes) - QUOTES + 1
            taken = (*taken[:-1], Quote(kind="attaches", title=f"{over} more", unread="there is no room for more"))
        return tuple(replace(one, text=self.quoted(one.text, len(taken))) for one in taken)

    def quoted(self, words: str, number: int) -> str:
        """The words of one of so many quotes of a message, cut to its part of their share of the window.

        Every line costs its mark as well.
        """
        share = most = self.room // QUOTED // number
        while (cost := self.counter.count(envelope.marked(kept := self.cut(words, most)))) > share and kept:
            most = min(most - 1, most * share // cost)
        return kept

    def size(self, turn: Turn) -> int:
        """What a turn costs as the window shows it."""
        return self.count(text(turn))

    def least(self, words: str) -> int:
        """What these words cost at least; an estimate, which is never too low, would end answers at half the limit."""
        return self.counter.count(words) if self.counter.excess == 1 else len(words) // CHARACTERS

    @property
    def told(self) -> str:
        """What the model is told before the conversation: the instructions, and the persona that is set."""
        return with_persona(self.instructions, self.policy.persona)

    @property
    def told_of_records(self) -> str:
        """The same for whoever is shown records: what they are is said behind it, so that it begins alike."""
        return f"{self.told}\n\n{self.records}" if self.records else self.told

    @property
    def fixed(self) -> int:
        """What that costs, and is kept free also before there are any."""
        return _counted(self.counter, self.told_of_records) + MESSAGE_TOKENS

    @property
    def explaining(self) -> int:
        """How much of it is about records."""
        return self.fixed - _counted(self.counter, self.told) - MESSAGE_TOKENS

    @property
    def shares(self) -> Shares:
        """How the window is shared out."""
        return shares(self.room, self.room - self.fixed - REPLY_TOKENS)

    @property
    def room(self) -> int:
        """The budget by our own count: smaller where the model's tokens have turned out to be smaller than ours."""
        return int(self.limit / self.calibration.measure)

    @property
    def limit(self) -> int:
        """The budget in the model's tokens: what is set, or what the model's context holds beside an answer.

        What is set gives way to the instructions, which take half of it at most: it was enough when it was set, and
        they may have become longer since, by a persona of the workspace or by the operator.
        """
        context, wanted = self.model.context, max(self.policy.context_tokens, 2 * self.fixed)
        return wanted if context is None else min(wanted, context - context // SHARE)


@lru_cache(128)
def _counted(counter: Counter, instructions: str) -> int:
    """They are the same for every answer, and may be long."""
    return counter.count(instructions)


class Length:
    """How long an answer has become: a model that never stops is held to the limit by us, too.

    `most` is the limit where it is less than the policy's.
    """

    def __init__(self, mind: Mind, most: int | None = None) -> None:
        self._mind = mind
        self._most = inf if most is None else most
        self._seen = self._tokens = 0

    def is_over(self, words: str) -> bool:
        """Whether the answer with these words, which begin with those of before, is longer than the mind allows."""
        if len(words) - self._seen < _COUNTED_EVERY:
            return False
        self._tokens += self._mind.least(words[self._seen :])
        self._seen = len(words)
        return self._tokens > min(self._mind.policy.answer_tokens * _SLACK, self._most)
