"""Asking: the model is asked a question about all that it is to know, as often as need be."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from core.assistant import citing, sifting
from core.assistant.cases import Case, NothingSaid, Written
from core.assistant.remaking import Remaking
from core.assistant.streaming import stream
from core.assistant.trying import Exchange, Tries
from core.commands import moments
from core.delivery.outbox import Outbox
from core.errors import DatabaseError, EmptyAnswer, ModelError
from core.memory import attachments, numbering, overhearing, preferences, prompts, retention
from core.memory.epochs import Epochs, Prefix, why
from core.memory.mind import Mind
from core.memory.window import Window
from core.policy import zones
from core.session import Checkpoint, Fold, Preferences, Role, Turn
from core.store import Database, recalling, segments, turns
from core.store.segments import Move
from core.timings import Clock, Timings

log = structlog.get_logger()

_CURT = 16  # tokens: the fewest that the Responses API takes as a limit (its reference, max_output_tokens)
_AFTER = timedelta(microseconds=1)  # by which a moment comes after another
_MINUTE = "%Y-%m-%d %H:%M %z"


class Asking:
    """Asks the model about one case at a time."""

    def __init__(self, *, database: Database, outbox: Outbox, timings: Timings, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._adapters = outbox.adapters
        self._timings = timings
        self._remaking = Remaking(database=database)
        self._epochs = Epochs(clock)

    async def ask(self, case: Case) -> Written:
        """What the model answers. Raises NothingSaid, a ModelError, or LeaseLost."""
        await overhearing.read_backscroll(
            self._database, self._adapters, case.mind, case.lease, case.question, within=self._timings.backscroll
        )
        since = await self._since(case)
        (question, *told), shown = await self._read(case, since)
        asked = preferences.asked(question, case.mind)
        asked = await overhearing.told(
            self._database, self._adapters, case.mind, case.lease, asked, within=self._timings.backscroll
        )
        if case.order is not None:
            seqs = numbering.citable(told, shown)
            case.sight.sources = await citing.sources(self._database, self._adapters, case.lease.key, seqs)
        tries = Tries(case, told, shown)
        joined = turns.burst(case.question)
        while True:
            window = await tries.window(asked)
            case.sight.window = window
            try:
                words, finish = await stream(
                    case.mind,
                    case.lease,
                    window,
                    tab=case.tab,
                    cause=asked,
                    say=case.say,
                    once=since is not None,
                    burst=[one for one in reversed(told) if one.seq in joined and one.role is Role.PERSON],
                )
                break
            except ModelError as error:
                await self._leave_out(case, tries, asked, error)
        await self._left_out(case, tries.refused)
        if since is None:
            await self._note(case, window)
        return Written(words=words, finish=finish, window=window, since=since, quotes=question.quotes)

    async def _since(self, case: Case) -> datetime | None:
        """From when on the model is shown what was said; None for all, also where its asker was never here before.

        A day is one of its asker's own zone, where they prefer one.
        """
        said, question = case.since, case.question
        if said is None:
            return None
        theirs = zones.zone(question.preferences.zone or "")
        zone = case.zone if theirs is None else ZoneInfo(theirs)
        if not moments.is_visit(said):
            return moments.moment(said, datetime.fromtimestamp(question.at, zone))
        assert question.author is not None  # noqa: S101 – every command has one
        last = await self._database.read(turns.last_said, case.lease.key, question.author.id, before=question.seq)
        return None if last is None else datetime.fromtimestamp(last, zone) + _AFTER

    async def _read(self, case: Case, since: datetime | None) -> tuple[Sequence[Turn], Sequence[Checkpoint]]:
        """The question as the model reads it, what is remembered before it, newest first, and what of it is folded.

        Raises NothingSaid.
        """
        lease, mind = case.lease, case.mind
        # What was overheard since the question stands behind its answer, here as in every window after this one.
        asks = case.question
        shown, newest = await self._database.read(recalling.recall, lease.key, budget=mind.room, question=asks)
        over = retention.ends(mind.policy, self._clock())
        newest = retention.kept(newest, over)
        if since is not None:
            shown, newest = _of(shown, newest, since)
        if case.order is not None and not shown and not newest:
            raise NothingSaid(since)
        told = await self._remaking.renewed(mind, lease, newest, over, case.tab)
        adapter = self._adapters[lease.key.address.platform]
        asked = [self._asked(case, since), *told]
        asked = await attachments.fetched(self._database, adapter, mind, lease, asked, within=self._timings.fetch)
        return asked, shown

    def _asked(self, case: Case, since: datetime | None) -> Turn:
        """The question as the model reads it: a command is its prompt, and nobody's words or wishes."""
        if case.order is None:
            return case.question
        prompt = case.order.prompt + ("" if since is None else prompts.SINCE.format(since=f"{since:{_MINUTE}}"))
        tokens = case.mind.count(prompt)
        return case.question._replace(text=prompt, author=None, quotes=(), tokens=tokens, preferences=Preferences())

    async def _note(self, case: Case, window: Window) -> None:
        """Says why the provider's prompt cache can't have found all that was shown before the question."""
        mind, asked = case.mind, case.question.seq
        prefix = Prefix.of(
            window,
            asked=asked,
            model=mind.model.name,
            instructions=mind.told,
            budget=mind.policy.context_tokens,
            room=mind.room,
        )
        before = self._epochs.note(case.session, prefix)
        if before is not None:
            epoch = why(before, prefix, await self._moved(case, before.asked))
            log.info("prefix changed", session=case.session, epoch=epoch.value)

    async def _moved(self, case: Case, since: int) -> Move | None:
        """What has moved the view since that question."""
        try:
            return await self._database.read(segments.moved, case.lease.key, after=since, before=case.question.seq)
        except DatabaseError:  # the answer is there, and worth more than the right name
            return None

    async def _leave_out(self, case: Case, tries: Tries, asked: Turn, error: ModelError) -> None:
        """Changes what is asked next, after this error. Raises a ModelError where that is no use any more.

        What is at fault for a refusal is looked for: all else stays remembered.
        """
        exchanges = tries.suspects(error)
        if len(exchanges) < 2:
            tries.leave_out(error)
            return

        async def attempt(some: Sequence[Exchange]) -> None:
            with suppress(EmptyAnswer):  # it was read
                window = await tries.window(asked, some)
                await stream(_curt(case.mind), case.lease, window, tab=case.tab, cause=asked, once=True)

        if await sifting.is_refused((), attempt):
            tries.leave_out_records(error)
        elif (found := await sifting.find(exchanges, attempt)) is not None:
            tries.leave_out_exchange(found)
        else:
            tries.leave_out(error)

    async def _left_out(self, case: Case, refused: Sequence[Turn]) -> None:
        if refused:
            log.warning("left out what the provider will not read", session=case.session, turns=len(refused))
            await self._database.write(turns.leave_out, case.lease.key, [turn.seq for turn in refused])


def _curt(mind: Mind) -> Mind:
    """The same, where it only matters whether there is an answer."""
    return replace(mind, policy=replace(mind.policy, answer_tokens=_CURT))


def _of(
    checkpoints: Sequence[Checkpoint], newest: Sequence[Turn], since: datetime
) -> tuple[list[Checkpoint], list[Turn]]:
    """What of these is about what was said since then.

    A record of turns of before and after is among them, a state is not: it tells of all that was ever said.
    """
    told = [one for one in newest if one.at >= since.timestamp()]
    reaching = [one for one in checkpoints if one.kind is not Fold.STATE and one.until >= since.timestamp()]
    return reaching, told
