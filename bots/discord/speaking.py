"""Putting replies on screen: once, in the right place, mentioning nobody but the asker.

How a reply is kept from standing twice. In a channel it is posted with its key as the nonce, and its first part as a
reply to the message that it answers. The nonce makes a repetition harmless for "the past few minutes"; after that the
reference is the receipt that is looked for. Edits are idempotent, and so is the answer to an interaction.

A reply does not ping the asker by being one (`replied_user`): an answer comes seconds after the question, and in a
thread with a session every message has one. The asker can still be mentioned in the text.
"""

from asyncio import Lock, timeout
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from weakref import WeakValueDictionary

import structlog

from bots.discord.failures import ARCHIVED, Trouble, delivery_error, is_gone
from bots.discord.library import Forbidden, HTTPException, NotFound, Payload
from bots.discord.rest import Rest
from bots.discord.ticket import Ticket
from bots.discord.translate import PLATFORM, instant, snowflake_at
from core.errors import DeliveryDelayed, PlatformError
from core.messages import Draft, Reply

log = structlog.get_logger(platform=PLATFORM)

OLDEST_EDIT = 55 * 60
"""Messages older than an hour take only a few edits (30046); previews stop before, in seconds."""

TYPING_EVERY = 7.0
"""Typing shows for ten seconds (resources/channel); more often than this it is not sent, in seconds."""

PREVIEW_WITHIN = 15.0
"""A preview that takes longer is given up, in seconds, so that the final text need not wait for it."""

DEFERRED_WITHIN = 5.0
"""So long after a command, an unknown webhook may mean that another process has not acknowledged it yet, in seconds."""

_PRIVATE = "private"


