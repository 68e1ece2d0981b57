"""Putting replies on screen: once, in the right place, mentioning nobody but the asker.

How a reply is kept from standing twice. In a channel it is posted with its key as the nonce, and its first part as a
reply to the message that it answers. The nonce makes a repetition harmless for "the past few minutes", also those
that the library makes by itself; after that the reference is the receipt that is looked for (`lookup`). Edits are
idempotent, and so is the answer to an interaction.

A reply does not ping the asker by being one (`replied_user`): an answer comes seconds after the question, and in a
thread with a session every message has one. The asker can still be mentioned in the text.
"""

from asyncio import Lock
from collections.abc import Callable
from dataclasses import replace
from weakref import WeakValueDictionary

import structlog

from bots.discord.api import Api
from bots.discord.errors import Trouble, calling, is_about_reference
from bots.discord.forms import modal
from bots.discord.library import Forbidden, HTTPException
from bots.discord.lookup import Lookup, copies, likely
from bots.discord.payloads import PLATFORM, Payload, channel_of, instant
from bots.discord.reconcile import reconcile
from bots.discord.replies import content, with_choices
from bots.discord.responses import Responses
from bots.discord.screen import Screen
from bots.discord.ticket import Ticket
from bots.discord.timings import Timings
from core.errors import DeliveryDelayed
from core.seam.cache import Recent
from core.seam.forms import LATE
from core.seam.messages import Draft, Reply

log = structlog.get_logger(platform=PLATFORM)

_PRIVATE = "private"


