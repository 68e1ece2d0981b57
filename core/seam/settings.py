"""What every door asks of its settings before it connects anywhere: that tokens are set, and addresses are some."""

import re

from pydantic import SecretStr

from core.errors import ConfigurationError


def tokens(platform: str, **given: SecretStr | None) -> list[str]:
    """The tokens that a platform needs. Raises ConfigurationError, which names those that are not set."""
    missing = [name for name, token in given.items() if token is None]
    if missing:
        raise ConfigurationError(f"{' and '.join(missing)} must be set for {platform}; see .env.example")
    return [token.get_secret_value() for token in given.values() if token is not None]


def check_addresses(scheme: str, **given: str | None) -> None:
    """Raises ConfigurationError for what is no address of this scheme: a library would try it for ever."""
    for name, address in given.items():
        if address is not None and not re.fullmatch(rf"{scheme}s?://[^/?#\s]+(/\S*)?", address):
            raise ConfigurationError(f"{name} is no address: it should look like {scheme}s://host/path")
