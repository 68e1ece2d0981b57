"""Periods: days, weeks and months by a workspace's zone. A day is its number from 1970 on."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.policy import Period

_FIRST = date(1970, 1, 1)


def day(at: float, zone: str) -> int:
    """The day that it is there at this moment."""
    return (datetime.fromtimestamp(at, ZoneInfo(zone)).date() - _FIRST).days


def began(period: Period, today: int) -> int:
    """The first day of the day, the week (from Monday on) or the month that it is."""
    here = _FIRST + timedelta(days=today)
    match period:
        case "week":
            return today - here.weekday()
        case "month":
            return today - here.day + 1
        case _:
            return today


def running(at: float) -> int:
    """The first day of all periods that may be running at this moment, whatever the zone."""
    yesterday = int(at // 86_400) - 1
    return min(began("week", yesterday), began("month", yesterday))


def following(period: Period, today: int) -> int:
    """The first day of the next one; of what is counted by the minute, that it is today."""
    first = _FIRST + timedelta(days=began(period, today))
    match period:
        case "minute":
            return today
        case "month":
            return ((first + timedelta(days=32)).replace(day=1) - _FIRST).days
        case _:
            return (first - _FIRST).days + (7 if period == "week" else 1)


def ends(period: Period, today: int, zone: str) -> datetime:
    """When the next one begins."""
    return begins(following(period, today), zone)


def begins(day: int, zone: str) -> datetime:
    """When a day begins there."""
    first = _FIRST + timedelta(days=day)
    return datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(zone))
