"""Traces: what an answer has of one person's words, sentence by sentence, so that the rest of it may stay.

A sentence is a trace if it has a telling word that nobody else has said there, or three words in a row that nobody
else has. Rather a sentence too many is taken out than one too few: a model has its words from somewhere.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

TAKEN_OUT = "[…]"
"""What stands in place of sentences that were taken out."""

_RUN = 3  # words
_SHORTEST = 3  # letters of a word that tells something by itself

_WORD = re.compile(r"[^\W_]+(?:['’_-][^\W_]+)*")
_SENTENCE = re.compile(  # a dot within a word or a number ends none
    r"[^\n.!?。！？]*(?:[.!?](?![\s)\]\"'*`_]|$)[^\n.!?。！？]*)*[.!?。！？]*[)\]\"'*`_]*[ \t]*|\n"
)
_SPACELESS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]")

_COMMON = frozenset(
    _WORD.findall("""
    about above after again against ago all also always and another any anyone anything are around ask asked
    because been before being below best better between both but call came can cannot code come could day
    days did does doing don't done down each early either else end even ever every everything few file find
    first for found from get give given goes going good got great had has have having hello help her here
    him his hour how i'll i'm into isn't it's its just keep kind know last later least less let let's like
    little long look made make many may maybe mean meet might more most much must name need needs never new
    next nice not note noted nothing now off often old once one only open other our out over own people per
    place please point question rather really right said same say says see set shall she should show since
    small some someone something soon still such sure take tell than thank thanks that that's the their them
    then there these they thing things think this those though three through time today together told
    tomorrow too two under until upon use used very want wants was way we'll week well went were what what's
    when where whether which while who whole why will with within without word work would yes yesterday yet
    you you're your
    """)
)
"""Words that tell nothing by themselves."""


@dataclass(slots=True)
class Words:
    """What somebody has said: single words that tell something, and all runs of a few."""

    telling: set[str] = field(default_factory=set)
    runs: set[tuple[str, ...]] = field(default_factory=set)

    def add(self, text: str) -> None:
        """Takes in what was said."""
        words = list(_words(text))
        self.telling.update(filter(_tells, words))
        self.runs.update(_runs(words))

    def add_name(self, name: str) -> None:
        """Takes in what somebody is called: each word of a name tells."""
        self.telling.update(word for word in _words(name) if len(word) >= _SHORTEST or _SPACELESS.search(word))

    def without(self, others: "Words") -> "Words":
        """What others have not said as well."""
        return Words(self.telling - others.telling, self.runs - others.runs)

    def is_in(self, text: str) -> bool:
        """Whether a text has anything of it."""
        words = list(_words(text))
        return not self.telling.isdisjoint(words) or not self.runs.isdisjoint(_runs(words))

    def taken_out_of(self, text: str) -> str:
        """The text without the sentences that have something of it; empty where nothing else is left."""
        if not self.is_in(text):
            return text
        kept = [(one, not self.is_in(one)) for one in _SENTENCE.findall(text) if one]
        if not any(stays and _WORD.search(one) for one, stays in kept):
            return ""
        said = "".join(one if stays else f"{TAKEN_OUT} " for one, stays in kept)
        once = re.sub(rf"(?:{re.escape(TAKEN_OUT)}[ \t]*)+", f"{TAKEN_OUT} ", said)
        shorter = once.replace(f"{TAKEN_OUT} \n", f"{TAKEN_OUT}\n").strip()
        return "" if self.is_in(shorter) else shorter  # what crosses two sentences

    def left_of(self, text: str) -> str:
        """The same, for what is to be said in any case: a sign stands in the place of all of it."""
        return self.taken_out_of(text) or (text and TAKEN_OUT)


def of(texts: Iterable[str], names: Iterable[str] = ()) -> Words:
    """What these texts and names have."""
    words = Words()
    for text in texts:
        words.add(text)
    for name in names:
        words.add_name(name)
    return words


def _words(text: str) -> Iterator[str]:
    """The words of a text; where no spaces part them, all that two letters in a row make."""
    for found in _WORD.findall(text.lower()):
        if _SPACELESS.search(found):
            yield from (found[start : start + 2] for start in range(max(1, len(found) - 1)))
        else:
            yield found


def _runs(words: list[str]) -> Iterator[tuple[str, ...]]:
    runs = zip(*(words[start:] for start in range(_RUN)), strict=False)
    return (run for run in runs if any(_tells(word) or _SPACELESS.search(word) for word in run))


def _tells(word: str) -> bool:
    if any(letter.isdigit() for letter in word):
        return len(word) > 1
    if _SPACELESS.search(word):
        return False  # its runs do
    return len(word) >= _SHORTEST and word not in _COMMON
