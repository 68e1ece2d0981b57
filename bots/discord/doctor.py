"""The doctor's questions to Discord; nothing is posted and nothing is changed."""

from collections.abc import Sequence

from bots.discord.api import Api
from bots.discord.errors import Trouble
from bots.discord.gate import FLOOR
from core.errors import PlatformError
from core.seam.adapter import Finding

_PORTAL = "https://discord.com/developers"


async def examination(api: Api) -> Sequence[Finding]:
    """One finding for each thing that can be wrong; the first failure that hides the rest is the last."""
    try:
        application = await api.application()
        may_read = await api.may_read()
    except PlatformError as error:
        return (Finding(subject="DISCORD_TOKEN", ok=False, detail="Discord does not accept it", remedy=str(error)),)
    except Trouble as error:
        return (_unreachable(error),)
    servers = application.approximate_guild_count
    findings = [
        Finding(subject="DISCORD_TOKEN", ok=True, detail=f"{application.name}, in about {servers} servers"),
        _content(may_read=may_read),
    ]
    if application.interactions_endpoint_url is not None:
        findings.append(_endpoint())
    return (*findings, await _sessions(api))


def _content(*, may_read: bool) -> Finding:
    return Finding(
        subject="Discord message content intent",
        ok=may_read,
        detail="on" if may_read else "off: I hear mentions, replies to me and direct messages, and nothing else",
        remedy="" if may_read else f"switch on MESSAGE CONTENT INTENT on the Bot page of {_PORTAL}",
    )


def _endpoint() -> Finding:
    return Finding(
        subject="Discord interactions",
        ok=False,
        detail="go to an endpoint URL, so that /session never reaches this program",
        remedy=f"clear INTERACTIONS ENDPOINT URL on the General Information page of {_PORTAL}",
    )


async def _sessions(api: Api) -> Finding:
    try:
        limit = (await api.gateway())["session_start_limit"]
        remaining, total = limit["remaining"], limit["total"]
    except Trouble as error:
        return _unreachable(error)
    except KeyError:
        return Finding(subject="Discord gateway", ok=True, detail="reachable; it names no limit of session starts")
    minutes = round(limit.get("reset_after", 0) / 60_000) + 1
    return Finding(
        subject="Discord gateway",
        ok=remaining >= FLOOR,
        detail=f"{remaining} of {total} session starts left",
        remedy="" if remaining >= FLOOR else f"wait {minutes} minutes, and see what reconnects so often",
    )


def _unreachable(error: BaseException) -> Finding:
    return Finding(
        subject="Discord",
        ok=False,
        detail=f"the API does not answer ({type(error).__name__})",
        remedy="check the network, the proxy, DISCORD_API_URL if it is set, and https://discordstatus.com",
    )
