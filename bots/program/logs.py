"""Logs on standard error: session, platform and outcome; never what people wrote, never a token."""

import asyncio
import logging
import sys
from collections.abc import Mapping
from contextlib import suppress
from textwrap import indent
from traceback import format_tb
from typing import Any, Literal, TextIO, cast

import structlog

from core.errors import BackscrollError


class _Errors:
    """Standard error, also where nobody takes it any more: a disk is full, a journal or a collector was restarted.

    Nobody is answered the less for a line of the log, nor is the process ended.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, words: str) -> None:
        with suppress(OSError):
            self._stream.write(words)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def configure(form: Literal["text", "json"], *, quiet: bool = False) -> None:
    """Sets logging up for the process. `quiet` leaves out all but warnings, for a terminal that people talk in."""
    level = logging.WARNING if quiet else logging.INFO
    errors = cast("TextIO", _Errors(sys.stderr))
    *shared, renderer = processors(form)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(errors),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processor=renderer)
    handler = logging.StreamHandler(errors)
    handler.setFormatter(formatter)
    # The libraries' own debug logs hold bodies and tokens: their warnings are all that we let through.
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def last_word(reason: str) -> None:
    """The line that explains why the program ends, in JSON where the log is that."""
    log = structlog.get_logger()
    if isinstance(structlog.get_config()["processors"][-1], structlog.processors.JSONRenderer):
        log.critical("ended", reason=reason)
    else:
        _Errors(sys.stderr).write(f"backscroll: {reason}\n")


def processors(form: Literal["text", "json"]) -> list[structlog.types.Processor]:
    """What makes a line of what is logged, step by step; the last one writes it. JSON escapes by itself."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(lambda info: trace(info[1])),
    ]
    if form == "json":
        return [*shared, structlog.processors.JSONRenderer()]
    colors = sys.stderr.isatty()
    return [
        *shared,
        on_one_line,
        structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback),
    ]


def on_one_line(_logger: object, _method: str, told: structlog.types.EventDict) -> structlog.types.EventDict:
    """Nobody's words begin a line of their own, colour a terminal, or turn its text around: such signs are escaped.

    A traceback has lines, and nothing in it but ours.
    """
    for name, value in told.items():
        if isinstance(value, str) and not value.isprintable():
            told[name] = "\n".join(map(_printable, value.split("\n"))) if name == "exception" else _printable(value)
    return told


def _printable(words: str) -> str:
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in words)


def trace(error: BaseException) -> str:
    """Where it happened, and what led to it. Only an error of ours says what: others may quote what people wrote."""
    said = f": {error}" if isinstance(error, BackscrollError) else ""
    lines = ["Traceback (most recent call last):\n", *format_tb(error.__traceback__), type(error).__qualname__, said]
    if isinstance(error, BaseExceptionGroup):
        lines += [f", of which number {n}:\n{indent(trace(one), '  ')}" for n, one in enumerate(error.exceptions, 1)]
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "".join([f"{trace(before)}\n\nwhich led to:\n\n" if before else "", *lines])


def unheard(_loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """For asyncio, to tell what nobody awaited. Its own way prints tasks and callbacks with what they were given."""
    error = context.get("exception")
    what = "a task or callback failed" if error is not None else context["message"]
    structlog.get_logger().error("unheard", what=what, exc_info=error)
