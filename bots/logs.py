"""Logs on standard error: session, platform and outcome; never what people wrote, never a token."""

import logging
import sys
from typing import Literal

import structlog


def configure(form: Literal["text", "json"], *, quiet: bool = False) -> None:
    """Sets logging up for the process. `quiet` leaves out all but warnings, for a terminal that people talk in."""
    level = logging.WARNING if quiet else logging.INFO
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.types.Processor
    if form == "json":
        shared.append(structlog.processors.format_exc_info)
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processor=renderer)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    # The libraries' own debug logs hold bodies and tokens: their warnings are all that we let through.
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