class Posting:
    """`deliver`, `preview` and `reconcile` of the adapter. `now` is in seconds since 1970, and
    `clock` counts them from anywhere.
    """

    def __init__(
        self,
        api: Api,
        responses: Responses,
        lookup: Lookup,
        screen: Screen,
        *,
        now: Callable[[], float],
        clock: Callable[[], float],
        timings: Timings,
    ) -> None:
        self._api, self._responses = api, responses
        self._lookup, self._screen = lookup, screen
        self._now, self._clock, self._timings = now, clock, timings
        self._locks: WeakValueDictionary[str, Lock] = WeakValueDictionary()
        self._previewed: set[str] = set()  # channels in which a preview is under way
        self._typed: dict[str, float] = {}
        self._mute: Recent[None] = Recent()  # channels in which typing was forbidden

    async def deliver(self, reply: Reply) -> str:
        """Puts the reply on screen for good."""
        reply = with_choices(reply)
        async with calling(self._timings.patience), self._lock(reply):
            delivered = await self._deliver(reply)
        self._mute.forget(channel_of(reply.address))  # what was forbidden may be allowed by now
        return delivered

    async def preview(self, reply: Reply) -> Draft | None:
        """Shows the text so far; skipped while an earlier preview still waits for its turn in that channel."""
        channel, lock = channel_of(reply.address), self._lock(reply)
        if channel in self._previewed or lock.locked():
            return reply.draft
        self._previewed.add(channel)
        try:
            async with calling(self._timings.preview), lock:
                return await (self._show(reply) if reply.text else self._type(reply))
        finally:
            self._previewed.discard(channel)

    async def reconcile(self, reply: Reply, message: str) -> None:
        """See `lookup` for what is taken away."""
        reply = with_choices(reply)
        async with calling(self._timings.patience), self._lock(reply):
            await reconcile(reply, message, lookup=self._lookup, screen=self._screen)

    async def _deliver(self, reply: Reply) -> str:
        # Whether one for a private answer is still good, Discord alone says: our clock may have jumped.
        ticket = Ticket.read(reply.ticket, now=0.0) if reply.private else self._ticket(reply)
        if ticket is not None and ticket.awaits and reply.form is not None:
            if await self._responses.open(ticket, modal(reply.form, ticket.fields)):
                return ticket.awaits
            reply = replace(reply, text=LATE)
        if ticket is not None:
            answered = await self._answer(reply, ticket)
            if answered is not None:
                return answered
        if reply.draft is not None and reply.draft.note != _PRIVATE:
            return await self._finish(reply, reply.draft)
        found = await self._found(reply) if reply.attempt > 1 else None
        return await self._become(reply, found or await self._post(reply))

    async def _found(self, reply: Reply) -> Payload | None:
        """The message that an earlier call may have left; what else it left is taken away."""
        ours = await self._lookup.ours(reply)
        found = likely(ours, reply)
        if found is not None:
            for copy in copies(ours, reply, found["id"]):
                try:
                    await self._screen.withdraw(reply.address, copy["id"])
                except Trouble as error:  # the reply stands: that is what matters now
                    log.warning("copy left on screen", session=reply.address.id, error=type(error).__name__)
        return found

    async def _answer(self, reply: Reply, ticket: Ticket) -> str | None:
        """The message as the interaction's answer; None when the interaction is over, so that it goes out plainly."""
        try:
            if reply.part == 0 and not ticket.many:
                promised = ticket.private or not reply.private
                answer = self._responses.answer if promised else self._responses.confide
                return str((await answer(ticket, content(reply)))["id"])
            if ticket.private or reply.private:
                return str((await self._responses.whisper(ticket, content(reply)))["id"])
        except HTTPException as error:
            if error.status not in (401, 403, 404):
                raise
            if error.status == 404 and abs(ticket.age(now=self._now())) < self._timings.deferred:
                raise DeliveryDelayed("the command is not acknowledged yet", retry_after=1.0) from error
            log.info("interaction over", session=reply.address.id, status=error.status, code=error.code)
        return None  # public parts after the first are ordinary messages, because those have a nonce

    async def _finish(self, reply: Reply, draft: Draft) -> str:
        """Makes the draft the reply, whoever began it."""
        if not await self._screen.put(reply, draft.id):
            log.info("draft deleted", session=reply.address.id)  # people may delete what they do not want
        return draft.id

    async def _post(self, reply: Reply) -> Payload:
        """A new message; what it replies to is a hint, so a refusal is tried again without."""
        reply_to = reply.reply_to if reply.part == 0 else None
        arguments = (channel_of(reply.address), content(reply))
        try:
            return await self._api.post(*arguments, nonce=reply.key, reply_to=reply_to)
        except HTTPException as error:
            if reply_to is None or not is_about_reference(error):
                raise
            return await self._api.post(*arguments, nonce=reply.key)

    async def _become(self, reply: Reply, message: Payload) -> str:
        """Corrects the text of a message that an earlier call, or an earlier preview, has left."""
        if message["content"].strip() != reply.text.strip():
            await self._screen.put(reply, message["id"])
        return str(message["id"])

    async def _show(self, reply: Reply) -> Draft | None:
        draft, ticket = reply.draft, self._ticket(reply)
        if ticket is not None and reply.part == 0 and not ticket.many:
            shown = await self._responses.answer(ticket, content(reply))
            return Draft(id=shown["id"], text=reply.text, note=_PRIVATE if ticket.private else "")
        if ticket is not None and ticket.private:
            return draft
        if draft is None:
            posted = await self._post(reply)
            return Draft(id=posted["id"], text=posted["content"])
        if draft.note == _PRIVATE or self._now() - instant(draft.id) > self._timings.oldest_edit:
            return draft
        await self._api.edit(channel_of(reply.address), draft.id, content(reply))
        return Draft(id=draft.id, text=reply.text)

    async def _type(self, reply: Reply) -> None:
        """Shows that we are at work, unless a deferred interaction shows it already."""
        channel, now = channel_of(reply.address), self._clock()
        if self._ticket(reply) is not None or channel in self._mute:
            return
        if channel in self._typed and now - self._typed[channel] < self._timings.typing:
            return
        self._typed = {one: at for one, at in self._typed.items() if now - at < self._timings.typing} | {channel: now}
        try:
            await self._api.typing(channel)
        except Forbidden:
            self._mute.note(channel, None)

    def _ticket(self, reply: Reply) -> Ticket | None:
        return Ticket.read(reply.ticket, now=self._now())

    def _lock(self, reply: Reply) -> Lock:
        """One request at a time writes a message, so that a preview never lands on top of the final text."""
        return self._locks.setdefault(reply.key, Lock())
