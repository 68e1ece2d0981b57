"""Discord's REST API as far as we use it, through discord.py's client: its rate limits, its retries, its User-Agent.

Logged in by the first who needs it, so that what a dead process left behind can be delivered before the gateway is
open, and what is still being answered can be delivered after it is closed.
"""

from asyncio import Lock
from collections.abc import Mapping, Sequence
from typing import Any

from bots.discord.answers import Uncertain
from bots.discord.library import Client, Json, LoginFailure, NotFound, Redirect
from bots.discord.payloads import Payload
from core.errors import PlatformError

SUPPRESS_EMBEDS = 1 << 2
_CONTENT_GRANTED = (1 << 18) | (1 << 19)  # GATEWAY_MESSAGE_CONTENT and its form for small bots (resources/application)

BAD_TOKEN = "Discord does not accept DISCORD_TOKEN: copy it from the Bot page of https://discord.com/developers"  # noqa: S105


class Api:
    """One logged-in client. Requests raise what discord.py and aiohttp raise; see `errors`."""

    def __init__(self, token: str, redirect: Redirect) -> None:
        self._token = token
        self._redirect = redirect
        self._client: Client | None = None
        self._login = Lock()

    async def client(self) -> Client:
        """The client, logged in. Raises PlatformError when Discord does not know the token."""
        async with self._login:
            if self._client is None:
                client = Client(self._redirect)
                try:
                    await client.login(self._token)
                except LoginFailure as error:
                    raise PlatformError(BAD_TOKEN) from error
                else:
                    self._client = client
                finally:
                    if self._client is None:
                        await client.close()
            return self._client

    async def close(self) -> None:
        """Closes the connections; the next request logs in anew."""
        async with self._login:
            client, self._client = self._client, None
            if client is not None:
                await client.close()

    async def me(self) -> str:
        """Our own user ID."""
        user = (await self.client()).user
        return str(user.id) if user else ""

    async def application(self) -> Json:
        """The application as it was at login: discord.py's AppInfo."""
        return (await self.client()).application

    async def may_read(self) -> bool:
        """Whether the message content intent is switched on for this application."""
        return bool((await self.application()).flags.value & _CONTENT_GRANTED)

    async def call(self, method: str, path: str, **parameters: object) -> Json:
        """One request; see `Client.call`."""
        return await (await self.client()).call(method, path, **parameters)  # type: ignore[arg-type]  # handed through

    async def post(self, channel: str, content: Payload, *, nonce: str, reply_to: str | None = None) -> Payload:
        """A new message; the same nonce gives the message that it made before, for "the past few minutes"."""
        body: dict[str, Any] = {
            **content,
            "nonce": nonce,
            "enforce_nonce": True,
            "flags": SUPPRESS_EMBEDS,
        }
        if reply_to is not None:
            body["message_reference"] = {"message_id": reply_to, "fail_if_not_exists": False}
        return _message(await self.call("POST", "/channels/{channel_id}/messages", channel_id=channel, json=body))

    async def edit(self, channel: str, message: str, content: Payload) -> Payload:
        """The same message with another content. Without `allowed_mentions` an edit is parsed for mentions anew."""
        return _message(
            await self.call(
                "PATCH",
                "/channels/{channel_id}/messages/{message_id}",
                channel_id=channel,
                message_id=message,
                json=content,
            )
        )

    async def delete(self, channel: str, message: str) -> None:
        """The message is gone from everybody's screen."""
        await self.call(
            "DELETE", "/channels/{channel_id}/messages/{message_id}", channel_id=channel, message_id=message
        )

    async def unarchive(self, thread: str) -> None:
        """Takes an archived thread up again, as a new message in it would; a locked one only for its moderators."""
        await self.call("PATCH", "/channels/{channel_id}", channel_id=thread, json={"archived": False})

    async def react(self, channel: str, message: str, emoji: str, *, there: bool) -> None:
        """Our own reaction with this emoji is there, or is not."""
        await self.call(
            "PUT" if there else "DELETE",
            "/channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me",
            channel_id=channel,
            message_id=message,
            emoji=emoji,
        )

    async def history(self, channel: str, limit: int, **around: str) -> Sequence[Payload]:
        """Messages `before` or `after` an ID, newest first; none where we may not read the history."""
        found: list[Payload] = await self.call(
            "GET", "/channels/{channel_id}/messages", channel_id=channel, query={"limit": limit, **around}
        )
        return found

    async def message(self, channel: str, message: str) -> Payload:
        """One message."""
        found: Payload = await self.call(
            "GET", "/channels/{channel_id}/messages/{message_id}", channel_id=channel, message_id=message
        )
        return found

    async def download(self, url: str, limit: int) -> bytes:
        """At most the first bytes of a file; see `Client.download`."""
        return await (await self.client()).download(url, limit)

    async def channel(self, channel: str) -> Payload:
        """One channel or thread."""
        return _telling("type", await self.call("GET", "/channels/{channel_id}", channel_id=channel))

    async def guild(self, guild: str) -> Payload:
        """A server, with its roles."""
        return _telling("roles", await self.call("GET", "/guilds/{guild_id}", guild_id=guild))

    async def member(self, guild: str, user: str) -> Payload:
        """A person in a server, with their roles there."""
        path = "/guilds/{guild_id}/members/{user_id}"
        return _telling("roles", await self.call("GET", path, guild_id=guild, user_id=user))

    async def is_in(self, thread: str, user: str) -> bool:
        """Whether a person is in a thread."""
        path = "/channels/{channel_id}/thread-members/{user_id}"
        try:
            _telling("user_id", await self.call("GET", path, channel_id=thread, user_id=user))
        except NotFound:
            return False
        return True

    async def typing(self, channel: str) -> None:
        """Shows for ten seconds that we are at work."""
        await self.call("POST", "/channels/{channel_id}/typing", channel_id=channel)

    async def gateway(self) -> Payload:
        """Where the gateway is, and how many sessions may still be started."""
        found: Payload = await self.call("GET", "/gateway/bot")
        return found

    async def commands(self, overwrite: Sequence[Payload] | None = None) -> Sequence[Payload]:
        """The application's global commands; all of them replaced, when given."""
        method = "GET" if overwrite is None else "PUT"
        found: list[Payload] = await self.call(
            method, "/applications/{app}/commands", app=str((await self.application()).id), json=overwrite
        )
        return found


def _message(answer: Json) -> Payload:
    """The answer, if it is a message. Raises Uncertain where somebody else has answered in Discord's form."""
    return _telling("id", _telling("content", answer))


def _telling(name: str, answer: Json) -> Payload:
    """The answer, if it tells this. Raises Uncertain where somebody else has answered in Discord's form."""
    if isinstance(answer, Mapping) and name in answer:
        return answer
    raise Uncertain(f"an answer without {name}")
