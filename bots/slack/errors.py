"""What an answer of Slack's means, or that none came, or somebody else's: not yet, never, or nobody knows.

Slack's own word is JSON that says whether it is `ok`, and if not, why. Everything else is a page, of a proxy's or a
firewall's: it says nothing of what Slack did, whatever its status. So it never ends anything, and where it wants no
more calls, the one that it answers may have been done.
"""

from aiohttp import ClientConnectorError, ConnectionTimeoutError
from slack_sdk.errors import SlackApiError
from structlog import get_logger

from bots.slack.payloads import PLATFORM, Payload
from core.errors import DeliveryDelayed, DeliveryError, DeliveryRefused, DeliveryUnknown, WordsRefused
from core.seam.quiet import asked_for, bounded

log = get_logger(platform=PLATFORM)

_UNSURE = {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "fetch_members_failed"}
"""`ok: false` that leaves open whether it was done, or can be another time; docs.slack.dev/reference/methods."""
_LASTING = {"unknown_method", "method_deprecated", "missing_scope", "not_allowed_token_type", "access_denied"}
_LATER = {"ratelimited", "rate_limited", "team_added_to_org"}
_MOVING = "external_channel_migrating"
"""This one channel is being moved, from one organisation to another say; the others are as ever."""
_UNWELCOME = {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"}
"""The token is no good any more: until a person has mended that, nothing that we have to say is lost for it."""
_WITHOUT_LEAVE = {"missing_scope", "no_permission", "not_allowed_token_type", "access_denied"}
"""What the token may not do. Where that is to speak, it is the same; everything else we can do without."""
_SHUT = {
    *("accesslimited", "ekm_access_denied", "org_login_required", "team_access_not_granted"),
    *("enterprise_is_restricted", "two_factor_setup_required", "app_access_restricted"),
}
"""The workspace is closed to us, or to where we call from, by its own people: they may open it again."""
_WORDS = {"msg_too_long", "no_text", "slack_connect_file_link_sharing_blocked"}
_SPEAKING = {"chat.postMessage", "chat.update", "chat.delete"}
_ABOUT_TOKENS = {"auth.test", "apps.connections.open"}
"""Methods that are called to find out whether a token is good."""
_LIMITED_FOR, _RECONNECT_AFTER, _MENDED_AFTER = 30.0, 3.0, 60.0


class Refused(DeliveryRefused):
    """Slack itself said no, for a reason that it names: `channel_not_found`, `missing_scope`, …"""

    def __init__(self, method: str, code: str) -> None:
        super().__init__(f"Slack refused {method}: {code}")
        self.code = code

    @property
    def is_lasting(self) -> bool:
        """Whether this method is refused wherever it is called, so that calling it again is idle."""
        return self.code in _LASTING

    @property
    def is_about_token(self) -> bool:
        """Whether the token is no good for what it is for, so that only a person can mend it."""
        return self.code in _UNWELCOME | _WITHOUT_LEAVE

    @property
    def is_about_form(self) -> bool:
        """Whether only the form is refused: the same words may be taken without blocks."""
        return "blocks" in self.code or self.code == "block_mismatch"


class RefusedWords(Refused, WordsRefused):
    """Slack itself said no to what was said, and may take other words."""


def failure(method: str, error: SlackApiError) -> DeliveryError:
    """The delivery error that this answer is."""
    status, said, _ = facts_of(error)
    code, seconds = _code(said), wait(error)
    if seconds is not None and code and _is_limit(status, code):
        return DeliveryDelayed(f"Slack wants no {method} for {seconds:.0f} s", retry_after=seconds)
    if status >= 500 or status == 408 or code in _UNSURE:
        return DeliveryUnknown(f"Slack answered {method} with {code or status}", retry_after=seconds)
    if not code:
        return DeliveryUnknown(f"not Slack, but a page with status {status} answered {method}", retry_after=seconds)
    if _is_to_be_mended(method, code):
        what = {"needed": said["needed"]} if isinstance(said.get("needed"), str) else {}
        log.error("not accepted by Slack", setting="SLACK_BOT_TOKEN", reason=code, again_in=_MENDED_AFTER, **what)
        return DeliveryDelayed(f"Slack does not accept SLACK_BOT_TOKEN ({code})", retry_after=_MENDED_AFTER)
    if code == _MOVING:
        return DeliveryDelayed(f"Slack moves the channel of {method} just now", retry_after=_LIMITED_FOR)
    return RefusedWords(method, code) if code in _WORDS else Refused(method, code)


def wait(error: SlackApiError) -> float | None:
    """For how many seconds we are to call nobody, whoever says so; None where nobody does."""
    status, said, headers = facts_of(error)
    asked = asked_for(headers, said)
    if asked is None and _is_limit(status, _code(said)):
        asked = _LIMITED_FOR
    return None if asked is None else bounded(asked)


def is_for_all(error: SlackApiError) -> bool:
    """Whether it holds for every method: a page says it of the whole way to Slack, Slack itself of one method."""
    return not _code(facts_of(error)[1])


def connection_failure(method: str, error: Exception) -> DeliveryError:
    """The delivery error that it is when no answer came, or none that can be read."""
    if isinstance(error, ClientConnectorError | ConnectionTimeoutError):
        return DeliveryDelayed(f"Slack can't be reached for {method}", retry_after=_RECONNECT_AFTER)
    return DeliveryUnknown(f"no answer from Slack to {method} ({type(error).__name__})")


def facts_of(error: SlackApiError) -> tuple[int, Payload, Payload]:
    """Status, what Slack says itself, and headers. What came may be a page, or the bare HTTP response."""
    response = error.response
    status = getattr(response, "status_code", 0) or getattr(response, "status", 0)
    data = getattr(response, "data", None)
    own = data if isinstance(data, dict) and data.get("ok") is False else {}
    return int(status), own, getattr(response, "headers", None) or {}


def _code(said: Payload) -> str:
    code = said.get("error")
    return code if isinstance(code, str) else ""


def _is_limit(status: int, code: str) -> bool:
    return status == 429 or code in _LATER


def _is_to_be_mended(method: str, code: str) -> bool:
    """Whether it is no fault of what we say: it is kept until a person has mended what is wrong."""
    if method in _ABOUT_TOKENS:
        return False
    return code in _UNWELCOME | _SHUT or (code in _WITHOUT_LEAVE and method in _SPEAKING)
