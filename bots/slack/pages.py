"""Histories, read page by page: most apps are allowed one call a minute, so nothing is asked for twice."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bots.slack.api import Api
from bots.slack.errors import Refused
from bots.slack.payloads import Payload
from bots.slack.replies import Arguments
from core.errors import DeliveryDelayed
from core.seam.cache import Recent

PAGE = 15
"""The largest page that apps outside the Marketplace get, once a minute; docs.slack.dev/reference/methods."""
_AT_ONCE = 20
_SOON = 1.0
_KEPT = 500

Kept = Sequence[Payload]


@dataclass(slots=True)
class _Begun:
    """A history as far as it has been read."""

    cursor: str | None = None
    kept: list[Payload] = field(default_factory=list)


class Pages:
    """Reads histories page by page. Where the ration or a fault cut it short, the same question later goes on."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._begun: Recent[_Begun] = Recent(_KEPT)

    async def read(
        self,
        method: str,
        arguments: Arguments,
        *,
        keep: Callable[[Payload], bool],
        enough: Callable[[Kept], bool] = lambda kept: False,
    ) -> Kept:
        """The messages worth keeping: all of them, or those up to the page with which there are enough.

        Raises DeliveryDelayed when there is more to read than may be read at once.
        """
        question = f"{method} {sorted((name, str(value)) for name, value in arguments.items())}"
        begun = self._begun.get(question) or _Begun()
        self._begun.note(question, begun)
        for _ in range(_AT_ONCE):
            try:
                page = await self._api.read(method, {**arguments, "cursor": begun.cursor})
            except Refused:
                self._begun.forget(question)
                raise
            begun.kept += [message for message in messages_of(page) if keep(message)]
            begun.cursor = next_cursor(page)
            if begun.cursor is None or enough(begun.kept):
                self._begun.forget(question)
                return begun.kept
        raise DeliveryDelayed("there is more to read", retry_after=_SOON)


def messages_of(page: Payload) -> list[Payload]:
    """What the page holds."""
    return [entry for entry in page.get("messages") or () if isinstance(entry, Mapping)]


def next_cursor(page: Payload) -> str | None:
    """What goes on where the page ends; None after the last one."""
    following = page.get("response_metadata")
    return str(following.get("next_cursor") or "") or None if isinstance(following, Mapping) else None
