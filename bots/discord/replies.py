"""What we say, in Discord's terms: pure functions from a Reply."""

from dataclasses import replace
from typing import Any

from bots.discord.forms import components
from core.seam.messages import Reply


def with_choices(reply: Reply) -> Reply:
    """Choices as a numbered list: on Discord every command says where it was typed, so nobody needs buttons."""
    listed = "".join(f"\n{number}. {choice.label}" for number, choice in enumerate(reply.choices, 1))
    return replace(reply, text=reply.text + listed, choices=())


def content(reply: Reply) -> dict[str, Any]:
    """What a message of ours is made of; what may be pressed beneath it goes with the last edit as with the first."""
    pressed = components(reply.buttons)
    return {
        "content": reply.text,
        "allowed_mentions": mentions(reply),
        **({"components": pressed} if pressed else {}),
    }


def mentions(reply: Reply) -> dict[str, Any]:
    """Nobody but the asker. It goes with every write: what an edit leaves out is decided anew, for everyone."""
    asker = reply.asker.id if reply.asker and reply.asker.id.isdigit() else None
    return {"parse": [], "users": [asker] if asker else [], "replied_user": False}
