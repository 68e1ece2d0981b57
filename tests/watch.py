"""The watch: no secret of the tests, and nothing that people or the model say in one, is found in a line of the log.

The wire servers note what is said; every line that the tests' own process would log is looked through. What processes
of their own log is looked at by tests of their own.
"""

from collections import deque
from logging import WARNING, Handler, LogRecord, getLogger
from typing import TypeVar

import structlog

from bots.program import logs

Words = TypeVar("Words", bound=str)

SHORTEST = 12
"""Characters of what is looked for: less than that may be a word of ours by chance."""
_MOST = 300

_secrets: set[str] = set()
_said: deque[str] = deque(maxlen=_MOST)
_found: list[str] = []


def secret(words: Words) -> Words:
    """This must never be in a log; returns it."""
    _secrets.add(words)
    return words


def ticket(words: Words) -> Words:
    """This is a secret for a while; returns it."""
    _said.append(words)
    return words


def said(words: Words) -> Words:
    """Somebody has said this, or will; returns it."""
    if len(words) >= SHORTEST and " " in words.strip() and words not in _said:
        _said.append(words)
    return words


def said_lately() -> list[str]:
    """What somebody has said since `found` was last asked."""
    return list(_said)


def begin() -> None:
    """From now on everything that is logged is watched; it is made into lines as in production."""
    structlog.configure(processors=[*logs.processors("text"), _watched])
    getLogger().addHandler(_Foreign(level=WARNING))


def found() -> list[str]:
    """The lines that must not have been logged since this was last asked; what was said so far is looked for no more.

    The next test says something else, and what it logs of its own may hold the words of this one: "the beginning".
    """
    lines = _found[:]
    _found.clear()
    _said.clear()
    return lines


def _watched(_logger: object, _method: str, line: str) -> str:
    _look(line)
    return line


class _Foreign(Handler):
    """What libraries log."""

    def emit(self, record: LogRecord) -> None:
        _look(record.getMessage())


def _look(line: str) -> None:
    if any(words in line for words in _secrets) or any(words in line for words in _said):
        _found.append(line)
