"""Acceptance: what a message is to us, and how it is stored: the stored turn is the queue entry.

One of three roads leads on from there: a command that does not wait is answered beside the queue, an idle session is
claimed in the same breath and served here, and what is left is for whoever holds the session.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog

from core.commands import lines, table
from core.commands.lines import Given
from core.errors import DatabaseError
from core.events import Accepted, Events, Skipped, Woken
from core.intake import judging
from core.intake.admitting import Admitting, NotAdmitted
from core.memory import ageing
from core.memory.mind import Mind
from core.model import envelope
from core.policy import Overrides, Policy
from core.seam.messages import Inbound
from core.session import Kind, Progress, Validity
from core.store import Database, answering, arrivals, inbound, places, queue, unrecorded
from core.timings import Clock, Timings
from core.work.worker import Worker

log = structlog.get_logger()

_QUEUED = 3  # messages that wait behind an answer before people are shown that theirs does


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A message that is ours: what it is to us, the command that it gives, and how far it has come once it is stored.

    `missed` counts those that were found too late, this one included, for which it is answered with a sentence.
    One that `is_bare` has no words any more, and costs nothing.
    """

    message: Inbound
    kind: Kind
    given: Given | None = None
    progress: Progress = Progress.WAITING
    missed: int = 0
    is_bare: bool = False

    @property
    def waits(self) -> bool:
        """Whether it is to be answered."""
        return self.progress is Progress.WAITING and self.kind is not Kind.OVERHEARD

    def as_answered(self) -> "Judged":
        """The same; but what a history shows to be answered waits no more."""
        return self if self.message.answer is None else replace(self, progress=Progress.DONE)

    @property
    def is_at_once(self) -> bool:
        """Whether it is a command that does not queue."""
        given = self.given
        return given is not None and (table.find(given.verb).at_once or lines.asks_for_form(given.verb, given.line))


