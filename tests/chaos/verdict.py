"""The judgement: what people see in the end, held against what they asked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Literal

from tests.chaos.platforms import Seen
from tests.chaos.words import MARKER, bare, expected, is_moving, is_waking, told

_BEGINNING = 5.0
"""Seconds that may pass between the choice of the next message to be answered and the first that the model hears."""

_FORGETTING = 5.0
"""Seconds in which what the bot knows to be gone may still be shown to the model."""

Kind = Literal[
    "missing",
    "doubled",
    "out of order",
    "wrong",
    "incomplete",
    "outdated",
    "unwanted",
    "leaked",
    "kept",
    "forgotten",
    "returned",
    "twice",
    "torn",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A message became another one, with this marker, or was deleted.

    `over` says that the bot's own record had its answer as arrived before that, `reached` when the bot first knew of
    it, as far as could be seen. None where it did not.
    """

    marker: str | None = None
    over: bool = False
    reached: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A request to the model: when it came, and the markers of what it said, or told, that people had said.

    They are those of the question that it is `about`, too; a request for a record is about none. `told` has each as
    often as it is there.
    """

    at: float
    told: tuple[str, ...]
    about: str = ""

    @property
    def markers(self) -> frozenset[str]:
        """Each of them once."""
        return frozenset(self.told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """A command that somebody has given: the message's ID, and the place that the bot's record gives it."""

    verb: str
    id: str
    session: str
    seq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One message of a person, as its platform keeps it, and what is known of its way to the bot; or a notice.

    `heard` is when its arrival was acknowledged first, `begun` when the model was first asked for its answer.
    `seq` is the place that the bot's own record gives it in its session, `text` what that has of it. None where it is
    not known. `finished` says when the model had first said the whole answer to each of its versions.
    """

    marker: str
    id: str
    session: str
    at: float
    max_text: int
    heard: float | None = None
    begun: float | None = None
    seq: int | None = None
    text: str | None = None
    changes: tuple[Changed, ...] = ()
    finished: Mapping[str, float] = field(default_factory=dict)

    @property
    def versions(self) -> tuple[str, ...]:
        """The markers that it has had, oldest first."""
        return (self.marker, *(one.marker for one in self.changes if one.marker is not None))

    @property
    def standing(self) -> str | None:
        """The marker that it has in the end; None when it was deleted."""
        return self.changes[-1].marker if self.changes else self.marker

    @property
    def needs_answer(self) -> bool:
        """Whether there must be one in the end."""
        return self.standing is not None or any(one.over for one in self.changes)

    def answerable(self) -> set[str]:
        """Which of its versions the answer may be to.

        The last one, or one whose answer the model had finished before the bot knew that it was gone; where that
        answer had arrived by then, none that came after it.
        """
        found, before = set[str](), self.marker
        for change in self.changes:
            if change.over or change.reached is None or self.finished.get(before, inf) < change.reached:
                found.add(before)
            if change.over or change.marker is None:
                return found
            before = change.marker
        return {*found, before}


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


def judge(
    asked: Sequence[Asked], seen: Iterable[Seen], prompts: Sequence[Prompt] = (), orders: Sequence[Ordered] = ()
) -> Verdict:
    """For every message one complete answer, in its place, in order; and nothing else of the bot's on any screen.

    What was edited is answered as it last was, what was deleted in time is not, and what is gone is remembered nowhere.
    Each command is answered once.
    """
    by_marker: dict[str, list[Seen]] = {}
    for message in sorted(seen, key=lambda one: one.order):
        by_marker.setdefault(told(message.text), []).append(message)
    strays = by_marker.pop("", [])
    offences = [
        Offence(kind="wrong", marker="", session=stray.session, why=f"answers nothing: {stray.text[:80]!r}")
        for stray in strays
        if not (is_waking(stray.text) or is_moving(stray.text))
    ]
    offences.extend(_obeyed(orders, [one for one in strays if is_moving(one.text)]))
    answers = {one.marker: [text for version in one.versions for text in by_marker.get(version, [])] for one in asked}
    for question in asked:
        offences.extend(_answered(question, answers[question.marker]))
        offences.extend(_remembered(question, prompts))
    disorder, overtaken = _order(asked, answers)
    return Verdict(offences=(*offences, *disorder), overtaken=overtaken)


