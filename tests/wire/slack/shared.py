"""What people share in Slack: files, and messages that they forward, in the shape in which apps are sent them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A file's bytes; `facts` are what messages and `files.info` tell of it."""

    data: bytes
    facts: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.facts["id"])


def stored(
    id_: str, name: str, data: bytes, where: str, *, mimetype: str = "text/plain", mode: str = "hosted"
) -> Stored:
    """docs.slack.dev/reference/objects/file-object."""
    facts = {"id": id_, "name": name, "title": name, "mimetype": mimetype, "mode": mode, "size": len(data)}
    facts |= {"url_private": f"{where}-{id_}/{name}", "url_private_download": f"{where}-{id_}/download/{name}"}
    return Stored(data=data, facts=facts)


def forwarded(message: dict[str, Any], *, channel: str, team: str, name: str) -> dict[str, Any]:
    """No reference describes it; so apps are sent it, as github.com/openclaw/openclaw/pull/9963 and others report."""
    ts = message["ts"]
    shared: dict[str, Any] = {
        "id": 1,
        "ts": ts,
        "channel_id": channel,
        "channel_team": team,
        "author_id": message["user"],
        "author_name": f"{name} Surname",
        "author_subname": name,
        "author_link": f"https://test.slack.com/team/{message['user']}",
        "from_url": f"https://test.slack.com/archives/{channel}/p{ts.replace('.', '')}",
        "fallback": f"[November 29th, 2026 9:22 AM] {name}: {message['text']}",
        "text": message["text"],
        "footer": "Slack Conversation",
        "mrkdwn_in": ["text"],
        "is_msg_unfurl": True,
        "is_share": True,
        "message_blocks": [{"team": team, "channel": channel, "ts": ts, "message": {"blocks": []}}],
    }
    return shared | ({"files": message["files"]} if "files" in message else {})
