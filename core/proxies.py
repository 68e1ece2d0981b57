"""Proxies: the HTTP proxy that leads to an address, by the environment, as every program reads it."""

from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from core.errors import ConfigurationError


def proxy_for(url: str) -> str | None:
    """The HTTP proxy that leads to this address by HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY; none to ourselves.

    The names may be in small letters, as everywhere. Raises ConfigurationError for a proxy of another kind.
    """
    parts, given = urlsplit(url), getproxies_environment()
    name = {"https": "https", "wss": "https"}.get(parts.scheme, "http")
    name = name if name in given else "all"
    proxy = given.get(name)
    if proxy is None or _is_loopback(parts.hostname or "") or proxy_bypass(parts.hostname or ""):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not _is_of_http(proxy):
        raise ConfigurationError(f"{name.upper()}_PROXY names no HTTP proxy: set HTTPS_PROXY to one, or NO_PROXY to *")
    return proxy


def _is_of_http(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket that is open, a port that is none
        return False


def _is_loopback(host: str) -> bool:
    """Whether this is our own machine, which no proxy can reach."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
