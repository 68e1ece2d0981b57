"""Answering: what is said to a question, be it the model's words or an honest sentence in their place."""

import asyncio
from dataclasses import replace

import structlog

from core.assistant import apologies, covering, thrift
from core.assistant.asking import Asking
from core.assistant.cases import Case, NothingSaid, Written
from core.assistant.running import Runs, Stopped
from core.assistant.tabs import Tabs
from core.assistant.waiting import Patience
from core.budget.holding import Account
from core.commands import orders
from core.commands.orders import Order
from core.delivery import composing
from core.delivery.errands import Errand
from core.delivery.outbox import Outbox
from core.delivery.previews import LATE, UNSURE
from core.delivery.speech import Speech
from core.errors import BudgetNotHeld, BudgetSpent, ModelError, ModelInterrupted, ModelRefused, ModelUnavailable
from core.memory import folding
from core.memory.mind import Mind
from core.seam.cache import Recent
from core.session import Answer, Fate, Lease, Turn
from core.store import Database, queue, recalling, turns
from core.timings import Clock, Timings

log = structlog.get_logger()

CUTS = 3
"""How often an answer may break off in the middle before its asker is told that it will not be whole."""

SHUT = "this place takes nothing that we say"

_REMEMBERED_CUTS = 1_000  # answers of which it is known how often they broke off


class _Cuts:
    """How often answers have broken off after some words; each is billed."""

    def __init__(self, clock: Clock) -> None:
        self._cuts: Recent[int] = Recent(_REMEMBERED_CUTS, clock=clock)

    def are_enough(self, case: Case, error: ModelInterrupted) -> bool:
        """Counts this one; whether the asker must be told now."""
        if not (case.speech.shown or error.words):
            return False
        answer = f"{case.session}/{case.question.seq}"
        cuts = (self._cuts.forget(answer) or 0) + 1
        if cuts < CUTS:
            self._cuts.note(answer, cuts)
        return cuts >= CUTS


