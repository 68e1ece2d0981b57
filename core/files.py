"""Settings that stand in a file of their own, which a setting with `_FILE` behind its name leads to."""

from pathlib import Path

from core.errors import ConfigurationError


def contents(name: str, value: str | None, path: Path | None) -> str | None:
    """What a setting holds, or the file that is named in its place. Raises ConfigurationError."""
    if path is None:
        return value
    if value is not None:
        raise ConfigurationError(f"{name} and {name}_FILE are both set: remove one")
    try:
        return path.read_text(encoding="utf-8-sig")  # editors on Windows write a mark first
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"{name}_FILE: {path} can't be read: {why(error)}") from error


def why(error: OSError | UnicodeError) -> str:
    """What is wrong with a file, in a few words."""
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else "it is not UTF-8 text"
