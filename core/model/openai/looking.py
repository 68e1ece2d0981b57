"""What a server tells of a model when it is asked: how much it takes in, and when it ends."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import quote, urljoin

import openai

from core.model.openai.fields import at, text
from core.model.openai.manners import context_of

PLACES = ("/props", "/api/v0/models/{model}", "/info")
"""Where llama.cpp, LM Studio and TGI tell the context that they run with, beside OpenAI's API."""

NOTICE = timedelta(days=90)
"""So long before its end a model is warned of: time enough to try another one, and short enough to be heeded."""

SECONDS = 10.0
"""How long all the questions together may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was told: the context in tokens, and the day on which the provider ends the model."""

    context: int | None = None
    ends: date | None = None


async def look(client: openai.AsyncOpenAI, model: str, *, official: bool) -> Told:
    """Asks. What a server does not know, or is away, is no error: it tells nothing."""
    try:
        async with asyncio.timeout(SECONDS):
            described = await _described(client, model)
            context = context_of(described)
            for place in PLACES if context is None and not official else ():
                context = context_of(await _asked(client, urljoin(str(client.base_url), place.format(model=model))))
                if context is not None:
                    break
    except TimeoutError:
        return Told()
    return Told(context=context, ends=_day(described))


async def _described(client: openai.AsyncOpenAI, model: str) -> object:
    """The model by itself, and in the server's list: many servers tell more in one place than in the other."""
    alone = await _asked(client, f"/models/{quote(model, safe='')}")
    listed = at(await _asked(client, "/models"), "data")
    named = [one for one in listed if text(one, "id") == model] if isinstance(listed, list) else []
    (first, *_) = [*named, *(listed if isinstance(listed, list) and len(listed) == 1 else []), None]
    return {**(first if isinstance(first, Mapping) else {}), **(alone if isinstance(alone, Mapping) else {})}


async def _asked(client: openai.AsyncOpenAI, path: str) -> object:
    try:
        return await client.get(path, cast_to=object)
    except (openai.OpenAIError, ValueError):
        return None


def _day(described: object) -> date | None:
    """`shutdown_date` in OpenAI's description of a model: a day, an instant, or seconds since 1970."""
    told = at(described, "shutdown_date")
    try:
        if isinstance(told, int):
            return datetime.fromtimestamp(told, UTC).date()
        return date.fromisoformat(told[:10]) if isinstance(told, str) else None
    except (ValueError, OverflowError, OSError):
        return None


def is_near(day: date) -> bool:
    """Whether a model ends so soon, or has ended, that its operator should be told."""
    return day - datetime.now(UTC).date() <= NOTICE


def ending(model: str, day: date) -> str:
    """What the operator should know of a model that ends, and what to do about it."""
    return f"{model} is shut down by its provider on {day}. Set OPENAI_MODEL to another one before that."
