"""What may go wrong between a request and its answer, in the words that all wire servers share.

A server asks its `faults` about each request before it does anything; None means that nothing goes wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from aiohttp import web


@dataclass(frozen=True)
class Fault:
    """One misfortune of one request.

    `before`: nothing is done, and the answer is HTTP 500.
    `after`: it is done all the same, and the answer is HTTP 500.
    `hang`: it is done, and no answer comes for as long as the client keeps the connection open.
    `drop`: it is done, and the connection is reset in place of an answer.
    `late`: the answer is HTTP 500, and only `seconds` later it is done, unless the server has stopped by then.
    `limit`: nothing is done, and the answer is HTTP 429 with `seconds` as its Retry-After.
    `page`: nothing is done, and a proxy or a firewall answers in the platform's place: a `text` of this `type` with
    this `status`, and with `seconds` as its Retry-After, where there are any.
    `passed`: the same, after it was done.
    """

    kind: Literal["before", "after", "hang", "drop", "late", "limit", "page", "passed"]
    seconds: float = 0.0
    status: int = 403
    type: str = "text/html"
    text: str = "<html><body>Access denied</body></html>"

    @property
    def headers(self) -> dict[str, str]:
        """What a page says besides."""
        return {"Retry-After": f"{self.seconds:g}"} if self.seconds else {}


def page(fault: Fault) -> web.Response:
    """What comes in the platform's place: of this type to the letter, as nobody adds how it is encoded."""
    return web.Response(
        status=fault.status, body=fault.text.encode(), headers={"Content-Type": fault.type, **fault.headers}
    )


Faults = Callable[[str, object], Fault | None]
"""Decides for one request: its method (Slack's method's name; elsewhere the verb and path), and its arguments."""


def faultless(method: str, arguments: object) -> Fault | None:
    """Nothing ever goes wrong."""
    return None
