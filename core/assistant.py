"""The assistant: answers one turn.

What the session remembers goes in, the model's words come out, and the answer, its bill and the intent to post it are
stored as one. Commands are answered here as well: same order, same durability.
"""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Literal

import structlog

from core import commands, context, prompts
from core.adapter import Adapter
from core.commands import Command, Desk
from core.errors import (
    DeliveryError,
    ModelError,
    ModelMisconfigured,
    ModelRefused,
    ModelUnavailable,
    OutOfCredit,
    WindowTooLong,
)
from core.llm import Finish, Model, Prompt
from core.messages import Audience, Choice, Inbound
from core.outbox import WITHDRAWN, Outbox, Speech
from core.session import Answer, Lease, SessionKey, State, Turn
from core.store import Connection, Database, backscroll, deliveries, turns
from core.tokens import Calibration, Counter, cut_middle

log = structlog.get_logger()

Hearing = Literal["thread", "channel", "off"]

HEAR_SECONDS = 2.0
"""The longest that reading what was said before may delay an answer."""

ATTEMPTS = 5
"""How often an answer is tried before the asker is told that there will be none."""

_CUT_OFF = "\n\n_(Here I reached the longest answer that my model may give.)_"

_APOLOGIES: dict[type[Exception], str] = {
    ModelRefused: "The provider of my model declined to answer this.",
    OutOfCredit: "I can't answer: the account behind my model has run out of credit. Please tell those who run me.",
    ModelMisconfigured: "I can't answer: my model is not set up rightly. Those who run me can see why in my log and "
    "with `backscroll doctor`.",
    WindowTooLong: "I can't answer: this is more text than my model can take in. `!reset` sets the conversation aside.",
}
_GAVE_UP = (
    f"I tried {ATTEMPTS} times to answer this and failed each time. Your message is kept; please ask me again later."
)


@dataclass(slots=True)
class Mind:
    """What answering needs beside the session: the model, its instructions, and how its tokens are counted."""

    model: Model
    instructions: str
    counter: Counter
    calibration: Calibration
    budget: int
    hearing: Hearing

    def count(self, words: str) -> int:
        """What a message with these words costs in the window."""
        return self.counter.count(words) + context.MESSAGE_TOKENS

    def cut(self, words: str, most: int) -> str:
        """The words with their middle cut out, so that they cost at most `most` tokens."""
        return cut_middle(words, most, self.counter)

    @property
    def fixed(self) -> int:
        """What the instructions cost."""
        return self.count(self.instructions)

    @property
    def room(self) -> int:
        """The budget by our own count: smaller where the model's tokens have turned out to be smaller than ours."""
        return int(self.budget / self.calibration.ratio)


@dataclass(slots=True)
class _Running:
    """An answer that is being written, and how to end it."""

    scope: asyncio.Timeout

    def stop(self) -> None:
        self.scope.reschedule(asyncio.get_running_loop().time())


