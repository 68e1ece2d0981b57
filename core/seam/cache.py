"""A cache of hints: what was noted lately, and may be forgotten; a new process has none of it."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """A dictionary of at most so many entries, which forgets its oldest, and what has not been noted for a day.

    `lasts` is in seconds, and so is `clock`, from anywhere.
    """

    def __init__(self, most: int = 5_000, *, lasts: float = 86_400.0, clock: Callable[[], float] = monotonic) -> None:
        self._most, self._lasts, self._clock = most, lasts, clock
        self._kept: OrderedDict[str, tuple[Value, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: str) -> bool:
        return key in self._kept

    def get(self, key: str) -> Value | None:
        """What was noted, if it is still known."""
        found = self._kept.get(key)
        return None if found is None else found[0]

    def note(self, key: str, value: Value) -> None:
        """Keeps it, as the newest, and lets go of what is old."""
        now = self._clock()
        self._kept[key] = (value, now)
        self._kept.move_to_end(key)
        while len(self._kept) > self._most or self._oldest < now - self._lasts:
            self._kept.popitem(last=False)

    @property
    def _oldest(self) -> float:
        """When the oldest was noted; there is one."""
        return next(iter(self._kept.values()))[1]

    def forget(self, key: str) -> Value | None:
        """Takes it out."""
        found = self._kept.pop(key, None)
        return None if found is None else found[0]
