"""Which server is asked for which model, as the settings say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import urlsplit

from core.errors import ConfigurationError
from core.model.openai.manners import API

OPENAI = "https://api.openai.com/v1"
OFFICIAL_HOSTS = (".api.openai.com", ".openai.azure.com")
"""Hosts that have the Responses API for certain and know OpenAI's own request fields; regional ones included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where the model is. `api` is the one that the settings demand, `official` whether the server is OpenAI's own."""

    url: str
    host: str
    model: str
    api: API | None
    official: bool

    @classmethod
    def of(
        cls, url: str | None, model: str, api: Literal["auto"] | API, official_hosts: Sequence[str] = OFFICIAL_HOSTS
    ) -> Self:
        """The server at this address, or OpenAI's. Raises ConfigurationError for what is no address."""
        url = url or OPENAI
        host = _host(url)
        official = f".{host}".endswith(tuple(official_hosts))
        return cls(url=url, host=host, model=model, api=None if api == "auto" else api, official=official)

    @property
    def name(self) -> str:
        """By which what is learnt of it is kept."""
        return f"{self.url} {self.api or 'auto'}"


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError("OPENAI_BASE_URL is no web address: it should look like https://host/v1.")
    return parts.hostname or ""
