"""Forgetting on request: asked once more before it is begun, and how far it has come where it was."""

from core.commands import accounts
from core.commands.orders import Desk
from core.store import Connection, erasures
from core.store.engine.sql import micro
from core.store.erasures import Asked, Erasure, Scope

_SCOPES = {"me": Scope.PERSON, "session": Scope.SESSION, "channel": Scope.CHANNEL}

_ASKED = {
    Scope.PERSON: "Everything that you have said in this workspace is erased, also where other conversations have "
    "overheard or quoted it; the answers to you; what you have told me to prefer; and your name in what was spent.",
    Scope.SESSION: "Everything that was said in this session is erased, by everybody, and my answers.",
    Scope.CHANNEL: "Everything that was said in this channel and its threads is erased, by everybody, and my answers; "
    "and what is set for the channel.",
}


def change(connection: Connection, desk: Desk) -> tuple[bool, str]:
    """Begins what was asked for a second time; whether it did, and what is said to it."""
    what, sure = desk.order.arguments["what"], "sure" in desk.order.arguments
    erasure = _erasure(desk, _SCOPES[what])
    if not sure:
        known = erasures.find(connection, erasure)
        if known is not None and not known.is_done:
            gone = accounts.listed(known.counts) or "nothing yet"
            return False, f"I am at it. Gone so far: {gone}. For what was said since, say `!forget {what} yes` again."
        return False, f"{_ASKED[erasure.scope]} It can't be undone. If that is what you want, say `!forget {what} yes`."
    erasures.begin(connection, erasure)
    return True, "I am forgetting it now, and say here when it is done, and what I could not erase."


def _erasure(desk: Desk, scope: Scope) -> Erasure:
    """What was said before this command is to be forgotten; what is said behind it is a new beginning."""
    address = desk.key.address
    subject = {
        Scope.PERSON: desk.asker.id,
        Scope.SESSION: address.id,
        Scope.CHANNEL: address.channel_address.id,
    }
    asked = Asked(session=desk.key.session, seq=desk.turn.seq, author=desk.asker.id)
    before = micro(desk.turn.at)
    return Erasure(workspace=desk.key.workspace, scope=scope, subject=subject[scope], before=before, asked=asked)
