"""Asking: the model is asked a question, and once more with less where it could not take what it was shown."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from core.assistant.remaking import Remaking
from core.assistant.streaming import stream
from core.assistant.tabs import Tab
from core.commands import moments
from core.commands.orders import Order
from core.delivery.outbox import Outbox
from core.delivery.speech import Speech
from core.errors import EmptyAnswer, ModelError, ModelMisconfigured, ModelRefused, RequestNotTaken, WindowTooLong
from core.memory import attachments, overhearing, preferences, prompts
from core.memory.epochs import Epochs, Prefix
from core.memory.mind import Mind
from core.memory.window import Window, build
from core.model.llm import Finish
from core.seam.messages import Quote
from core.session import Checkpoint, Fold, Lease, Preferences, Role, Seqs, Turn
from core.store import Database, recalling, turns
from core.timings import Timings

log = structlog.get_logger()

_AFTER = timedelta(microseconds=1)  # by which a moment comes after another
_MINUTE = "%Y-%m-%d %H:%M %z"
_LEAST = 64  # tokens that a question must have beside the instructions


@dataclass(slots=True, eq=False)
class Sight:
    """What the model was shown last for its answer; None until it is asked."""

    window: Window | None = None

    @property
    def seqs(self) -> Seqs | None:
        """Which turns before its question, as they were said."""
        return None if self.window is None else self.window.seqs


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A question that the model answers: under which lease, with which mind, and where people see the answer grow.

    What the model's calls for it cost is on its tab.

    With an `order` the question is that command, and the model is asked its prompt in its place. An answer that is
    ended in the middle was shown what `sight` has by then.
    """

    lease: Lease
    mind: Mind
    question: Turn
    speech: Speech
    tab: Tab
    order: Order | None = None
    sight: Sight = field(default_factory=Sight)

    @property
    def session(self) -> str:
        """The session's ID, for the log."""
        return self.lease.key.address.id

    @property
    def since(self) -> str | None:
        """From when on the model is to be shown what was said, in the asker's words; None for all."""
        return None if self.order is None else self.order.since


