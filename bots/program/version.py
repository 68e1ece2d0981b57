"""Which release this is, as it was installed."""

from importlib.metadata import PackageNotFoundError, version


def own_version() -> str:
    """The release's number; of a checkout that was never installed nobody knows it."""
    try:
        return version("backscroll")
    except PackageNotFoundError:
        return "unknown"
