"""The audit: what may not be on screen as it should be is looked at once more, when nobody can be changing it any more.

A call that was given up may land late; a process that was frozen at the wrong moment may speak after its lease; a
message whose question was deleted may have begun to grow.
"""

import asyncio
from collections.abc import Sequence

import structlog

from core.errors import DatabaseError, DeliveryDelayed, DeliveryError, DeliveryRefused
from core.outbox import Outbox
from core.store import Database, audits, turns
from core.store.withdrawals import ASIDE

log = structlog.get_logger()

_EVERY = 1.0  # seconds between two looks at what is due
_FORGET_EVERY = 3600.0  # seconds between two looks through all that has arrived
_AT_A_TIME = 20
_LATER = 15.0  # seconds


class Auditor:
    """Audits deliveries, one after the other: they are few, and platforms ration their history."""

    def __init__(self, *, database: Database, outbox: Outbox, platforms: Sequence[str]) -> None:
        self._database = database
        self._outbox = outbox
        self._platforms = platforms

    async def work(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        forget_at = loop.time()
        while True:
            try:
                if loop.time() >= forget_at and await self._database.write(audits.forget) < audits.FORGET_AT_ONCE:
                    forget_at = loop.time() + _FORGET_EVERY
                for doubt in await self._database.write(audits.due, self._platforms, limit=_AT_A_TIME):
                    await self._examine(doubt)
            except DatabaseError as error:
                log.error("not audited", reason=str(error))
            await asyncio.sleep(_EVERY)

    async def _examine(self, doubt: audits.Doubt) -> None:
        session = doubt.key.address.id
        try:
            await self._put_right(doubt)
        except DeliveryDelayed as error:
            await self._database.write(audits.postpone, doubt, error.retry_after)
        except DeliveryRefused as error:  # we are not let in there any more
            log.info("audit refused", session=session, reason=str(error))
            await self._database.write(audits.settle, doubt)
        except Exception as error:  # noqa: BLE001 – others' audits must not wait for what is wrong with this one
            reason = str(error) if isinstance(error, DeliveryError) else None
            log.warning("audit put off", session=session, error=type(error).__name__, reason=reason)
            await self._database.write(audits.postpone, doubt, _LATER)
        else:
            log.debug("audited", session=session)
            await self._database.write(audits.settle, doubt)

    async def _put_right(self, doubt: audits.Doubt) -> None:
        address = doubt.key.address
        adapter = self._outbox.adapters[address.platform]
        if doubt.stands is None and doubt.draft is not None:
            await adapter.withdraw(address, doubt.draft.id)
        if doubt.part >= ASIDE:
            return  # it has become a message that is known, and its answer stands elsewhere
        text = doubt.text if doubt.text is not None else await self._remembered(doubt)
        reply = self._outbox.reply(doubt.key, doubt.question, part=doubt.part, text=text, attempt=2)
        reply = await self._database.read(audits.neighbours, reply, doubt.key, doubt.question.seq)
        await adapter.tidy(reply, doubt.stands or "")

    async def _remembered(self, doubt: audits.Doubt) -> str:
        """The part's text out of the answer that the session remembers; empty where it remembers none."""
        answer = await self._database.read(turns.answer, doubt.key, doubt.question.seq)
        if doubt.stands is None or answer is None:
            return ""
        pieces = self._outbox.pieces(self._outbox.adapters[doubt.key.address.platform], doubt.question, answer.text)
        return pieces[doubt.part] if doubt.part < len(pieces) else ""
