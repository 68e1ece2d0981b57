"""Reconciling: what may not be on screen as it should is looked at once more, when nobody can be changing it any more.

A call that was given up may land late; a process that was frozen at the wrong moment may speak after its lease; a
message whose question was deleted may have begun to grow.
"""

from collections.abc import Sequence
from dataclasses import replace

import structlog

from core.delivery import composing
from core.delivery.outbox import Outbox
from core.errors import DeliveryDelayed, DeliveryError, DeliveryRefused
from core.store import Database, doubts, turns
from core.store.withdrawals import ASIDE
from core.timings import Timings

log = structlog.get_logger()

_AT_A_TIME = 20


class Reconciler:
    """Reconciles deliveries, one after the other: they are few, and platforms ration their history."""

    def __init__(self, *, database: Database, outbox: Outbox, platforms: Sequence[str], timings: Timings) -> None:
        self._database = database
        self._outbox = outbox
        self._platforms = platforms
        self._timings = timings

    async def look(self) -> None:
        """Looks at some of what is due."""
        for doubt in await self._database.write(doubts.due, self._platforms, limit=_AT_A_TIME):
            await self._examine(doubt)

    async def _examine(self, doubt: doubts.Doubt) -> None:
        session = doubt.key.address.id
        try:
            await self._put_right(doubt)
        except DeliveryDelayed as error:
            await self._database.write(doubts.postpone, doubt, error.retry_after)
        except DeliveryRefused as error:  # we are not let in there any more
            log.info("reconciling refused", session=session, reason=str(error))
            await self._database.write(doubts.settle, doubt)
        except Exception as error:  # noqa: BLE001 – other deliveries must not wait for what is wrong with this one
            reason = str(error) if isinstance(error, DeliveryError) else None
            log.warning("reconciling put off", session=session, error=type(error).__name__, reason=reason)
            await self._database.write(doubts.postpone, doubt, self._timings.put_off)
        else:
            log.debug("reconciled", session=session)
            await self._database.write(doubts.settle, doubt)

    async def _put_right(self, doubt: doubts.Doubt) -> None:
        address = doubt.key.address
        adapter = self._outbox.adapters[address.platform]
        if doubt.stands is None and doubt.draft is not None:
            await adapter.withdraw(address, doubt.draft.id)
        if doubt.part >= ASIDE:
            return  # it has become a message that is known, and its answer stands elsewhere
        text = doubt.text if doubt.text is not None else await self._remembered(doubt)
        reply = replace(composing.reply(doubt.key, doubt.cause, doubt.part, text), attempt=2)
        reply = await self._database.read(doubts.neighbours, reply, doubt.key, doubt.cause.seq)
        await adapter.reconcile(reply, doubt.stands or "")

    async def _remembered(self, doubt: doubts.Doubt) -> str:
        """The part's text out of what its session remembers: the notice, or the answer; empty where it has neither."""
        if doubt.stands is None:
            return ""
        cause = doubt.cause
        said = cause if cause.notice is not None else await self._database.read(turns.answer, doubt.key, cause.seq)
        if said is None:
            return ""
        pieces = composing.pieces(self._outbox.adapters[doubt.key.address.platform], cause, said.text)
        return pieces[doubt.part] if doubt.part < len(pieces) else ""
