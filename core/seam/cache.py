"""A cache of hints: what was noted lately, and may be forgotten; a new process has none of it."""

from collections import OrderedDict
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """A dictionary of at most so many entries, which forgets its oldest."""

    def __init__(self, most: int = 5_000) -> None:
        self._most = most
        self._kept: OrderedDict[str, Value] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        return key in self._kept

    def get(self, key: str) -> Value | None:
        """What was noted, if it is still known."""
        return self._kept.get(key)

    def note(self, key: str, value: Value) -> None:
        """Keeps it, as the newest."""
        self._kept[key] = value
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def forget(self, key: str) -> Value | None:
        """Takes it out."""
        return self._kept.pop(key, None)
