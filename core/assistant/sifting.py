"""Sifting: what the provider will not read is found, so that all else is told of."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from core.errors import ModelRefused
from core.session import Turn

MOST = 3
"""So many turns are left out of one record, or answer: each costs as many refusals as finding it takes."""

Made = TypeVar("Made")
Part = TypeVar("Part")
Attempt = Callable[[Sequence[Part]], Awaitable[object]]
"""Has the provider read these. Raises ModelRefused where it will not."""
Write = Callable[[Sequence[Turn]], Awaitable[Made]]
"""Has something written of these turns. Raises ModelRefused where the provider will not have them."""


async def sifted(said: Sequence[Turn], write: Write[Made], attempt: Attempt[Turn]) -> Made:
    """What is written of these turns, or else of all but those at fault, which a bare `attempt` finds.

    Raises ModelRefused where too many are.
    """
    for _ in range(MOST):
        try:
            return await write(said)
        except ModelRefused:
            if len(said) < 2:
                raise
            fault = await find(said, attempt)
            if fault is None:
                raise
            said = [turn for turn in said if turn is not fault]
    return await write(said)


async def find(parts: Sequence[Part], attempt: Attempt[Part]) -> Part | None:
    """The one for which these are refused, found by halves; None where it is not refused by itself, for it may have
    been something that has passed by now.
    """
    while len(parts) > 1:
        first, second = parts[: len(parts) // 2], parts[len(parts) // 2 :]
        parts = first if await is_refused(first, attempt) else second
    return parts[0] if await is_refused(parts, attempt) else None


async def is_refused(parts: Sequence[Part], attempt: Attempt[Part]) -> bool:
    """Whether the provider will not read these."""
    try:
        await attempt(parts)
    except ModelRefused:
        return True
    return False
