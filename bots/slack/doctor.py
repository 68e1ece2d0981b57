"""The doctor's questions to Slack: are both tokens accepted, and is every scope granted? Nothing is posted."""

from collections.abc import Callable, Sequence

from bots.slack.api import Api
from bots.slack.connection import app_token_problem
from bots.slack.errors import Refused
from bots.slack.manifest import scopes
from core.errors import DeliveryError
from core.seam.adapter import Finding


async def examination(api: Api, app_api: Api, *, agent_view: bool) -> Sequence[Finding]:
    """One finding for each setting."""
    return (*await _bot_token(api, agent_view=agent_view), await _app_token(app_api))


def bot_token_problem(code: str) -> str:
    """One line for the person who can mend it."""
    return (
        f"Slack does not accept SLACK_BOT_TOKEN ({code}): set it to the bot token (xoxb-…)"
        " from Features > OAuth & Permissions, and install the app anew if it was removed"
    )


async def _bot_token(api: Api, *, agent_view: bool) -> Sequence[Finding]:
    subject = "SLACK_BOT_TOKEN"
    try:
        answer, headers = await api.read_with_headers("auth.test")
    except DeliveryError as error:
        return (_problem(subject, error, bot_token_problem),)
    workspace = answer.get("team") or answer.get("team_id")
    token = Finding(subject=subject, ok=True, detail=f"accepted; workspace {workspace}")
    granted = {scope.strip() for scope in str(headers.get("x-oauth-scopes", "")).split(",")}
    missing = sorted(scopes(agent_view=agent_view) - granted)
    if not missing:
        return (token, Finding(subject="Slack scopes", ok=True, detail="all granted"))
    return (
        token,
        Finding(
            subject="Slack scopes",
            ok=False,
            detail=f"missing: {', '.join(missing)}",
            remedy="add them under Features > OAuth & Permissions and reinstall the app, which may change"
            " SLACK_BOT_TOKEN; `backscroll manifest slack` prints a manifest that has them",
        ),
    )


async def _app_token(api: Api) -> Finding:
    subject = "SLACK_APP_TOKEN"
    try:
        await api.write("apps.connections.open", {})
    except DeliveryError as error:
        return _problem(subject, error, app_token_problem)
    return Finding(subject=subject, ok=True, detail="accepted; Socket Mode is on")


def _problem(subject: str, error: DeliveryError, remedy_for: Callable[[str], str]) -> Finding:
    if isinstance(error, Refused):
        return Finding(subject=subject, ok=False, detail=str(error), remedy=remedy_for(error.code))
    return Finding(
        subject=subject,
        ok=False,
        detail=str(error),
        remedy="check the network, the proxy, and SLACK_API_URL, then try again",
    )
