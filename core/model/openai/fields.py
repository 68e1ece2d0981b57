"""Reading what servers send, of which no field can be relied on: they leave them out or null them as they like."""

from collections.abc import Mapping


def at(value: object, *path: str) -> object:
    """What is found along this path of attributes or keys; None where it ends."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    return value


def text(value: object, *path: str) -> str:
    """The text that is found there, or none."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def count(value: object, *path: str) -> int:
    """The positive number that is found there, or 0."""
    found = at(value, *path)
    return found if isinstance(found, int) and found > 0 else 0