def _obeyed(orders: Sequence[Ordered], replies: Sequence[Seen]) -> Iterable[Offence]:
    """As many replies in each session as commands."""
    for session in {one.session for one in (*orders, *replies)}:
        given, said = (sum(one.session == session for one in many) for many in (orders, replies))
        if given != said:
            kind: Kind = "missing" if said < given else "doubled"
            yield Offence(kind=kind, marker="", session=session, why=f"{given} commands, and {said} replies")


def _answered(question: Asked, answers: Sequence[Seen]) -> Iterable[Offence]:
    if not answers:
        if question.needs_answer:
            yield _offence(question, "missing", "no answer")
        return
    versions = {told(one.text) for one in answers}
    why = f"answers {', '.join(sorted(versions))}: {_told(answers)}"
    if not versions <= question.answerable():
        yield _offence(question, "unwanted" if question.standing is None else "outdated", why)
    elif len(versions) > 1:
        yield _offence(question, "doubled", why)
    else:
        yield from _whole(question, answers, expected(versions.pop(), question.max_text))


def _whole(question: Asked, answers: Sequence[Seen], parts: Sequence[str]) -> Iterable[Offence]:
    texts = [bare(one.text) for one in answers]
    if len(texts) > len(parts):
        yield _offence(question, "doubled", f"{len(texts)} messages in place of {len(parts)}: {_told(answers)}")
    elif texts != parts:
        begun = all(part.startswith(text) for part, text in zip(parts, texts, strict=False))
        kind: Kind = "incomplete" if begun else "wrong"
        yield _offence(question, kind, f"not the text in {len(parts)} parts: {_told(answers)}")
    for one in answers:
        if one.session != question.session:
            yield _offence(question, "wrong", f"{one.id} is in {one.session}")
        elif one is answers[0] and one.answers not in (None, question.id):
            yield _offence(question, "wrong", f"{one.id} replies to {one.answers}")
        elif not one.done:
            yield _offence(question, "incomplete", f"{one.id} is still being written")


def _offence(question: Asked, kind: Kind, why: str) -> Offence:
    return Offence(kind=kind, marker=question.marker, session=question.session, why=why)


def _remembered(question: Asked, prompts: Sequence[Prompt]) -> Iterable[Offence]:
    """What is gone is not shown to the model once the bot knows that it is, and not in its record in the end."""
    before = question.marker
    for change in question.changes:
        since = inf if change.reached is None else change.reached
        late = [one.at - since for one in prompts if one.at > since + _FORGETTING and before in one.markers]
        if late:
            why = f"{before} is shown to the model {', '.join(f'{seconds:.1f}' for seconds in late)} s after its end"
            yield _offence(question, "leaked", why)
        before = change.marker or ""
    if question.changes and question.text is not None:
        kept, right = set(MARKER.findall(question.text)), {question.standing} - {None}
        if kept != right:
            why = f"remembered as {question.text!r} in place of {question.standing or 'nothing'}"
            yield _offence(question, "kept", why)


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
                    offences.append(_offence(earlier, "out of order", why))
                else:
                    overtaken += 1
    return offences, overtaken


def _was_there(earlier: Asked, later: Asked) -> bool:
    """Whether the bot had the earlier message when it began to answer the later one.

    What arrived behind a message that had looked back at it, and before its answer, keeps its place before the
    session's first seq, which is 1.
    """
    if earlier.heard is not None and later.begun is not None and earlier.heard + _BEGINNING < later.begun:
        return True
    return earlier.seq is not None and later.seq is not None and 0 < earlier.seq < later.seq
