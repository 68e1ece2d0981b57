"""Files that people have attached, fetched from Slack's own hosts alone: what is sent there is our token."""

import json
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from structlog import get_logger

from bots.slack.api import Api, Download
from bots.slack.payloads import PLATFORM, Payload
from bots.slack.quotes import attaches
from core.errors import DeliveryError, DeliveryRefused
from core.seam.address import Address

log = get_logger(platform=PLATFORM)

_HOSTS = {"files.slack.com", "files.slack-gov.com"}
_HOPS = 3
_PAGES = (b"<!doctype html", b"<html")


class Files:
    """Files by the note that a quote keeps of each (see `quotes.note`)."""

    def __init__(self, api: Api, api_url: str) -> None:
        self._api, self._home = api, urlsplit(api_url)

    async def fetch(self, address: Address, source: str, limit: int) -> bytes:
        """The file's first bytes, at most so many. Raises a DeliveryError."""
        try:
            return await self._read(await self._url(json.loads(source)), limit)
        except DeliveryError as error:
            log.info("file not read", session=address.id, reason=str(error))
            raise

    async def _url(self, noted: Payload) -> str:
        """Where the file is. A file that is shared between organisations is asked for first."""
        if "url" in noted:
            return str(noted["url"])
        file = (await self._api.read("files.info", {"file": str(noted["id"])})).get("file")
        found = attaches(file) if isinstance(file, dict) else None
        if found is None or found.source is None:
            raise DeliveryRefused(f"Slack gives no file: {found.unread if found else 'no reason'}")
        url = json.loads(found.source).get("url")
        if not url:
            raise DeliveryRefused("Slack gives no address for the file")
        return str(url)

    async def _read(self, url: str, limit: int) -> bytes:
        """Slack answers who may not read a file with its page for signing in, or sends them there."""
        for _ in range(_HOPS):
            if not self._is_slacks(url):
                raise DeliveryRefused(f"the file is at {urlsplit(url).hostname}, which is not Slack")
            got = await self._api.download(url, limit)
            if got.moved_to is None:
                break
            url = urljoin(url, got.moved_to)
        if got.moved_to is not None or _is_page(got):
            raise DeliveryRefused("Slack shows a page in the file's place: does the bot token have files:read?")
        return got.data

    def _is_slacks(self, url: str) -> bool:
        """Whether the token may go there: to Slack's own host for files, or to where all our calls go."""
        to = urlsplit(url)
        if (to.scheme, to.netloc) == (self._home.scheme, self._home.netloc):
            return not self._is_call(to)
        return to.scheme == "https" and to.netloc in _HOSTS

    def _is_call(self, to: SplitResult) -> bool:
        """Whether it would do something instead of giving a file: methods have names like `auth.revoke`."""
        path, api = unquote(to.path).lower(), self._home.path.strip("/").lower()
        folder, _, rest = path.strip("/").partition(f"{api}/") if api else ("", "", path.strip("/"))
        leads_on = not {".", ".."}.isdisjoint(path.split("/"))  # which is taken out before it is asked for
        return leads_on or ".." in path or (not folder and "." in rest.lstrip("/").partition("/")[0])


def _is_page(got: Download) -> bool:
    """Whether this is a page to look at. A page that somebody has attached comes as a download."""
    return not got.is_attachment and (got.kind == "text/html" or got.data[:32].lstrip().lower().startswith(_PAGES))
