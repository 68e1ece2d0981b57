"""The judgement: what people see in the end, held against what they asked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.chaos.platforms import Seen
from tests.chaos.words import bare, expected, told

_BEGINNING = 5.0
"""Seconds that may pass between the choice of the next message to be answered and the first that the model hears."""

Kind = Literal["missing", "doubled", "out of order", "wrong", "incomplete"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One message of a person, as its platform keeps it, and what is known of its way to the bot.

    `heard` is when its arrival was acknowledged first, `begun` when the model was first asked for its answer.
    `seq` is the place that the bot's own record gives it in its session. None where it is not known.
    """

    marker: str
    id: str
    session: str
    at: float
    max_text: int
    heard: float | None = None
    begun: float | None = None
    seq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offence:
    """One thing that is not as it must be."""

    kind: Kind
    marker: str
    session: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All offences, and how many messages were answered after a later one because they reached the bot too late."""

    offences: tuple[Offence, ...]
    overtaken: int

    @property
    def is_clean(self) -> bool:
        """Whether all is as it must be."""
        return not self.offences

    def number(self, kind: Kind) -> int:
        """How many of this kind."""
        return sum(offence.kind == kind for offence in self.offences)


def judge(asked: Sequence[Asked], seen: Iterable[Seen]) -> Verdict:
    """For every message one complete answer, in its place, in order; and nothing else of the bot's on any screen."""
    by_marker: dict[str, list[Seen]] = {}
    for message in sorted(seen, key=lambda one: one.order):
        by_marker.setdefault(told(message.text), []).append(message)
    offences = [
        Offence(kind="wrong", marker="", session=stray.session, why=f"answers nothing: {stray.text[:80]!r}")
        for stray in by_marker.pop("", [])
    ]
    for question in asked:
        offences.extend(_answered(question, by_marker.get(question.marker, [])))
    disorder, overtaken = _order(asked, by_marker)
    return Verdict(offences=(*offences, *disorder), overtaken=overtaken)


def _answered(question: Asked, answers: Sequence[Seen]) -> Iterable[Offence]:
    def offence(kind: Kind, why: str) -> Offence:
        return Offence(kind=kind, marker=question.marker, session=question.session, why=why)

    parts = expected(question.marker, question.max_text)
    if not answers:
        yield offence("missing", "no answer")
        return
    texts = [bare(one.text) for one in answers]
    if len(texts) > len(parts):
        yield offence("doubled", f"{len(texts)} messages in place of {len(parts)}: {_told(answers)}")
    elif texts != parts:
        begun = all(part.startswith(text) for part, text in zip(parts, texts, strict=False))
        kind: Kind = "incomplete" if begun else "wrong"
        yield offence(kind, f"not the text in {len(parts)} parts: {_told(answers)}")
    for one in answers:
        if one.session != question.session:
            yield offence("wrong", f"{one.id} is in {one.session}")
        elif one is answers[0] and one.answers not in (None, question.id):
            yield offence("wrong", f"{one.id} replies to {one.answers}")
        elif not one.done:
            yield offence("incomplete", f"{one.id} is still being written")


def _told(answers: Sequence[Seen]) -> str:
    return "; ".join(f"{one.id} {len(one.text)} characters, ends {one.text[-20:]!r}" for one in answers)


def _order(asked: Sequence[Asked], answers: Mapping[str, Sequence[Seen]]) -> tuple[list[Offence], int]:
    """An answer before that of an earlier message is an offence, unless that one was not there to be answered first."""
    places: dict[str, list[Asked]] = {}
    for question in sorted(asked, key=lambda one: one.at):
        if answers.get(question.marker):
            places.setdefault(question.session, []).append(question)
    offences, overtaken = [], 0
    for questions in places.values():
        for place, earlier in enumerate(questions):
            for later in questions[place + 1 :]:
                if answers[earlier.marker][0].order < answers[later.marker][0].order:
                    continue
                if _was_there(earlier, later):
                    why = f"answered after {later.marker}, which was said {later.at - earlier.at:.2f} s later"
                    offences.append(
                        Offence(kind="out of order", marker=earlier.marker, session=earlier.session, why=why)
                    )
                else:
                    overtaken += 1
    return offences, overtaken


def _was_there(earlier: Asked, later: Asked) -> bool:
    """Whether the bot had the earlier message when it began to answer the later one.

    What arrived behind a message that had looked back at it keeps its place before the session's first seq, which is 1.
    """
    if earlier.heard is not None and later.begun is not None and earlier.heard + _BEGINNING < later.begun:
        return True
    return earlier.seq is not None and later.seq is not None and 0 < earlier.seq < later.seq