class Speaker:
    """`deliver` and `preview` of the adapter. `patience` bounds one delivery, in seconds."""

    def __init__(self, rest: Rest, *, now: Callable[[], float], patience: float) -> None:
        self._rest = rest
        self._now = now
        self._patience = patience
        self._writing: WeakValueDictionary[str, Lock] = WeakValueDictionary()
        self._previewed: set[str] = set()  # channels in which a preview is under way
        self._typed: dict[str, float] = {}
        self._mute: set[str] = set()  # channels in which typing is forbidden

    async def deliver(self, reply: Reply) -> str:
        """Puts the reply on screen for good."""
        reply = _with_choices(reply)
        try:
            async with timeout(self._patience), self._lock(reply):
                return str(await self._deliver(reply))
        except (*Trouble, PlatformError) as error:
            raise delivery_error(error) from error

    async def preview(self, reply: Reply) -> Draft | None:
        """Shows the text so far; skipped while an earlier preview still waits for its turn in that channel."""
        channel, lock = _channel(reply), self._lock(reply)
        if channel in self._previewed or lock.locked():
            return reply.draft
        self._previewed.add(channel)
        try:
            async with timeout(PREVIEW_WITHIN), lock:
                return await (self._show(reply) if reply.text else self._type(reply))
        except (*Trouble, PlatformError) as error:
            raise delivery_error(error) from error
        finally:
            self._previewed.discard(channel)

    async def _deliver(self, reply: Reply) -> str:
        ticket = self._ticket(reply)
        if ticket is not None:
            answered = await self._answer(reply, ticket)
            if answered is not None:
                return answered
        if reply.draft is not None and reply.draft.note != _PRIVATE:
            finished = await self._finish(reply, reply.draft)
            if finished is not None:
                return finished
        found = await self._find(reply) if reply.attempt > 1 else None
        return await self._become(reply, found or await self._post(reply))

    async def _answer(self, reply: Reply, ticket: Ticket) -> str | None:
        """The message as the interaction's answer; None when the interaction is over, so that it goes out plainly."""
        try:
            if reply.part == 0:
                return str((await self._rest.answer(ticket, reply.text, _mentions(reply)))["id"])
            if ticket.private:
                return str((await self._rest.whisper(ticket, reply.text, _mentions(reply)))["id"])
        except HTTPException as error:
            if error.status not in (401, 403, 404):
                raise
            if error.status == 404 and ticket.age(now=self._now()) < DEFERRED_WITHIN:
                raise DeliveryDelayed("the command is not acknowledged yet", retry_after=1.0) from error
            log.info("interaction over", session=reply.address.id, status=error.status, code=error.code)
        return None  # public parts after the first are ordinary messages, because those have a nonce

    async def _finish(self, reply: Reply, draft: Draft) -> str | None:
        """Makes the draft the reply; None when it can't be written any more."""
        try:
            await self._rest.edit(_channel(reply), draft.id, reply.text, _mentions(reply))
        except HTTPException as error:
            if error.code == ARCHIVED:
                return None
            if not is_gone(error):
                raise
            log.info("draft deleted", session=reply.address.id)  # people may delete what they do not want
        return draft.id

    async def _find(self, reply: Reply) -> Payload | None:
        """The message that an earlier call may have left: by its nonce, as the answer to its question, by its text."""
        me = await self._rest.me()
        after = reply.reply_to or snowflake_at(reply.asked_at)
        for message in reversed(await self._rest.history(_channel(reply), 100, after=after)):
            if message["author"]["id"] == me and _is_this(message, reply):
                return message
        return None

    async def _post(self, reply: Reply) -> Payload:
        """A new message; what it replies to is a hint, so a refusal is tried again without."""
        reply_to = reply.reply_to if reply.part == 0 else None
        arguments = (_channel(reply), reply.text, _mentions(reply))
        try:
            return await self._rest.post(*arguments, nonce=reply.key, reply_to=reply_to)
        except HTTPException as error:
            if error.status != 400 or reply_to is None:
                raise
            return await self._rest.post(*arguments, nonce=reply.key)

    async def _become(self, reply: Reply, message: Payload) -> str:
        """Corrects the text of a message that an earlier call, or an earlier preview, has left."""
        if message["content"].strip() != reply.text.strip():
            try:
                await self._rest.edit(_channel(reply), message["id"], reply.text, _mentions(reply))
            except NotFound as error:
                if not is_gone(error):
                    raise
        return str(message["id"])

    async def _show(self, reply: Reply) -> Draft | None:
        draft, ticket = reply.draft, self._ticket(reply)
        if ticket is not None and reply.part == 0:
            shown = await self._rest.answer(ticket, reply.text, _mentions(reply))
            return Draft(id=shown["id"], text=reply.text, note=_PRIVATE if ticket.private else "")
        if ticket is not None and ticket.private:
            return draft
        if draft is None:
            posted = await self._post(reply)
            return Draft(id=posted["id"], text=posted["content"])
        if draft.note == _PRIVATE or self._now() - instant(draft.id) > OLDEST_EDIT:
            return draft
        await self._rest.edit(_channel(reply), draft.id, reply.text, _mentions(reply))
        return Draft(id=draft.id, text=reply.text)

    async def _type(self, reply: Reply) -> None:
        """Shows that we are at work, unless a deferred interaction shows it already."""
        channel, now = _channel(reply), self._now()
        if self._ticket(reply) is not None or channel in self._mute:
            return
        if now - self._typed.get(channel, 0.0) < TYPING_EVERY:
            return
        self._typed = {one: at for one, at in self._typed.items() if now - at < TYPING_EVERY} | {channel: now}
        try:
            await self._rest.typing(channel)
        except Forbidden:
            self._mute.add(channel)

    def _ticket(self, reply: Reply) -> Ticket | None:
        return Ticket.read(reply.ticket, now=self._now())

    def _lock(self, reply: Reply) -> Lock:
        """One request at a time writes a message, so that a preview never lands on top of the final text."""
        return self._writing.setdefault(reply.key, Lock())


def _channel(reply: Reply) -> str:
    return reply.address.thread or reply.address.channel


def _with_choices(reply: Reply) -> Reply:
    """Choices as a numbered list: on Discord every command says where it was typed, so nobody needs buttons."""
    listed = "".join(f"\n{number}. {choice.label}" for number, choice in enumerate(reply.choices, 1))
    return replace(reply, text=reply.text + listed, choices=())


def _mentions(reply: Reply) -> dict[str, Any]:
    """Nobody but the asker. It goes with every write: what an edit leaves out is decided anew, for everyone."""
    asker = reply.asker.id if reply.asker and reply.asker.id.isdigit() else None
    return {"parse": [], "users": [asker] if asker else [], "replied_user": False}


def _is_this(message: Payload, reply: Reply) -> bool:
    if message.get("nonce") == reply.key:
        return True
    if reply.part == 0 and reply.reply_to is not None:
        return bool((message.get("message_reference") or {}).get("message_id") == reply.reply_to)
    return bool(message["content"].strip() == reply.text.strip())
