"""What is coming up: the turns that a session's holder goes on with, and what is set for them by now."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from core.policy import NOTHING, Overrides
from core.session import SessionKey, Turn
from core.store import policies
from core.store.engine.prepared import Prepared
from core.store.turns import all_waiting, first_of, place, quoting, waiting_turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """The first of the turns that wait, and what is set for their session."""

    waiting: Sequence[Turn]
    overrides: Overrides = NOTHING


def next_waiting(connection: Connection, key: SessionKey, most: int) -> Next:
    """The same turns as `turns.first_waiting`, and what is set for them, in one statement; nothing where none waits."""
    here = {**place(key), "channel": key.address.channel_address.id}
    found = _NEXT_WAITING.each(connection, partial(_under, key), **here, most=most)
    if not found:
        return Next(waiting=())
    _, *settings = found[0]
    return Next(
        waiting=quoting(connection, key, [turn for turn, *_ in found]),
        overrides=policies.opened(key.workspace, key.address, *settings),
    )


def _under(
    key: SessionKey,
    in_workspace: str | None,
    in_channel: str | None,
    begun: object,
    preferred: bytes | None,
    *columns: object,
) -> tuple[Turn, str | None, str | None]:
    return waiting_turn(key, begun, preferred, *columns), in_workspace, in_channel


_NEXT_WAITING = Prepared(lambda _: first_of(all_waiting(*policies.SET_HERE)), _under)