class NothingSaid(Exception):
    """There is nothing that the model could tell of."""

    def __init__(self, since: datetime) -> None:
        super().__init__(f"nothing since {since}")
        self.since = since


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What the model has written, the first seq that it was shown, and what its question points at.

    It was shown the `window`, of what was said `since` then, if not of all.
    """

    words: str
    finish: Finish
    first: int
    window: Window
    since: datetime | None
    quotes: tuple[Quote, ...]


class _Tries:
    """What is asked in one case: less each time that the model could not take it, until nothing can be left out.

    Raises ModelMisconfigured where not even the question has room from the beginning.
    """

    def __init__(self, case: Case, told: Sequence[Turn], checkpoints: Sequence[Checkpoint]) -> None:
        self._case = case
        self._mind = case.mind
        self._told = told
        self._checkpoints = checkpoints
        self._room = case.mind.room
        if self._room < case.mind.fixed + _LEAST:
            raise ModelMisconfigured("The instructions leave no room for a question in the model's context.")
        self._empty = False
        self.refused = list[Turn]()

    @property
    def _shown(self) -> Sequence[Turn]:
        return [turn for turn in self._told if turn not in self.refused]

    def window(self, question: Turn) -> Window:
        """What the model is shown this time."""
        mind = self._mind
        return build(
            question,
            self._shown,
            budget=self._room,
            fixed=mind.fixed,
            cut=mind.cut,
            count=mind.count,
            checkpoints=self._checkpoints,
        )

    def leave_out(self, error: ModelError) -> None:
        """Changes what is asked next, after this error. Raises a ModelError where that is no use any more."""
        match error:
            case WindowTooLong():
                if error.answered and self._empty:
                    raise error
                self._empty = self._empty or error.answered
                self._room = self._smaller()
                log.warning("window too long for the model", session=self._case.session, tokens=self._room)
            case EmptyAnswer() if not self._empty:
                self._empty = True  # the same, complete and useless, is asked for once more
            case ModelRefused() | RequestNotTaken():
                suspects = _suspects(self._shown, certain=isinstance(error, ModelRefused))
                if not suspects and not self._checkpoints:
                    raise error
                if not suspects:
                    self._checkpoints = ()
                self.refused += suspects
            case _:
                raise error

    def _smaller(self) -> int:
        """What to try after a window of this room was too long: what is known by now, or half. Raises WindowTooLong."""
        smaller = self._mind.room if self._mind.room < self._room else self._room // 2
        if smaller < self._mind.fixed + _LEAST:
            raise WindowTooLong("Not even the question has room in the model's context.")
        return smaller


class Asking:
    """Asks the model about one case at a time."""

    def __init__(self, *, database: Database, outbox: Outbox, timings: Timings) -> None:
        self._database = database
        self._adapters = outbox.adapters
        self._timings = timings
        self._remaking = Remaking(database=database)
        self._epochs = Epochs()

    async def ask(self, case: Case) -> Written:
        """What the model answers. Raises NothingSaid, a ModelError, or LeaseLost."""
        await overhearing.read_backscroll(
            self._database, self._adapters, case.mind, case.lease, case.question, within=self._timings.backscroll
        )
        since = await self._since(case)
        (question, *told), shown = await self._read(case, since)
        question = preferences.asked(question, case.mind)
        tries = _Tries(case, told, shown)
        while True:
            window = tries.window(question)
            case.sight.window = window
            try:
                words, finish = await stream(
                    case.mind,
                    case.lease,
                    window,
                    tab=case.tab,
                    cause=question,
                    speech=case.speech,
                    once=since is not None,
                )
                break
            except ModelError as error:
                tries.leave_out(error)
        await self._leave_out(case, tries.refused)
        if since is None:
            self._note(case, window)
        first = question.seq if window.first is None else window.first
        return Written(words=words, finish=finish, first=first, window=window, since=since, quotes=question.quotes)

    async def _since(self, case: Case) -> datetime | None:
        """From when on the model is shown what was said; None for all, also where its asker was never here before."""
        said, question = case.since, case.question
        if said is None:
            return None
        zone = ZoneInfo(case.mind.policy.zone)
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
        if since is not None:
            shown, newest = _of(shown, newest, since)
        told = await self._remaking.renewed(mind, lease, newest, case.tab)
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

    def _note(self, case: Case, window: Window) -> None:
        """Says why the provider's prompt cache can't have found all that was shown before the question."""
        mind = case.mind
        budget = mind.policy.context_tokens
        prefix = Prefix.of(window, model=mind.model.name, instructions=mind.told, budget=budget, room=mind.room)
        if (epoch := self._epochs.note(case.session, prefix)) is not None:
            log.info("prefix changed", session=case.session, epoch=epoch.value)

    async def _leave_out(self, case: Case, refused: Sequence[Turn]) -> None:
        if refused:
            log.warning("left out what the provider will not read", session=case.session, turns=len(refused))
            await self._database.write(turns.leave_out, case.lease.key, [turn.seq for turn in refused])


def _of(
    checkpoints: Sequence[Checkpoint], newest: Sequence[Turn], since: datetime
) -> tuple[list[Checkpoint], list[Turn]]:
    """What of these is about what was said since then. Raises NothingSaid.

    A record of turns of before and after is among them, a state is not: it tells of all that was ever said.
    """
    told = [one for one in newest if one.at >= since.timestamp()]
    reaching = [one for one in checkpoints if one.kind is not Fold.STATE and one.until >= since.timestamp()]
    if not told and not reaching:
        raise NothingSaid(since)
    return reaching, told


def _suspects(told: Sequence[Turn], *, certain: bool) -> list[Turn]:
    """What the provider may have refused beside the question: what was never answered, and then all of before.

    Where it is not `certain` that words are the reason, what it has answered before is above suspicion.
    """
    answered = {turn.seq for turn in told if turn.role is Role.ASSISTANT}
    doubtful = [turn for turn in told if turn.seq not in answered]
    return doubtful or (list(told) if certain else [])
