"""Files that people attach: how one is found again, and read from Discord's own hosts alone.

The address of a file is signed, and good for about a day: after that the message is asked for a new one.
"""

from collections.abc import Iterator

from bots.discord.api import Api
from bots.discord.errors import calling
from bots.discord.library import Forbidden, NotFound
from bots.discord.payloads import Payload
from bots.discord.quotes import File
from core.errors import DeliveryRefused


async def fetch(api: Api, source: str, limit: int, *, patience: float) -> bytes:
    """At most the first `limit` bytes of this file. Raises a DeliveryError when it can't be had."""
    try:
        file = File.read(source)
    except (ValueError, TypeError) as error:
        raise DeliveryRefused("this is no file of Discord's") from error
    async with calling(patience):
        try:
            return await api.download(file.url, limit)
        except ValueError as error:
            raise DeliveryRefused(str(error)) from error
        except (Forbidden, NotFound):  # the address is too old: whoever may read the message is told a new one
            return await api.download(await _address(api, file), limit)


async def _address(api: Api, file: File) -> str:
    message = await api.message(file.channel, file.message)
    for one in _attached(message):
        if one.get("id") == file.id:
            return str(one.get("url"))
    raise DeliveryRefused("this file is gone")


def _attached(message: Payload) -> Iterator[Payload]:
    yield from message.get("attachments", ())
    for snapshot in message.get("message_snapshots", ()):
        yield from snapshot["message"].get("attachments", ())
