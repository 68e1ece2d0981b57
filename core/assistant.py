"""The assistant: answers one turn.

What the session remembers goes in, the model's words come out, and the answer, its bill and the intent to post it are
stored as one. Commands are answered here as well: same order, same durability.
"""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from hashlib import blake2b
from time import time

import structlog

from core import apologies, commands
from core.commands import Command, Desk, Said
from core.delivery.outbox import Outbox, Speech, stored
from core.errors import (
    EmptyAnswer,
    ModelError,
    ModelInterrupted,
    ModelRefused,
    ModelUnavailable,
    RequestNotTaken,
    WindowTooLong,
)
from core.memory import attachments, context, overhearing
from core.memory.mind import Length, Mind
from core.memory.prompts import SUMMARIZE
from core.model.llm import Afresh, Cause, Finish, Prompt, Usage
from core.seam.address import Address
from core.seam.messages import Choice, Quote
from core.session import ATTEMPTS, Answer, Kind, Lease, Progress, Role, SessionKey, Turn, Validity
from core.store import Connection, Database, deliveries, queue, summaries, turns, withdrawals
from core.timings import Timings

log = structlog.get_logger()

CUTS = 3
"""How often an answer may break off in the middle before its asker is told that it will not be whole."""

_LEAST = 64  # tokens that a question must have beside the instructions
_REMEMBERED_CUTS = 1_000  # answers of which it is known how often they broke off


class _Running:
    """An answer that is being prepared or written, and how to end it: where it is, or to begin again."""

    def __init__(self, seq: int, speech: Speech, scope: asyncio.Timeout) -> None:
        self.seq = seq
        self.speech = speech
        self._scope = scope
        self.stopped = self.outdated = False

    def stop(self) -> None:
        """Ends it where it is."""
        self.stopped = True
        self._end()

    def again(self) -> None:
        """Ends it because its question is not the same any more."""
        self.outdated = True
        self._end()

    def _end(self) -> None:
        if not self._scope.expired():
            self._scope.reschedule(asyncio.get_running_loop().time())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """What the model has written, the first seq that it was shown, and what its question points at.

    `since` is when the first was said, where something older had no room.
    """

    words: str
    finish: Finish
    first: int
    since: float | None
    quotes: tuple[Quote, ...]


