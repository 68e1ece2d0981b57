"""The negative control: a delivery that does not look before it repeats, and leaves no mark by which it could be found.

Patched from outside, as low as possible: reading what is on screen gives nothing, and what is posted has no key. The
rest of the program is as it is, so whatever then stands twice was kept from it by looking.
"""

from secrets import token_hex
from typing import Any

from bots.discord.api import Api as DiscordApi
from bots.slack.api import Api as SlackApi


def blind() -> None:
    """Makes this process blind, for good."""
    read, write, post = SlackApi.read, SlackApi.write, DiscordApi.post

    async def read_nothing(self: SlackApi, method: str, arguments: Any = None) -> Any:
        if method.startswith("conversations."):
            return {"messages": []}
        return await read(self, method, arguments)

    async def write_unmarked(self: SlackApi, method: str, arguments: Any, **more: Any) -> Any:
        return await write(self, method, {name: arguments[name] for name in arguments if name != "metadata"}, **more)

    async def post_unmarked(self: DiscordApi, *given: Any, **more: Any) -> Any:
        return await post(self, *given, **{**more, "nonce": token_hex(8)})

    async def no_history(self: DiscordApi, *given: Any, **more: Any) -> Any:
        return []

    for owner, name, patch in (
        (SlackApi, "read", read_nothing),
        (SlackApi, "write", write_unmarked),
        (DiscordApi, "post", post_unmarked),
        (DiscordApi, "history", no_history),
    ):
        if not hasattr(owner, name):
            raise AttributeError(f"{owner.__name__}.{name} is gone: the control is not blind any more")
        setattr(owner, name, patch)