class Acceptance:
    """Judges messages and stores them, each once. Whoever calls sees to it that it is one at a time per session."""

    def __init__(
        self, *, database: Database, worker: Worker, mind: Mind, events: Events, timings: Timings, clock: Clock
    ) -> None:
        self._database = database
        self._clock = clock
        self._worker = worker
        self._mind = mind
        self._timings = timings
        self._events = events
        self.admitting = Admitting(database=database, worker=worker, mind=mind, events=events)

    async def accept(self, message: Inbound) -> bool:
        """Whether the message was news, and something of ours."""
        judged = await self._judge(message, lines.parse(message))
        if judged is None:
            return False
        try:
            return await self._store(judged.as_answered())
        except inbound.Unanswered as unanswered:
            policy = self._mind.policy.under(unanswered.overrides)
        return judging.of_called(policy) is Kind.OVERHEARD and await self._store(_as_overheard(message, policy))

    async def is_to_be_answered(self, message: Inbound) -> bool:
        """Whether it would be, were it in time."""
        judged = await self._judge(message, given := lines.parse(message))
        kind = None if judged is None else judged.kind
        if not judging.is_called(message) or kind is None:
            return kind in (Kind.SAID, Kind.COMMAND)
        overrides, is_command = (await self._database.read(places.around, message.address)).overrides, given is not None
        is_admitted = self.admitting.denial(message, overrides, is_command=is_command) is None
        return is_admitted and (is_command or self._is_answered(overrides))

    async def skip(self, late: Sequence[Inbound]) -> int:
        """Accepts messages of one session that are too old to be answered; returns how many were news to us.

        The newest of those is answered with a sentence, for all of them.
        """
        place = late[0].address
        known = await self._database.read(places.known, place, [one.id for one in late])
        new = [one for one in late if one.id not in known]
        for message in new[:-1]:
            await self._store(Judged(message=message, kind=Kind.SAID, progress=Progress.SKIPPED))
        if new:
            self._events.tell(Skipped(address=place, messages=len(new)))
            await self._store(Judged(message=new[-1], kind=Kind.SAID, missed=len(new)))
        return len(new)

    async def kept(self, message: Inbound, given: Given | None) -> Inbound:
        """The message as it is stored: what it quotes is cut, and the words of a command are those that it takes."""
        message = await self.admitting.quotable(message)
        line = message.text if given is None or not table.find(given.verb).parameters else given.line
        return replace(message, text=line, quotes=self._mind.pointed(message.quotes))

    def count(self, message: Inbound) -> int:
        """What the message costs as the window shows it."""
        return self._mind.count(envelope.spoken(message.author, message.at, message.text, message.quotes))

    async def _judge(self, message: Inbound, given: Given | None) -> Judged | None:
        """What a message is to us: to be answered, overheard, or nothing of ours.

        Whether talk is to be answered that is for us by itself, is only known when it is stored.
        """
        if message.author.is_bot or message.author.is_self:
            return None
        if judging.is_called(message):
            return Judged(message=message, kind=Kind.SAID if given is None else Kind.COMMAND, given=given)
        found = await self._database.read(places.around, message.address)
        if self.admitting.denial(message, found.overrides, is_command=given is not None) is not None:
            return None
        policy = self._mind.policy.under(found.overrides)
        kind = judging.of_others(message, found.live_since, policy, is_command=given is not None)
        if kind is Kind.OVERHEARD:
            return _as_overheard(message, policy)
        return None if kind is None else Judged(message=message, kind=kind, given=given)

    def _is_answered(self, overrides: Overrides) -> bool:
        """Whether talk that is for us by itself is answered where this is set."""
        return judging.of_called(self._mind.policy.under(overrides)) is Kind.SAID

    async def _store(self, judged: Judged) -> bool:
        """Whether it was news, by somebody who is talked with."""
        try:
            accepted = await self._taken_in(judged)
        except NotAdmitted as refused:
            await self.admitting.turn_away(judged.message, refused)
            return False
        if accepted is None:
            log.debug("known already", session=judged.message.address.id)
            return False
        words = judged.message.answer
        if words and judged.kind is Kind.SAID and accepted.turn.validity is Validity.STANDS:
            tokens = self._mind.count(words)
            await self._database.write(answering.recall, accepted.key, accepted.turn, words, tokens=tokens)
        self._events.tell(Accepted(address=judged.message.address, seq=accepted.turn.seq, to_be_answered=judged.waits))
        return True

    async def _taken_in(self, judged: Judged) -> inbound.Stored | None:
        """None where it was known. Raises NotAdmitted."""
        if judged.is_at_once and judged.waits:
            return await self._answer_aside(judged)
        return await (self._answer_in_turn(judged) if judged.waits else self._write(judged))

    async def _answer_aside(self, judged: Judged) -> inbound.Stored | None:
        """Beside the queue."""
        with self._worker.asides.open((judged.message.address, judged.message.id)) as hand_over:
            accepted = await self._write(judged)
            if accepted is not None:
                hand_over(accepted.key, accepted.turn)
        return accepted

    async def _answer_in_turn(self, judged: Judged) -> inbound.Stored | None:
        """By us, where the session is idle and we have room; else by whoever holds it, or claims it."""
        claims = self._worker.claimant()
        accepted = await self._write(judged, claimant=None if claims is None else claims[0])
        if accepted is None:
            return None
        if (woken := accepted.woken) is not None:
            self._events.tell(Woken(address=accepted.key.address, seconds=woken.seconds, late=woken.late))
            self._worker.courtesies.show_present(accepted.key)
        if accepted.lease is not None and claims is not None:
            self._worker.take(accepted.lease, [accepted.turn], claims[1])
            return accepted
        self._worker.noticing.queued(accepted.key, accepted.turn, accepted.waiting)
        if accepted.waiting > _QUEUED:
            self._worker.courtesies.show(accepted.key, accepted.turn)
        return accepted

    async def _write(self, judged: Judged, *, claimant: arrivals.Claimant | None = None) -> inbound.Stored | None:
        """The message as it was stored; None where it was known already, or is not to be. Raises NotAdmitted."""
        kept = await self.kept(judged.message, judged.given)
        accepting = asyncio.create_task(
            self._database.write(
                inbound.accept,
                kept,
                kind=judged.kind,
                progress=judged.progress,
                verb=None if judged.given is None else judged.given.verb,
                tokens=0 if judged.is_bare else self.count(kept),
                at_once=judged.is_at_once,
                missed=judged.missed,
                heard=round(self._clock(), 3),
                claimant=claimant,
                others=judged.waits and self._worker.is_full,
                hearer=self._worker.hearer(judged.message.address.platform),
                waking=ageing.waking(self._mind.policy, burst=self._timings.burst),
                check=self.admitting.check(judged.message, is_command=judged.given is not None),
                is_answered=self._is_answered if judging.is_called(judged.message) else None,
            )
        )
        try:
            return await asyncio.shield(accepting)
        except asyncio.CancelledError:
            await _leave(self._database, accepting)
            raise
        except (arrivals.Duplicate, unrecorded.Unrecorded):
            return None


async def _leave(database: Database, accepting: asyncio.Task[inbound.Stored]) -> None:
    """We are told to stop while this is on its way: nobody here will answer it."""
    with suppress(DatabaseError, arrivals.Duplicate, NotAdmitted, inbound.Unanswered, unrecorded.Unrecorded):
        left = await accepting
        if left.lease is not None:
            await database.write(queue.release, left.lease, attempts=0, others=True)


def _as_overheard(message: Inbound, policy: Policy) -> Judged:
    """What was said to others: its words are stored, or where it was said, when and by whom, and no more."""
    if policy.memory == "full":
        return Judged(message=message, kind=Kind.OVERHEARD)
    bare = replace(message, text="", quotes=(), author=replace(message.author, name=""))
    return Judged(message=bare, kind=Kind.OVERHEARD, is_bare=True)