class Assistant:
    """Answers turns, one at a time per session."""

    def __init__(self, *, database: Database, outbox: Outbox, mind: Mind) -> None:
        self._database = database
        self._outbox = outbox
        self.mind = mind
        self._running: dict[SessionKey, _Running] = {}

    async def answer(self, key: SessionKey, question: Turn, *, lease: Lease | None) -> bool:
        """Answers a turn, or finishes what an earlier process began; returns whether the lease is kept for more.

        Without a lease, only a command that needs none (`at_once`) may be answered. Raises ModelUnavailable and
        DeliveryUnknown, after which the turn is to be tried again, and LeaseLost.
        """
        command = commands.find(question.verb) if question.verb is not None else None
        private = command is not None and command.private
        if question.state is State.ANSWERED:
            return await self._outbox.deliver(key, question, lease=lease, private=private)
        if command is not None and command.prompt is None:
            choices = await self._obey(key, question, command, lease)
            return await self._outbox.deliver(key, question, lease=lease, fresh=True, private=private, choices=choices)
        assert lease is not None, "only commands are answered without a lease"  # noqa: S101
        return await self._talk(lease, question, command.prompt if command is not None else None)

    async def give_up(self, lease: Lease, question: Turn, reason: str) -> bool:
        """Ends a turn that failed too often with an honest sentence; returns whether the lease is kept."""
        if question.state is State.WAITING:
            decided = Answer(parts=(_GAVE_UP,), error=reason)
            await self._database.write(deliveries.answer, lease.key, question, decided, lease=lease)
            return await self._outbox.deliver(lease.key, question, lease=lease, fresh=True)
        await self._database.write(deliveries.refuse, lease.key, question.seq, reason)
        return await self._outbox.deliver(lease.key, question, lease=lease)

    async def _obey(self, key: SessionKey, question: Turn, command: Command, lease: Lease | None) -> tuple[Choice, ...]:
        running = self._running.get(key) if command.interrupts else None
        if running is not None:
            running.stop()
        desk = Desk(
            key=key,
            turn=question,
            model=self.mind.model.name,
            budget=self.mind.budget,
            room=self.mind.room,
            fixed=self.mind.fixed,
            cut=self.mind.cut,
            interrupted=running is not None,
        )
        adapter = self._outbox.adapters[key.address.platform]

        def effect(connection: Connection) -> tuple[Choice, ...]:
            said = commands.run(connection, command, desk)
            decided = Answer(parts=self._outbox.pieces(adapter, question, said.text))
            deliveries.answer(connection, key, question, decided, lease=lease)
            return said.choices

        return await self._database.write(effect)

    async def _talk(self, lease: Lease, question: Turn, prompt: str | None) -> bool:
        if not lease.heard:
            await self._hear(lease, question)
        async with self._outbox.speech(lease, question) as speech:
            decided = await self._decide(lease, question, prompt, speech)
        parts = decided.parts + (WITHDRAWN,) * (len(speech.drafts) - len(decided.parts))
        await self._database.write(deliveries.answer, lease.key, question, replace(decided, parts=parts), lease=lease)
        return await self._outbox.deliver(lease.key, question, lease=lease, fresh=True, drafts=speech.drafts)

    async def _decide(self, lease: Lease, question: Turn, prompt: str | None, speech: Speech) -> Answer:
        """The answer, or the honest sentence in its place. Raises ModelUnavailable when it is worth another try."""
        try:
            async with asyncio.timeout(None) as scope:
                self._running[lease.key] = _Running(scope)
                try:
                    words, finish = await self._ask(lease, question, prompt, speech)
                finally:
                    del self._running[lease.key]
        except TimeoutError:
            if not scope.expired():
                raise
            await speech.end()
            return self._remember(question, lease, speech.shown, None)
        except ModelUnavailable:
            raise
        except ModelError as error:
            log.error("model failed", session=lease.key.address.id, error=type(error).__name__, reason=str(error))
            sentence = _APOLOGIES.get(type(error), _GAVE_UP)
            return Answer(parts=(sentence,), error=f"{type(error).__name__}: {error}")
        return self._remember(question, lease, words + (_CUT_OFF if finish.cut else ""), finish)

    def _remember(self, question: Turn, lease: Lease, words: str, finish: Finish | None) -> Answer:
        """The answer as it is stored; without a Finish it was stopped, and is what was on screen then."""
        adapter = self._outbox.adapters[lease.key.address.platform]
        usage = finish.usage if finish is not None else None
        return Answer(
            parts=self._outbox.pieces(adapter, question, words),
            memory=words or None,
            tokens=self.mind.count(words),
            stopped=finish is None,
            model=finish.model if finish is not None else None,
            shown=usage.shown if usage is not None else 0,
            cached=usage.cached if usage is not None else 0,
            written=usage.written if usage is not None else 0,
        )

    async def _ask(self, lease: Lease, question: Turn, prompt: str | None, speech: Speech) -> tuple[str, Finish]:
        room = self.mind.room
        shown = self._shown(question, prompt)
        newest = await self._database.read(turns.newest, lease.key, budget=room)
        try:
            return await self._stream(
                lease, context.build(shown, newest, budget=room, fixed=self.mind.fixed, cut=self.mind.cut), speech
            )
        except WindowTooLong:
            log.warning("window too long for the model", session=lease.key.address.id, tokens=room)
            return await self._stream(
                lease, context.build(shown, newest, budget=room // 2, fixed=self.mind.fixed, cut=self.mind.cut), speech
            )

    def _shown(self, question: Turn, prompt: str | None) -> Turn:
        """The question as the model reads it: a command with a prompt is that prompt, and nobody's words."""
        if prompt is None:
            return question
        return replace(question, text=prompt, author=None, tokens=self.mind.count(prompt))

    async def _stream(self, lease: Lease, window: context.Window, speech: Speech) -> tuple[str, Finish]:
        prompt = Prompt(
            instructions=self.mind.instructions,
            messages=window.messages,
            tokens=window.tokens,
            conversation=blake2b(lease.key.address.id.encode(), digest_size=16).hexdigest(),
        )
        words = ""
        async with aclosing(self.mind.model.stream(prompt)) as stream:
            async for piece in stream:
                if isinstance(piece, Finish):
                    if piece.usage is not None:
                        self.mind.calibration.learn(window.tokens, piece.usage.shown)
                    return words, piece
                words += piece
                speech.say(words)
        raise AssertionError("a model's stream ends with a Finish")

    async def _hear(self, lease: Lease, question: Turn) -> None:
        """Reads what was said here before the session's birth, once."""
        said: list[Inbound] = []
        if self._listens(lease.key, question):
            adapter = self._outbox.adapters[lease.key.address.platform]
            try:
                said = await self._backscroll(adapter, lease.key, question)
            except DeliveryError as error:  # not now: a later turn may try again
                log.info("backscroll not read", session=lease.key.address.id, reason=str(error))
                return
        sizes = [
            self.mind.count(
                one.text if one.author.is_self else prompts.spoken(one.author, int(one.at * 1000), one.text)
            )
            for one in said
        ]
        await self._database.write(backscroll.hear, lease, said, sizes)

    def _listens(self, key: SessionKey, question: Turn) -> bool:
        """Whether anything can have been said here that the session is to be told."""
        thread = key.address.thread
        in_channel = thread is None or thread == question.message
        return not question.direct and self.mind.hearing != "off" and (self.mind.hearing == "channel" or not in_channel)

    async def _backscroll(self, adapter: Adapter, key: SessionKey, question: Turn) -> list[Inbound]:
        assert question.author is not None  # noqa: S101 – every person's turn has one
        opening = Inbound(
            address=key.address,
            id=question.message or "",
            author=question.author,
            text=question.text,
            at=question.at / 1000,
            reply_to=question.reply_to,
        )
        try:
            async with asyncio.timeout(HEAR_SECONDS):
                said = list(await adapter.backscroll(opening, context.HEARD_BEFORE_QUESTION))
        except TimeoutError:
            log.info("backscroll too slow", session=key.address.id)
            return []
        if key.address.thread != question.message:
            return said
        # A message that opens a thread of its own hears the channel, but not what belongs to other sessions there.
        return [one for one in said if one.audience is not Audience.BOT and not one.author.is_self]
