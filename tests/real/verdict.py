"""The judgement: every question is answered or told why not, and no answer is endless or begins as people's do."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.real.tap import Request

_ENVELOPE = re.compile(r"\s*\[[^\[\]()\n]{1,90} \([^()\[\]\n]+\) \d{4}-\d\d-\d\d[^\[\]\n]*\]")
"""How the chat system names a speaker: `[Ada (U1) 2026-11-22 14:03]`."""

_MARGIN = 60
"""Tokens that an answer on screen may have over the ceiling: our word that it was cut, and how a platform draws it."""

Kind = Literal["nothing said", "too long again", "envelope", "runaway", "no answer at all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One question, and what came of it.

    `texts` are the messages that people see of it, `tokens` is what they are to the model. `why` is what the program's
    own record gives as the reason that it is no answer. `over` says that the program has done with it.
    """

    number: int
    author: str
    seconds: float
    texts: tuple[str, ...]
    tokens: int
    why: str | None
    over: bool
    requests: tuple[Request, ...]

    @property
    def is_said(self) -> bool:
        """Whether people see anything in return, and all of it."""
        return self.over and any(text.strip() for text in self.texts)

    @property
    def is_answered(self) -> bool:
        """Whether they see an answer by the model."""
        return self.is_said and self.why is None

    @property
    def longest(self) -> int:
        """The characters of the longest message on screen."""
        return max(map(len, self.texts), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offence:
    """One thing that is not as it must be."""

    kind: Kind
    number: int
    why: str


def judge(told: Sequence[Told], *, ceiling: int) -> list[Offence]:
    """All that is wrong with a conversation in which an answer may have so many tokens."""
    found = [offence for one in told for offence in _of_one(one, ceiling)]
    found += _length_not_learnt(told)
    if not any(one.is_answered for one in told):
        found.append(Offence(kind="no answer at all", number=0, why="the model has answered nothing"))
    return sorted(found, key=lambda offence: offence.number)


def _of_one(one: Told, ceiling: int) -> Iterator[Offence]:
    if not one.is_said:
        why = "nothing is on screen" if one.over else "the program has not done with it"
        yield Offence(kind="nothing said", number=one.number, why=f"{why} after {one.seconds:.0f} s")
    if one.texts and (begins := _ENVELOPE.match(one.texts[0])):
        yield Offence(kind="envelope", number=one.number, why=f"the answer begins with {begins[0].strip()!r}")
    if one.tokens > ceiling + _MARGIN:
        why = f"{one.tokens} tokens in {len(one.texts)} messages, where {ceiling} are the most"
        yield Offence(kind="runaway", number=one.number, why=why)


def _length_not_learnt(told: Sequence[Told]) -> Iterator[Offence]:
    """Once the server has said what is too long, no question may fail for its length."""
    known = False
    for one in told:
        if known and one.requests and one.requests[-1].too_long:
            why = f"{one.requests[-1].shown} tokens in the last of {len(one.requests)} requests"
            yield Offence(kind="too long again", number=one.number, why=why)
        known = known or any(request.too_long for request in one.requests)
