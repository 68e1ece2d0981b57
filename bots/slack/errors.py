"""What Slack's refusals and silence mean for a delivery: not yet, never, or nobody knows."""

from aiohttp import ClientConnectorError, ConnectionTimeoutError
from slack_sdk.errors import SlackApiError
from structlog import get_logger

from bots.slack.payloads import PLATFORM, Payload
from core.errors import DeliveryDelayed, DeliveryError, DeliveryRefused, DeliveryUnknown

log = get_logger(platform=PLATFORM)

_UNSURE = {"internal_error", "fatal_error", "service_unavailable", "request_timeout"}
"""`ok: false` that leaves open whether it was done; docs.slack.dev/reference/methods/chat.postMessage."""
_LASTING = {"unknown_method", "method_deprecated", "missing_scope", "not_allowed_token_type", "access_denied"}
_LATER = {"ratelimited", "rate_limited", "team_added_to_org"}
_UNWELCOME = {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"}
"""The token is no good any more: until a person has mended that, nothing that we have to say is lost for it."""
_ABOUT_TOKENS = {"auth.test", "apps.connections.open"}
"""Methods that are called to find out whether a token is good."""
_RETRY_AFTER, _RECONNECT_AFTER, _MENDED_AFTER = 30.0, 3.0, 60.0


class Refused(DeliveryRefused):
    """Slack said no, for a reason that it names: `channel_not_found`, `missing_scope`, …"""

    def __init__(self, method: str, code: str) -> None:
        super().__init__(f"Slack refused {method}: {code}")
        self.code = code

    @property
    def is_lasting(self) -> bool:
        """Whether this method is refused wherever it is called, so that calling it again is idle."""
        return self.code in _LASTING

    @property
    def is_about_form(self) -> bool:
        """Whether only the form is refused: the same words may be taken without blocks."""
        return "blocks" in self.code or self.code == "block_mismatch"


def failure(method: str, error: SlackApiError) -> DeliveryError:
    """The delivery error that this answer of Slack's is."""
    status, code, _ = facts_of(error)
    if is_limit(error):
        seconds = retry_after(error)
        return DeliveryDelayed(f"Slack wants no {method} for {seconds:.0f} s", retry_after=seconds)
    if status >= 500 or status == 408 or code in _UNSURE:
        return DeliveryUnknown(f"Slack answered {method} with {code or status}")
    if code in _UNWELCOME and method not in _ABOUT_TOKENS:
        log.error("not accepted by Slack", setting="SLACK_BOT_TOKEN", reason=code, again_in=_MENDED_AFTER)
        return DeliveryDelayed(f"Slack does not accept SLACK_BOT_TOKEN ({code})", retry_after=_MENDED_AFTER)
    return Refused(method, code or f"http_{status}")


def connection_failure(method: str, error: Exception) -> DeliveryError:
    """The delivery error that it is when no answer came."""
    if isinstance(error, ClientConnectorError | ConnectionTimeoutError):
        return DeliveryDelayed(f"Slack can't be reached for {method}", retry_after=_RECONNECT_AFTER)
    return DeliveryUnknown(f"no answer from Slack to {method} ({type(error).__name__})")


def is_limit(error: SlackApiError) -> bool:
    """Whether Slack wants to be left alone for a while."""
    status, code, _ = facts_of(error)
    return status == 429 or code in _LATER


def is_passing(error: SlackApiError) -> bool:
    """Whether Slack may answer differently in a moment."""
    status, code, _ = facts_of(error)
    return is_limit(error) or status >= 500 or code in _UNSURE


def retry_after(error: SlackApiError) -> float:
    """For how many seconds Slack wants to be left alone."""
    _, _, headers = facts_of(error)
    try:
        return max(0.0, float(headers.get("Retry-After", _RETRY_AFTER)))
    except ValueError:
        return _RETRY_AFTER


def facts_of(error: SlackApiError) -> tuple[int, str, Payload]:
    """Status, Slack's error code, and headers. What came may be a proxy's page, or the bare HTTP response."""
    response = error.response
    status = getattr(response, "status_code", 0) or getattr(response, "status", 0)
    data = getattr(response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    return int(status), str(code or ""), getattr(response, "headers", None) or {}
