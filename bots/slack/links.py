"""Links to messages, as `chat.getPermalink` gives them: pure, and so without a call for each."""

from re import compile as pattern
from urllib.parse import parse_qsl, urlsplit

from bots.slack.payloads import PLATFORM, Ourselves, is_direct, is_ts
from core.seam.address import Address
from core.seam.links import Linked, secure

_PATH = pattern(r"/archives/([A-Z0-9]+)/p([0-9]{1,11})([0-9]{6})/?")
_TS = pattern(r"([0-9]{1,11})\.([0-9]{6})")


def link(us: Ourselves, address: Address, message: str) -> str | None:
    """The link to a message in our workspace; None for what only one person sees, which has none."""
    ts = _TS.fullmatch(message)
    if ts is None or not us.url:
        return None
    thread = f"?thread_ts={address.thread}&cid={address.channel}" if _is_reply(address, message) else ""
    return f"{us.url.rstrip('/')}/archives/{address.channel}/p{ts[1]}{ts[2]}{thread}"


def _is_reply(address: Address, message: str) -> bool:
    """Whether it stands in the thread: what was said before that opened was said in the channel."""
    return is_ts(address.thread) and float(message) > float(address.thread)


def linked(us: Ourselves, words: str, *, agent_view: bool) -> Linked | None:
    """The message of our workspace that these words link to. Only of a reply does a link name the thread."""
    found = secure(words)
    path = None if found is None else _PATH.fullmatch(found.path)
    if found is None or path is None or found.netloc.lower() != urlsplit(us.url).netloc.lower():
        return None
    asked = dict(parse_qsl(found.query))
    channel, thread = path[1], asked.get("thread_ts")
    if asked.get("cid", channel) != channel or not (thread is None or is_ts(thread)):
        return None
    if is_direct(channel) and not agent_view:
        thread = None  # all of it is one conversation
    place = Address(platform=PLATFORM, workspace=us.workspace, channel=channel, thread=thread)
    return Linked(address=place, message=f"{path[2]}.{path[3]}")
