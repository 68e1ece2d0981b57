"""What a server says is wrong, read whole, wherever and however it says so.

It may quote what people wrote; only `words_of` hands that on, to the doctor.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import openai

from core.model.openai import wordings
from core.model.openai.fields import text
from core.model.openai.frames import loads


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What a server says is wrong, read whole. No status means that it said so in the middle of an answer.

    `names` are its codes and types, `params` what it points at, `words` all else that it says, `size`
    the context's tokens where they are told. `again` is its own word on whether the same request may succeed later.
    """

    status: int | None
    names: tuple[str, ...]
    params: tuple[str, ...]
    words: str = field(repr=False)
    size: int | None
    retry_after: float | None
    again: bool | None


def heard_from(error: object) -> Complaint:
    """Reads a complaint from what the client library raises, or from an event in the middle of an answer.

    Servers put it where they like: `error.message`, `error`, `detail`, a list of such, fields beside them.
    """
    early = error if isinstance(error, openai.APIStatusError) else None
    status, headers = (early.status_code, early.response.headers) if early else (None, {})
    leaves = list(_leaves(_said(error)))
    if status is None:  # behind a 200 that had been sent too early, or by a server that sends no other
        status = next((leaf for key, leaf in leaves if key in _NAMED and leaf in _OF_SETTINGS), None)
    words = " ".join(str(leaf) for key, leaf in leaves if isinstance(leaf, str) and key not in {*_NAMED, *_POINTED})
    return Complaint(
        status=status,
        names=tuple(str(leaf) for name in _NAMED for key, leaf in leaves if key == name),
        params=tuple(str(leaf) for key, leaf in leaves if key in _POINTED),
        words=words,
        size=_size(leaves, words),
        retry_after=_wait(status, headers, words),
        again={"true": True, "false": False}.get(headers.get("x-should-retry", "")),
    )


_NAMED = ("code", "error_code", "type", "error_type", "status")  # the more telling ones first
_POINTED = {"param", "loc"}
_OF_SETTINGS = {401, 402, 403, 404}
_DEEPEST = 30
"""Levels down to which a complaint is read: gateways quote gateways, but not for ever."""


def _said(error: object) -> object:
    """The complaint as the server wrote it."""
    if isinstance(error, openai.APIStatusError):
        with suppress(ValueError):
            return loads(error.response.content)
        return error.response.text
    return error.body if isinstance(error, openai.APIError) and error.body is not None else error


def _leaves(value: object, key: str = "", *, depth: int = _DEEPEST) -> Iterator[tuple[str, str | int]]:
    """Every word and number that is said, with the key that leads to it."""
    if depth == 0:
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in wordings.ECHOED:
                yield from _leaves(inner, name, depth=depth - 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner, key, depth=depth - 1)
    elif isinstance(value, str) and value[:1] in "{[" and (nested := _parsed(value)) is not None:
        yield from _leaves(nested, key, depth=depth - 1)
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield key, value
    elif isinstance(value, Exception):
        yield "message", str(value)


def _parsed(text: str) -> object:
    """What gateways quote of the server behind them as text."""
    with suppress(ValueError):
        return loads(text)
    return None


def _size(leaves: Iterable[tuple[str, str | int]], words: str) -> int | None:
    told = [leaf for key, leaf in leaves if key in wordings.SIZES and isinstance(leaf, int)]
    if not told and (found := wordings.SIZE_WORDS.search(words)):
        told = [int(next(filter(None, found.groups())).replace(",", ""))]
    return told[0] if told and _SMALLEST <= told[0] <= _LARGEST else None


_SMALLEST, _LARGEST = 256, 100_000_000  # tokens that a context can have


def _wait(status: int | None, headers: Mapping[str, str], words: str) -> float | None:
    """Seconds to wait, however the server says it; a date is taken relative to the server's own clock."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if re.fullmatch(r"\d{1,9}(\.\d+)?", value := headers.get(name, "").strip()):
            return float(value) * unit
    if "retry-after" in headers and "date" in headers:
        with suppress(ValueError, TypeError, OverflowError):
            wait = parsedate_to_datetime(headers["retry-after"]) - parsedate_to_datetime(headers["date"])
            return max(0.0, wait.total_seconds())
    if found := wordings.WAIT_WORDS.search(words):
        return _seconds(found[1].lower())
    return _reset(headers) if status == 429 else None


def _reset(headers: Mapping[str, str]) -> float | None:
    """Seconds until the limit that is used up is whole again; until the first one is, where the server says not which.

    `x-ratelimit-reset-requests: 1m2.5s` with `x-ratelimit-remaining-requests: 0`, and the same for tokens;
    developers.openai.com/api/docs/guides/rate-limits. Azure writes plain seconds.
    """
    resets = {kind: _seconds(headers.get(f"x-ratelimit-reset-{kind}", "")) for kind in ("requests", "tokens")}
    known = {kind: wait for kind, wait in resets.items() if wait is not None}
    used_up = [wait for kind, wait in known.items() if headers.get(f"x-ratelimit-remaining-{kind}") == "0"]
    return max(used_up, default=min(known.values(), default=None))


def _seconds(duration: str) -> float | None:
    """A duration as servers write it: `7m12.96s`, `28ms`, or plain seconds."""
    if re.fullmatch(r"\d{1,9}(\.\d+)?", duration):
        return float(duration)
    if not re.fullmatch(rf"({wordings.DURATION.pattern})+", duration):
        return None
    return sum(float(number) * wordings.UNITS[unit] for number, unit in wordings.DURATION.findall(duration))


def words_of(error: object, key: str) -> str:
    """What the server itself said, for the doctor alone; servers may repeat the key."""
    words = heard_from(error).words if isinstance(error, openai.APIStatusError) else text(error, "message")
    plain = " ".join(words.replace(key, "…").split())
    return f' It says: "{plain[:300]}"' if plain else ""
