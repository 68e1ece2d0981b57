"""Remaking: a summary of turns that have changed since is made again before the model is shown it."""

from collections.abc import Sequence
from functools import partial
from zoneinfo import ZoneInfo

import structlog

from core.assistant.streaming import stream
from core.assistant.tabs import Tab
from core.errors import ModelError
from core.memory import citations, numbering, retention
from core.memory.citations import Source
from core.memory.mind import Mind
from core.memory.prompts import SUMMARIZE
from core.memory.retention import Ends
from core.memory.window import Window, build
from core.session import Checkpoint, Fold, Kind, Lease, Progress, Role, Seqs, ShownPart, Turn, Validity
from core.store import Database, recalling, summaries, turns

log = structlog.get_logger()


class Remaking:
    """Makes stale summaries again."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def renewed(self, mind: Mind, lease: Lease, newest: Sequence[Turn], over: Ends, tab: Tab) -> Sequence[Turn]:
        """The turns with every stale summary made again, the oldest first; one that can't be is left out.

        What is `over` is told of in none.
        """
        for stale in [turn for turn in reversed(newest) if turn.validity is Validity.STALE]:
            fresh = await self._remade(mind, lease, stale, over, tab)
            if fresh is not None:
                newest = [fresh if turn is stale else turn for turn in newest]
        return [turn for turn in newest if turn.validity is not Validity.STALE]

    async def _remade(self, mind: Mind, lease: Lease, stale: Turn, over: Ends, tab: Tab) -> Turn | None:
        """The summary as it is now; None where it can't be made, or has changed again meanwhile."""
        folded, before = await self._database.read(recalling.recall, lease.key, budget=mind.room, before=stale.seq)
        first = await self._covers(lease, stale)
        young = retention.kept(before, over)
        told = [turn for turn in young if turn.validity is not Validity.STALE and turn.seq >= first]
        folded = [one for one in folded if (one.first if one.kind is Fold.STATE else one.last) >= first]
        words, shown, covers = "", Seqs(), None  # of nothing, the summary is nothing
        parts = tuple[ShownPart, ...]()
        if told or folded:
            window = _window(mind, told, folded)
            try:
                words = await self._written(mind, lease, window, stale, numbering.citable(told, folded), tab)
            except ModelError as error:
                log.warning("summary left out", session=lease.key.address.id, error=type(error).__name__)
                return None
            shown, parts, covers = window.seqs, window.parts, window.first
        tokens = mind.count_summary(words)
        stands = await self._database.write(
            summaries.remade,
            lease,
            stale,
            text=words,
            tokens=tokens,
            shown_seqs=shown,
            shown_parts=parts,
            covers=covers,
        )
        return stale._replace(text=words, tokens=tokens, validity=Validity.STANDS) if stands else None

    async def _written(
        self, mind: Mind, lease: Lease, window: Window, stale: Turn, seqs: Sequence[int], tab: Tab
    ) -> str:
        """What the model writes, in the form in which it is shown a summary: nobody sees it, so it has no links."""
        words, _ = await stream(mind, lease, window, tab=tab, cause=stale, once=True)
        said = await self._database.read(summaries.sources, lease.key, seqs)
        sources = {seq: Source(at=one.at) for seq, one in said.items()}
        return citations.told(words, sources, ZoneInfo(mind.policy.zone))

    async def _covers(self, lease: Lease, stale: Turn) -> int:
        """The first seq that it tells of, and is to tell of again: what was asked for need not be all."""
        known = await self._database.read(turns.answer, lease.key, stale.seq)
        return recalling.FIRST if known is None or known.covers is None else known.covers


def _window(mind: Mind, told: Sequence[Turn], folded: Sequence[Checkpoint]) -> Window:
    """What the model is shown for it: these turns, newest first, what of before is folded, and what it is asked."""
    tokens = mind.count(SUMMARIZE)
    asked = Turn(
        seq=0,
        role=Role.PERSON,
        kind=Kind.COMMAND,
        progress=Progress.WAITING,
        validity=Validity.STANDS,
        text=SUMMARIZE,
        tokens=tokens,
        at=0.0,
    )
    windowed = partial(
        build,
        newest_first=told,
        budget=mind.room,
        fixed=mind.fixed,
        explaining=mind.explaining,
        cut=mind.cut,
        count=mind.count,
        checkpoints=folded,
    )
    return numbering.built(windowed, asked, told, mind.shares, mind.count)
