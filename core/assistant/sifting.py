"""Sifting: what the provider will not read is left out of a record, so that all else is told of."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from core.errors import ModelRefused
from core.session import Turn

MOST = 3
"""So many turns are left out of one record: each costs as many refusals as finding it takes."""

Made = TypeVar("Made")
Write = Callable[[Sequence[Turn]], Awaitable[Made]]
"""Has something written of these turns. Raises ModelRefused where the provider will not have them."""


async def sifted(said: Sequence[Turn], write: Write[Made], attempt: Write[object]) -> Made:
    """What is written of these turns, or else of all but those at fault, which a bare `attempt` finds.

    Raises ModelRefused where too many are.
    """
    for _ in range(MOST):
        try:
            return await write(said)
        except ModelRefused:
            fault = None if len(said) < 2 else await _fault(said, attempt)
            if fault is None:
                raise
            said = [turn for turn in said if turn is not fault]
    return await write(said)


async def _fault(said: Sequence[Turn], attempt: Write[object]) -> Turn | None:
    """The turn for which these are refused, found by halves; None where it is not refused by itself, for it may have
    been something that has passed by now.
    """
    while len(said) > 1:
        first, second = said[: len(said) // 2], said[len(said) // 2 :]
        said = first if await _is_refused(first, attempt) else second
    return said[0] if await _is_refused(said, attempt) else None


async def _is_refused(said: Sequence[Turn], attempt: Write[object]) -> bool:
    try:
        await attempt(said)
    except ModelRefused:
        return True
    return False
