"""Off the record, by command: when it begins and ends, and what people are told of it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from core.commands import moments
from core.commands.orders import Desk
from core.store import Connection, recorded, unrecorded
from core.store.engine.sql import micro, seconds

USUAL = timedelta(minutes=30)

_BEGUN = (
    "We are off the record here until {until}, all of us: I answer, but remember nothing of it, so that each question "
    "stands by itself, and I don't listen to what is not for me. What is on your screens stays there, and whoever runs "
    "my model reads what I am asked. `!on the record` ends it."
)


def begin(connection: Connection, desk: Desk) -> str:
    """From this command on, for as long as it says, talk is off the record; what is said to that."""
    while_ = moments.while_(desk.order.arguments.get("duration", "")) or USUAL
    since = micro(desk.turn.at)
    until = since + micro(while_.total_seconds())
    unrecorded.begin(connection, desk.key, desk.turn.seq, since=since, until=until)
    return _BEGUN.format(until=_told(until, desk))


def end(connection: Connection, desk: Desk) -> tuple[bool, str]:
    """From this command on talk is on the record; whether it was not, and what is said to it."""
    ended = unrecorded.end(connection, desk.key, desk.turn.seq, at=micro(desk.turn.at))
    return ended, unrecorded.OVER.strip("_") if ended else "We are on the record already."


def status(connection: Connection, desk: Desk) -> str:
    """That talk is off the record at this moment, and for how long; empty where it is not."""
    until = recorded.until(connection, desk.key, at=micro(desk.turn.at))
    return "" if until is None else f"\nWe are off the record until {_told(until, desk)}."


def _told(at: int, desk: Desk) -> str:
    return moments.told(datetime.fromtimestamp(seconds(at), ZoneInfo(desk.mind.policy.zone)))
