"""Printing: what people and models wrote, as a terminal may be shown it."""

from re import compile as pattern

_UNPRINTABLE = pattern(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def printable(text: str) -> str:
    """The text without what would command a terminal or can't be encoded; of control characters, tabs and line ends."""
    return _UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
