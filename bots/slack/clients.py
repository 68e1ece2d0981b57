"""The clients of slack_sdk, all made alike: our API URL, our retries, our proxy, and a quiet logger."""

from logging import WARNING, Filter, Logger, LogRecord, getLogger
from re import compile as pattern
from typing import TypeVar

from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from core.proxies import proxy_for

Client = TypeVar("Client", bound=AsyncWebClient)


class _Discreet(Filter):
    """Takes the key out of a socket's address, and the stack, in which it is written again."""

    _TICKET = pattern(r"ticket=[^&\s'\")]+")

    def filter(self, record: LogRecord) -> bool:
        record.msg, record.args = self._TICKET.sub("ticket=…", record.getMessage()), None
        record.exc_info = record.exc_text = None
        return True


_DISCREET = _Discreet()


def web_client(kind: type[Client], *, token: str, api_url: str, retry_handlers: list[AsyncRetryHandler]) -> Client:
    """A client of the Web API. slack_sdk takes a proxy from the environment and knows no exceptions from it."""
    client = kind(token=token, base_url=api_url, logger=sdk_logger(), retry_handlers=retry_handlers)
    client.proxy = proxy_for(api_url)
    return client


def sdk_logger() -> Logger:
    """For slack_sdk: at DEBUG it writes what people said, so that never gets that far."""
    logger = getLogger("backscroll.slack_sdk")
    logger.setLevel(WARNING)
    logger.addFilter(_DISCREET)
    return logger
