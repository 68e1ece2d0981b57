"""How a command of the command line ends: with an exit status, and one line that explains what went wrong."""

import asyncio
import errno
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import structlog
import typer

from bots.program import logs
from core.config import Settings, read_settings, wanted_log
from core.errors import BackscrollError, ConfigurationError, DatabaseError, PlatformError


def go(work: Callable[[], Awaitable[int]]) -> None:
    """Runs one command; one line explains its failure, and the exit status is the one that the contract gives."""
    logs.configure(wanted_log())  # until all settings are known
    status = 1
    try:
        status = asyncio.run(_guarded(work))
    except (ConfigurationError, PlatformError) as error:  # to start again would not help: a setting must be mended
        _explain(str(error))
        status = 2
    except DatabaseError as error:
        _explain(f"DATABASE_URL: {error}", error.remedy)
    except BackscrollError as error:
        _explain(str(error))
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:  # who reads what we print has had enough, as `head` has: typer ends quietly, with 1
        raise
    except OSError as error:
        if _is_unprinted(error):  # `printing` tells
            raise
        _explain_crash(error)
    except Exception as error:  # noqa: BLE001 – Python's own last words would quote what people wrote
        _explain_crash(error)
    _let_go()
    raise typer.Exit(status)


def obey(app: typer.Typer) -> None:
    """Does what the words behind the program's name say. Where the log is JSON, so is what is wrong with them."""
    with printing():
        form = wanted_log()
        if form == "text":
            app()
        logs.configure(form)
        try:
            status = app(standalone_mode=False)
        except typer.TyperException as error:
            if why := error.format_message():  # else help is shown
                _explain(why)
            status = error.exit_code
        except BrokenPipeError:
            _let_go()
            status = 1
        raise SystemExit(status)


@contextmanager
def printing() -> Iterator[None]:
    """Whatever is printed in it: where it has no room, as on a full disk, that is told, and the exit status is 1."""
    try:
        yield
    except OSError as error:
        if not _is_unprinted(error):
            raise
        _explain(f"what is printed can't be written: {error.strerror}")
        _let_go()
        raise SystemExit(1) from error


def _is_unprinted(error: OSError) -> bool:
    """Whether it is of a stream that was open all the time, as standard output is: those that are opened are named."""
    return error.filename is None and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO}


def known_settings(*, quiet: bool = False) -> Settings:
    """The settings, by which the log is set up. Raises ConfigurationError, which names every wrong variable."""
    settings = read_settings()
    logs.configure(settings.backscroll_log, quiet=quiet)
    return settings


def _explain_crash(error: Exception) -> None:
    structlog.get_logger().critical("crashed", exc_info=error)
    _explain(f"ended by an unexpected {type(error).__name__}; please report it with the lines above")


def _explain(reason: str, remedy: str = "") -> None:
    logs.last_word(f"{reason}: {remedy}" if remedy else reason)


def _let_go() -> None:
    """Prints what is left. Where nobody takes it, it goes nowhere: Python would try again with its last breath."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


async def _guarded(work: Callable[[], Awaitable[int]]) -> int:
    asyncio.get_running_loop().set_exception_handler(logs.unheard)
    try:
        return await work()
    except BaseExceptionGroup as group:  # several tasks may fail together; the first that can be named explains it
        known, others = group.split(BackscrollError)
        if known is None:
            raise
        if others is not None:
            structlog.get_logger().error("failed as well", exc_info=others)
        raise _first(known) from group


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
