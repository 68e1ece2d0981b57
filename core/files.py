"""Settings that stand in a file of their own, which a setting with `_FILE` behind its name leads to."""

from functools import cache
from pathlib import Path

from core.errors import ConfigurationError


def contents(name: str, value: str | None, path: Path | None) -> str | None:
    """What a setting holds, or the file that is named in its place. Raises ConfigurationError."""
    if path is None:
        return value
    if value is not None:
        raise ConfigurationError(f"{name} and {name}_FILE are both set: remove one")
    try:
        return _piped(path) if path.is_fifo() else _text(path)
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"{name}_FILE: {path} can't be read: {why(error)}") from error


@cache
def _piped(path: Path) -> str:
    """What comes through a pipe (`<(…)`, `/dev/stdin`) comes once, and may be asked for again."""
    return _text(path)


def _text(path: Path) -> str:
    """Without the mark that Windows' editors put in front."""
    return path.read_text(encoding="utf-8-sig")


def why(error: OSError | UnicodeError) -> str:
    """What is wrong with a file, in a few words."""
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else "it is not UTF-8 text"