class Answering:
    """Answers questions: decides what is said, stores it, and has it delivered."""

    def __init__(
        self, *, database: Database, outbox: Outbox, mind: Mind, timings: Timings, runs: Runs, clock: Clock
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._mind = mind
        self._patience = Patience(timings=timings, clock=clock)
        self._runs = runs
        self._asking = Asking(database=database, outbox=outbox, timings=timings, clock=clock)
        self._cuts = _Cuts(clock)
        self._tabs = Tabs(database=database, clock=clock)

    async def talk(self, lease: Lease, question: Turn, order: Order | None) -> Fate:
        """Has the model answer the question, or what is asked in the place of the command that it is.

        Raises ModelUnavailable when it is worth another try, DeliveryUnknown, Changed when the question has, LeaseLost.
        """
        mind = self._mind.under(lease.overrides)
        account = _account(mind, lease, question)
        async with self._tabs.open(account, lease) as tab:
            async with self._outbox.speech(lease, question) as speech:
                mind = await self._tabs.thrifty(mind, account)
                case = Case(lease=lease, mind=mind, question=question, speech=speech, tab=tab, order=order)
                decided = await self._decide(case)
                decided = replace(decided, look_in=_look_in(case, decided), bill=tab.offer())
            fate = await self._conclude(lease, question, decided, speech)
            tab.settle()
        if decided.refused:
            await self._database.write(turns.leave_out, lease.key, [*turns.burst(question), question.seq])
        return fate

    async def say(self, lease: Lease, question: Turn, sentence: str, reason: str) -> Fate:
        """Says this sentence in place of an answer; the reason is kept with the turn."""
        async with self._outbox.speech(lease, question) as speech:
            decided = Answer(parts=speech.beneath(sentence), error=reason)
        return await self._conclude(lease, question, decided, speech)

    async def finish(self, lease: Lease, question: Turn) -> Fate:
        """Says what was stored before."""
        private, command = question.slip.private, orders.named(question)
        errand = Errand(key=lease.key, cause=question, lease=lease, private=private, command=command)
        return await self._outbox.deliver(errand)

    async def _conclude(self, lease: Lease, question: Turn, decided: Answer, speech: Speech) -> Fate:
        decided = replace(decided, parts=speech.closed(decided.parts))
        errand = Errand(
            key=lease.key,
            cause=question,
            lease=lease,
            stored=speech.stored(decided.parts),
            drafts=speech.drafts,
            doubtful=speech.doubtful,
            command=orders.named(question),
        )
        return await self._outbox.answer(errand, decided)

    async def _decide(self, case: Case) -> Answer:
        """The answer, or the honest sentence in its place; nothing where nothing that we say is taken."""
        if not await case.speech.is_taken():
            return Answer(parts=(), error=SHUT)
        try:
            written = await self._written(case)
        except Stopped:
            return await self._as_it_stands(case)
        except NothingSaid as nothing:
            return Answer(parts=case.speech.beneath(apologies.nothing(nothing.since)))
        except BudgetSpent as spent:
            return Answer(parts=case.speech.beneath(str(spent)))
        except ModelUnavailable as error:
            return await self._unavailable(case, error)
        except ModelError as error:
            return await self._failed(case, error)
        except queue.Changed:
            await case.speech.keep()
            raise
        return await self._remembered(case, written)

    async def _written(self, case: Case) -> Written:
        """What the model has written. Raises Stopped, Changed, or a ModelError."""
        lease, seq = case.lease, case.question.seq
        if lease.stops(seq):
            raise Stopped
        async with self._runs.run(lease.key, seq, case.speech):
            return await self._asking.ask(case)

    async def _as_it_stands(self, case: Case) -> Answer:
        """What people saw of an answer when somebody stopped it."""
        await case.speech.end()
        return await _partial(case, "\n\n".join(case.speech.shown), case.speech.shown)

    async def _unavailable(self, case: Case, error: ModelUnavailable) -> Answer:
        """What is said once another try is no use. Raises the error where it is worth one."""
        if isinstance(error, ModelInterrupted) and self._cuts.are_enough(case, error):
            return await self._broken_off(case, error)
        if self._patience.is_late(case.question, error.retry_after):
            await case.speech.excuse(UNSURE if isinstance(error, BudgetNotHeld) else LATE)
        await case.speech.keep()
        if not self._patience.is_over(case.lease, case.question):
            raise error
        return Answer(parts=case.speech.beneath(apologies.gave_up(case.question)), error=_reason(error))

    async def _broken_off(self, case: Case, error: ModelInterrupted) -> Answer:
        """What there is of an answer, be it on screen or not, and that it is not whole."""
        speech = case.speech
        await speech.end()
        written = case.seen(error.words)
        words = "\n\n".join(speech.shown) or written
        if speech.shown:
            parts = speech.beneath(apologies.BROKE_OFF)
        else:
            parts = await _pieces(self._outbox, case, f"{written}\n\n{apologies.BROKE_OFF}")
        return await _partial(case, words, parts, _reason(error))

    async def _failed(self, case: Case, error: ModelError) -> Answer:
        log.error("model failed", session=case.session, error=type(error).__name__, reason=str(error))
        await case.speech.end()
        parts = case.speech.beneath(apologies.why_none(error, case.question))
        return Answer(parts=parts, error=_reason(error), refused=isinstance(error, ModelRefused))

    async def _remembered(self, case: Case, written: Written) -> Answer:
        """The answer as it is stored, with its bill."""
        finish = written.finish
        words = case.seen(written.words) + apologies.beneath(written.finish.cut, written.quotes)
        words += "" if case.order is None else covering.told(written.window, written.since, case.zone)
        warning = thrift.warning(await case.tab.warns(), case.mind.cheaper)
        return Answer(
            parts=await _pieces(self._outbox, case, words + warning),
            memory=words,
            tokens=await _size(case, words),
            model=finish.model,
            shown_seqs=case.sight.seqs,
            shown_parts=case.sight.parts,
            covers=_covers(case),
        )


async def _partial(case: Case, words: str, parts: tuple[str, ...], error: str | None = None) -> Answer:
    """An answer that is not whole, as it is stored."""
    return Answer(
        parts=parts,
        memory=words or None,
        tokens=await _size(case, words),
        shown_seqs=case.sight.seqs,
        shown_parts=case.sight.parts,
        stopped=True,
        covers=_covers(case),
        error=error,
    )


def _account(mind: Mind, lease: Lease, question: Turn) -> Account:
    """Who pays for the answer."""
    author = "" if question.author is None else question.author.id
    return Account(
        key=lease.key,
        author=author,
        policy=mind.policy,
        prices=mind.prices,
        seq=question.seq,
        edited_at=question.edited_at,
    )


async def _pieces(outbox: Outbox, case: Case, words: str) -> tuple[str, ...]:
    """The words as messages of the place where they were asked for."""
    adapter = outbox.adapters[case.lease.key.address.platform]
    return await composing.Composing(adapter, case.question).pieces(words)


async def _size(case: Case, words: str) -> int:
    """What the answer with these words costs in later windows. A long one is counted beside the event loop."""
    count = case.mind.count if case.order is None else case.mind.count_summary
    return await asyncio.to_thread(count, words) if len(words) > composing.LONG else count(words)


def _covers(case: Case) -> int | None:
    """The first seq that a summary may tell of, whole or not; None for any other answer.

    Of what an earlier attempt has left on screen nobody knows any more what it was shown: of anything, perhaps.
    """
    if case.order is None:
        return None
    window = case.sight.window
    if window is None:
        return recalling.FIRST
    return case.question.seq if window.first is None else window.first


def _look_in(case: Case, answer: Answer) -> float | None:
    """When it is worth a look whether turns are to be folded, now that there is this answer to a whole window."""
    window = case.sight.window
    return (
        None if window is None or case.since is not None else folding.look_in(case.mind.shares, window, answer.tokens)
    )


def _reason(error: ModelError) -> str:
    return f"{type(error).__name__}: {error}"
