"""What every door asks of its settings before it connects anywhere: that tokens are set, and addresses are some."""

import re
from urllib.parse import urlsplit

from pydantic import SecretStr

from core.errors import ConfigurationError


def tokens(platform: str, **given: SecretStr | None) -> list[str]:
    """The tokens that a platform needs. Raises ConfigurationError, which names those that are not set, or can be none:
    a library would fail over what no header can carry, again and again.
    """
    missing = [name for name, token in given.items() if token is None]
    if missing:
        raise ConfigurationError(f"{' and '.join(missing)} must be set for {platform}; see .env.example")
    said = {name: token.get_secret_value() for name, token in given.items() if token is not None}
    wrong = [name for name, token in said.items() if not (token.isascii() and token.isprintable() and " " not in token)]
    if wrong:
        raise ConfigurationError(f"{' and '.join(wrong)}: no token has such characters: copy it again, without blanks")
    return list(said.values())


def check_addresses(scheme: str, **given: str | None) -> None:
    """Raises ConfigurationError for what is no address of this scheme: a library would try it for ever."""
    for name, address in given.items():
        if address is not None and not _is_address(scheme, address):
            raise ConfigurationError(f"{name} is no address: it should look like {scheme}s://host/path")


def _is_address(scheme: str, words: str) -> bool:
    try:
        parts = urlsplit(words)
        return bool(re.fullmatch(rf"{scheme}s?://[^/?#\s]+(/\S*)?", words) and parts.hostname and parts.port != 0)
    except ValueError:  # a bracket that is open, a port that is none
        return False