class Assistant:
    """Answers turns, one at a time per session."""

    def __init__(
        self,
        *,
        database: Database,
        outbox: Outbox,
        mind: Mind,
        timings: Timings,
        may_stop: Collection[str] | None = None,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self.mind = mind
        self._may_stop = may_stop
        self._timings = timings
        self._running: dict[SessionKey, _Running] = {}
        self._cuts: dict[tuple[SessionKey, int], int] = {}

    def stop(self, key: SessionKey, before: int) -> None:
        """Ends the answer to a turn of before this seq where it is, if one is being written here."""
        running = self._running.get(key)
        if running is not None and running.seq < before:
            running.stop()

    def again(self, key: SessionKey, seq: int, *, unseen: bool = False) -> None:
        """Ends the answer to this turn, as the turn has changed; with `unseen` only if nothing of it is on screen."""
        running = self._running.get(key)
        if running is not None and running.seq == seq and (running.speech.unseen or not unseen):
            running.again()

    async def mark(self, address: Address, message: str, *, waits: bool) -> None:
        """Shows that a message waits for its turn, or takes that back."""
        await self._outbox.adapters[address.platform].mark(address, message, waits=waits)

    def pieces(self, platform: str, text: str, asker: str | None) -> Sequence[str]:
        """An answer's words as the messages that they become on this platform."""
        return self._outbox.messages(self._outbox.adapters[platform], text, asker)

    async def answer(self, key: SessionKey, question: Turn, *, lease: Lease | None) -> bool:
        """Answers a turn, or finishes what an earlier process began; returns whether the lease is kept for more.

        Without a lease, only a command that needs none (`at_once`) may be answered. Raises ModelUnavailable and
        DeliveryUnknown, after which the turn is to be tried again, Changed when the question has, and LeaseLost.
        """
        command = commands.find(question.verb) if question.verb is not None else None
        if question.progress is Progress.ANSWERED:
            return await self._finish(key, question, command, lease)
        if command is not None and (command.prompt is None or commands.needs_choice(command, question)):
            return await self._obey(key, question, command, lease)
        assert lease is not None, "only commands are answered without a lease"  # noqa: S101
        if question.envelope.missed:
            return await self._say(lease, question, apologies.too_late(question.envelope.missed), "missed")
        return await self._talk(lease, question, command.prompt if command is not None else None)

    async def give_up(self, lease: Lease, question: Turn, reason: str) -> bool:
        """Ends a turn that failed too often with an honest sentence; returns whether the lease is kept."""
        if question.progress is Progress.ANSWERED:
            await self._database.write(deliveries.refuse, lease.key, question.seq, reason)
            return await self._outbox.deliver(lease.key, question, lease=lease)
        return await self._say(lease, question, apologies.GAVE_UP, reason)

    async def _say(self, lease: Lease, question: Turn, sentence: str, reason: str) -> bool:
        async with self._outbox.speech(lease, question) as speech:
            decided = Answer(parts=speech.beneath(sentence), error=reason)
        return await self._conclude(lease, question, decided, speech)

    async def _finish(self, key: SessionKey, question: Turn, command: Command | None, lease: Lease | None) -> bool:
        """Delivers an answer that was stored before."""
        vague = command is not None and commands.needs_choice(command, question)
        choices: tuple[Choice, ...] = ()
        if command is not None and vague:
            choices = (await self._database.read(commands.choose, command, key)).choices
        private = vague or (command is not None and command.private)
        return await self._outbox.deliver(key, question, lease=lease, private=private, choices=choices)

    async def _obey(self, key: SessionKey, question: Turn, command: Command, lease: Lease | None) -> bool:
        desk = Desk(
            key=key,
            turn=question,
            model=self.mind.model.name,
            budget=self.mind.limit,
            room=self.mind.room,
            fixed=self.mind.fixed,
            cut=self.mind.cut,
            may_stop=self._may_stop,
            context=self.mind.model.context if self.mind.limit < self.mind.budget else None,
        )
        try:
            said, parts = await self._database.write(self._effect, command, desk, lease)
        except deliveries.AlreadyAnswered:  # nothing was done twice
            return lease is not None and await self._finish(key, question, command, lease)
        if said.stopped is not None:
            self.stop(key, said.stopped)
        private = command.private or commands.needs_choice(command, question)
        # What was begun was an answer, before an edit: its message becomes the command's, unless that is for one alone.
        fresh = stored(parts) if private or not question.begun else None
        return await self._outbox.deliver(
            key,
            question,
            lease=lease,
            stored=fresh,
            doubtful=question.begun,
            private=private,
            choices=said.choices,
        )

    def _effect(
        self, connection: Connection, command: Command, desk: Desk, lease: Lease | None
    ) -> tuple[Said, tuple[str, ...]]:
        said = commands.run(connection, command, desk)
        adapter = self._outbox.adapters[desk.key.address.platform]
        decided = Answer(parts=self._outbox.pieces(adapter, desk.turn, said.text))
        if desk.turn.begun:
            alone = command.private or commands.needs_choice(command, desk.turn)
            withdrawals.set_aside(connection, desk.key, desk.turn.seq, 0 if alone else len(decided.parts))
        deliveries.answer(connection, desk.key, desk.turn, decided, lease=lease)
        return said, decided.parts

    async def _talk(self, lease: Lease, question: Turn, prompt: str | None) -> bool:
        async with self._outbox.speech(lease, question) as speech:
            decided = await self._decide(lease, question, prompt, speech)
        keeps = await self._conclude(lease, question, decided, speech)
        if decided.refused:
            await self._database.write(turns.leave_out, lease.key, [question.seq])
        return keeps

    async def _conclude(self, lease: Lease, question: Turn, decided: Answer, speech: Speech) -> bool:
        decided = replace(decided, parts=speech.closed(decided.parts))
        try:
            await self._database.write(deliveries.answer, lease.key, question, decided, lease=lease)
        except deliveries.AlreadyAnswered:
            return await self._outbox.deliver(lease.key, question, lease=lease, drafts=speech.drafts)
        return await self._outbox.deliver(
            lease.key,
            question,
            lease=lease,
            stored=speech.stored(decided.parts),
            drafts=speech.drafts,
            doubtful=speech.doubtful,
        )

    async def _decide(self, lease: Lease, question: Turn, prompt: str | None, speech: Speech) -> Answer:
        """The answer, or the honest sentence in its place. Raises ModelUnavailable when it is worth another try."""
        try:
            written = await self._stoppable(lease, question, prompt, speech)
        except ModelUnavailable as error:
            if isinstance(error, ModelInterrupted) and self._is_hopeless(lease.key, question.seq, error, speech):
                await speech.end()
                said = "\n\n".join(speech.shown) or error.words
                parts = self._broken_off(lease.key, question, error.words, speech)
                memory = {"memory": said, "tokens": self.mind.count(said), "stopped": True}
                return Answer(parts=parts, error=f"{type(error).__name__}: {error}", **memory)  # type: ignore[arg-type]
            if time() + (error.retry_after or 0) > question.at + self._timings.excuse_after:
                await speech.excuse()
            await speech.keep()
            if time() - question.at < self._timings.patience or lease.attempts < ATTEMPTS - 1:
                raise
            return Answer(parts=speech.beneath(apologies.GAVE_UP), error=f"{type(error).__name__}: {error}")
        except ModelError as error:
            log.error("model failed", session=lease.key.address.id, error=type(error).__name__, reason=str(error))
            await speech.end()
            refused = isinstance(error, ModelRefused)
            reason = f"{type(error).__name__}: {error}"
            return Answer(parts=speech.beneath(apologies.why_none(error)), error=reason, refused=refused)
        except queue.Changed:
            await speech.keep()
            raise
        if written is None:
            await speech.end()
            words = "\n\n".join(speech.shown)
            return Answer(parts=speech.shown, memory=words or None, tokens=self.mind.count(words), stopped=True)
        return self._remember(question, lease, written, covers=written.first if prompt is not None else None)

    async def _stoppable(self, lease: Lease, question: Turn, prompt: str | None, speech: Speech) -> "_Written | None":
        """What the model has written; None when somebody has stopped it. Raises Changed."""
        if lease.stop is not None and question.seq < lease.stop:
            return None
        try:
            async with asyncio.timeout(None) as scope:
                running = self._running[lease.key] = _Running(question.seq, speech, scope)
                try:
                    await overhearing.hear(
                        self._database, self._outbox.adapters, self.mind, lease, question, within=self._timings.hear
                    )
                    return await self._ask(lease, question, prompt, speech)
                finally:
                    if self._running.get(lease.key) is running:
                        del self._running[lease.key]
        except TimeoutError:
            if not scope.expired():
                raise
            if running.outdated and not running.stopped:
                raise queue.Changed(lease.key.address.id) from None
            return None

    def _remember(self, question: Turn, lease: Lease, written: "_Written", *, covers: int | None) -> Answer:
        """The answer as it is stored, with its bill."""
        finish, words = written.finish, written.words
        words += apologies.CUT_OFF[finish.cut] if finish.cut is not None else ""
        words += apologies.unread(written.quotes)
        words += apologies.covers(written.since) if covers is not None and written.since is not None else ""
        adapter = self._outbox.adapters[lease.key.address.platform]
        usage = finish.usage or Usage(shown=0, written=0)
        return Answer(
            parts=self._outbox.pieces(adapter, question, words),
            memory=words,
            tokens=self.mind.count(words),
            model=finish.model,
            shown=usage.shown,
            cached=usage.cached,
            written=usage.written,
            covers=covers,
        )

    async def _ask(self, lease: Lease, question: Turn, prompt: str | None, speech: Speech) -> "_Written":
        newest = await self._renewed(lease, await self._database.read(turns.newest, lease.key, budget=self.mind.room))
        adapter = self._outbox.adapters[lease.key.address.platform]
        question, *newest = await attachments.fetched(
            self._database,
            adapter,
            self.mind,
            lease,
            [self._shown(question, prompt), *newest],
            within=self._timings.fetch,
        )
        room, empty, refused = self.mind.room, False, list[Turn]()
        while True:
            told = [turn for turn in newest if turn not in refused]
            window = context.build(
                question, told, budget=room, fixed=self.mind.fixed, cut=self.mind.cut, count=self.mind.count
            )
            try:
                words, finish = await self._stream(lease, window, speech, question)
            except WindowTooLong as error:
                if error.answered and empty:
                    raise
                empty = empty or error.answered
                room = self._smaller(room)
                log.warning("window too long for the model", session=lease.key.address.id, tokens=room)
            except EmptyAnswer:
                if empty:
                    raise
                empty = True  # the same, complete and useless, is asked for once more
            except (ModelRefused, RequestNotTaken) as error:
                suspects = _suspects(told, certain=isinstance(error, ModelRefused))
                if not suspects:
                    raise
                refused += suspects
            else:
                break
        if refused:
            log.warning("left out what the provider will not read", session=lease.key.address.id, turns=len(refused))
            await self._database.write(turns.leave_out, lease.key, [turn.seq for turn in refused])
        first = question.seq if window.first is None else window.first
        return _Written(words=words, finish=finish, first=first, since=window.since, quotes=question.quotes)

    def _smaller(self, room: int) -> int:
        """What to try after a window of this room was too long: what is known by now, or half. Raises WindowTooLong."""
        smaller = self.mind.room if self.mind.room < room else room // 2
        if smaller < self.mind.fixed + _LEAST:
            raise WindowTooLong("Not even the question has room in the model's context.")
        return smaller

    def _broken_off(self, key: SessionKey, question: Turn, words: str, speech: Speech) -> tuple[str, ...]:
        """What there is of an answer, be it on screen or not, and that it is not whole."""
        if speech.shown:
            return speech.beneath(apologies.BROKE_OFF)
        adapter = self._outbox.adapters[key.address.platform]
        return self._outbox.pieces(adapter, question, f"{words}\n\n{apologies.BROKE_OFF}")

    def _is_hopeless(self, key: SessionKey, seq: int, error: ModelInterrupted, speech: Speech) -> bool:
        """Whether this answer has broken off so often after some words that people must be told; each is billed."""
        if not (speech.shown or error.words):
            return False
        cuts = self._cuts[key, seq] = self._cuts.pop((key, seq), 0) + 1
        if cuts >= CUTS:
            del self._cuts[key, seq]
        while len(self._cuts) > _REMEMBERED_CUTS:
            del self._cuts[next(iter(self._cuts))]
        return cuts >= CUTS

    async def _renewed(self, lease: Lease, newest: Sequence[Turn]) -> Sequence[Turn]:
        """The turns with every stale summary made again, the oldest first; one that can't be is left out."""
        for stale in [turn for turn in reversed(newest) if turn.validity is Validity.STALE]:
            before = await self._database.read(turns.newest, lease.key, budget=self.mind.room, before=stale.seq)
            told = [turn for turn in before if turn.validity is not Validity.STALE]
            made, covers = await self._summary(lease, told, stale)
            if made is not None:
                tokens = self.mind.count(made)
                stands = await self._database.write(
                    summaries.remade, lease, stale, text=made, tokens=tokens, covers=covers
                )
                if not stands:
                    continue
                fresh = stale._replace(text=made, tokens=tokens, validity=Validity.STANDS)
                newest = [fresh if turn is stale else turn for turn in newest]
        return [turn for turn in newest if turn.validity is not Validity.STALE]

    async def _summary(self, lease: Lease, told: Sequence[Turn], stale: Turn) -> tuple[str | None, int | None]:
        """What the model says of these turns, newest first, and the first seq that it was shown; None where it fails.

        Where there is nothing to sum up, that is nothing.
        """
        if not told:
            return "", None
        shown = Turn(
            seq=0,
            role=Role.PERSON,
            kind=Kind.COMMAND,
            progress=Progress.WAITING,
            validity=Validity.STANDS,
            text=SUMMARIZE,
            tokens=self.mind.count(SUMMARIZE),
            at=0.0,
        )
        mind = self.mind
        window = context.build(shown, told, budget=mind.room, fixed=mind.fixed, cut=mind.cut, count=mind.count)
        try:
            words, _ = await self._stream(lease, window, None, stale)
        except ModelError as error:
            log.warning("summary left out", session=lease.key.address.id, error=type(error).__name__)
            return None, None
        return words, window.first

    def _shown(self, question: Turn, prompt: str | None) -> Turn:
        """The question as the model reads it: a command with a prompt is that prompt, and nobody's words."""
        if prompt is None:
            return question
        return question._replace(text=prompt, author=None, quotes=(), tokens=self.mind.count(prompt))

    async def _stream(
        self, lease: Lease, window: context.Window, speech: Speech | None, cause: Turn
    ) -> tuple[str, Finish]:
        prompt = Prompt(
            instructions=self.mind.instructions,
            messages=window.messages,
            tokens=window.tokens,
            conversation=blake2b(lease.key.address.id.encode(), digest_size=16).hexdigest(),
            cause=Cause(
                workspace=lease.key.workspace,
                session=lease.key.session,
                seq=cause.seq,
                author=None if cause.author is None else cause.author.id,
                purpose="summary" if cause.verb is not None or cause.role is Role.ASSISTANT else "answer",
            ),
        )
        words, length = "", Length(self.mind)
        try:
            async with aclosing(self.mind.model.stream(prompt)) as stream:
                async for piece in stream:
                    match piece:
                        case Finish():
                            if piece.usage is not None:
                                self.mind.calibration.learn(window.tokens, piece.usage.shown)
                            return words, piece
                        case Afresh():
                            words, length = "", Length(self.mind)
                        case Usage():
                            continue
                        case _:
                            words += piece
                            if speech is not None:
                                speech.say(words)
                            if length.is_over(words):
                                return words, Finish(model=self.mind.model.name, cut="length")
        except ModelInterrupted as error:
            error.words = words
            raise
        raise AssertionError("a model's stream ends with a Finish")


def _suspects(told: Sequence[Turn], *, certain: bool) -> list[Turn]:
    """What the provider may have refused beside the question: what was never answered, and then all of before.

    Where it is not `certain` that words are the reason, what it has answered before is above suspicion.
    """
    answered = {turn.seq for turn in told if turn.role is Role.ASSISTANT}
    doubtful = [turn for turn in told if turn.seq not in answered]
    return doubtful or (list(told) if certain else [])
