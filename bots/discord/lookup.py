"""Whether something that we said is on screen: which messages of ours are a given reply.

A message that has the reply's key as its nonce is the reply, and one with another nonce is not. But Discord keeps a
nonce for minutes only, and so the rest goes by what is on screen. What may be *taken up*, to be edited into the reply
before anything is posted again: for the first part of an answer, whatever replies to its question; else, what says the
same, replies to nothing, and does not stand behind a message of ours that replies to another question.

What may be *taken away* must be more certain, because it can't be brought back, and other things that we say (a notice)
may reply to the same question. A copy is
* what replies to the same question, and says what the reply says or the message that stays has said, or the beginning
  of it (an early preview that landed late);
* for the last part of an answer only, what says the same after the message that stays, without a message of ours that
  replies to anything in between: a part before the last may well be followed by one that says the same;
* where the question is to have no answer at all, because people have deleted it: whatever replies to it, and what
  replies to nothing and stands before all that replies to what was said later. A question that was gone already when
  its answer was posted can't be replied to, and sessions answer in order.
Answers to interactions are never copies of anything: they are edited in place, and their texts are often alike.
"""

from collections.abc import Iterator, Sequence

from bots.discord.api import Api
from bots.discord.library import Forbidden, NotFound
from bots.discord.payloads import Payload, channel_of, snowflake_at
from core.seam.address import Address
from core.seam.messages import Reply

_LOOK = 100  # messages in one call, the most that Discord gives


class Lookup:
    """Looks for messages of ours. Calls raise what `Api` raises."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def ours(self, reply: Reply) -> Sequence[Payload]:
        """Our messages since the question that may be this reply, oldest first."""
        me = await self._api.me()
        after = reply.reply_to or snowflake_at(reply.asked_at)
        found = await self._api.history(channel_of(reply.address), _LOOK, after=after)
        mine = [message for message in reversed(found) if message["author"]["id"] == me]
        return [message for message in mine if message["id"] not in reply.others]

    async def one(self, address: Address, message: str) -> Payload | None:
        """This message, if it still stands where we may read."""
        try:
            return await self._api.message(channel_of(address), message)
        except (Forbidden, NotFound):
            return None


def likely(ours: Sequence[Payload], reply: Reply) -> Payload | None:
    """The message, of ours since the question and oldest first, that may be taken up; the most certain one."""
    certain = next((one for one in ours if _nonce(one) == reply.key), None)
    unmarked = [one for one in ours if _nonce(one) is None]
    copy = next((one for one in unmarked if _is_first_part(one, reply) and _begins(one["content"], reply.text)), None)
    replying = next((one for one in unmarked if _is_first_part(one, reply)), None)
    return certain or copy or replying or next(_saying_the_same(ours, reply), None)


def copies(ours: Sequence[Payload], reply: Reply, stays: str) -> Sequence[Payload]:
    """The messages, of ours since the question and oldest first, to be taken away; the one with ID `stays` stays.

    When nothing stays and the reply says nothing, its question is to have no answer.
    """
    others = [one for one in ours if one["id"] != stays]
    texts = [reply.text, *(one["content"] for one in ours if one["id"] == stays)]
    unanswered = not stays and not reply.text
    certain = [one for one in others if _nonce(one) == reply.key]
    replying = [one for one in others if _nonce(one) is None and _is_first_part(one, reply)]
    alike = [one for one in replying if unanswered or any(_begins(one["content"], text) for text in texts)]
    if unanswered:
        return certain + alike + list(_strays(ours, reply))
    return certain + alike + (list(_echoes(ours, reply, stays)) if stays and reply.part > 0 and reply.last else [])


def _saying_the_same(ours: Sequence[Payload], reply: Reply) -> Iterator[Payload]:
    answered = reply.reply_to
    for one in ours:
        if _answered(one) is not None:
            answered = _answered(one)
        elif _nonce(one) is None and answered == reply.reply_to and _says(one, reply):
            yield one


def _echoes(ours: Sequence[Payload], reply: Reply, stays: str) -> Iterator[Payload]:
    for one in ours:
        if int(one["id"]) <= int(stays):
            continue
        if _answered(one) is not None:
            return
        if _nonce(one) is None and not one.get("webhook_id") and _says(one, reply):
            yield one


def _strays(ours: Sequence[Payload], reply: Reply) -> Iterator[Payload]:
    if reply.reply_to is None:
        return
    for one in ours:
        answered = _answered(one)
        if answered is not None and int(answered) > int(reply.reply_to):
            return
        if answered is None and _nonce(one) is None and not one.get("webhook_id"):
            yield one


def _is_first_part(message: Payload, reply: Reply) -> bool:
    return reply.part == 0 and reply.reply_to is not None and _answered(message) == reply.reply_to


def _says(message: Payload, reply: Reply) -> bool:
    return bool(message["content"].strip() == reply.text.strip())


def _begins(shown: str, whole: str) -> bool:
    """Whether this was the other text when it was shorter; a block of code that was open then may have been closed."""
    beginning = shown.strip().removesuffix("```").rstrip()
    return bool(beginning) and whole.strip().startswith(beginning)


def _answered(message: Payload) -> str | None:
    return (message.get("message_reference") or {}).get("message_id")


def _nonce(message: Payload) -> str | None:
    nonce = message.get("nonce")
    return None if nonce is None else str(nonce)
