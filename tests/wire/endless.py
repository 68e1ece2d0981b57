"""A file that never ends, packed where whoever asks for it takes that: a bomb for who reads to its end."""

from contextlib import suppress
from zlib import DEFLATED, MAX_WBITS, Z_FULL_FLUSH, compressobj

from aiohttp import web

ENDLESS = b"and so on\n"
"""The contents of such a file begin like this, again and again; it is known by being this very value."""

_PIECE = ENDLESS * 100_000
_PACKER = compressobj(9, DEFLATED, MAX_WBITS | 16)
_PACKED = [_PACKER.compress(_PIECE) + _PACKER.flush(Z_FULL_FLUSH) for _ in range(2)]
"""The beginning, and what may follow as often as one likes."""


async def endless(request: web.Request) -> web.StreamResponse:
    """Sends until nobody reads on."""
    packs = "gzip" in request.headers.get("Accept-Encoding", "")
    answer = web.StreamResponse(headers={"Content-Type": "text/plain", "Content-Disposition": "attachment"})
    if packs:
        answer.headers["Content-Encoding"] = "gzip"
    await answer.prepare(request)
    first, more = _PACKED if packs else (_PIECE, _PIECE)
    with suppress(ConnectionError):
        await answer.write(first)
        while True:
            await answer.write(more)
    return answer
