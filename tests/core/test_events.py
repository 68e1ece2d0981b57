"""Events: what happened is told once, in its order, without a word of what people wrote."""

from dataclasses import fields
from typing import get_args, get_type_hints

from structlog.testing import capture_logs

from core import events, journal
from core.events import Answered, Deleted, Edited, Event, Events, GaveUp
from core.seam.address import Address
from core.seam.messages import Closed
from core.seam.messages import Deleted as TakenBack
from core.seam.messages import Edited as Changed
from core.store import Database
from tests.script import house
from tests.values import HERE, message

ASKED = Answered(address=HERE, seq=1, command=None, seconds=1.26)


def test_every_subscriber_is_told_whatever_another_makes_of_it() -> None:
    heard: list[Event] = []

    def clumsy(_event: Event) -> None:
        raise KeyError("what people wrote")

    with capture_logs() as logs:
        Events(clumsy, heard.append).tell(ASKED)

    assert heard == [ASKED]
    assert [(line["event"], line["error"]) for line in logs] == [("event not taken", "KeyError")]


def test_an_event_has_no_room_for_words() -> None:
    """Its facts are addresses, numbers, yes or no, and strings that are IDs or names of ours."""
    names = {"message", "command", "platform", "workspace"}
    for kind in get_args(events.Event):
        hints = get_type_hints(kind)
        for fact in fields(kind):
            assert hints[fact.name] in (Address, int, float, bool) or fact.name in names, (kind, fact.name)


def test_the_log_has_the_lines_that_people_rely_on() -> None:
    tell = Events(journal.note).tell
    with capture_logs() as logs:
        tell(ASKED)
        tell(GaveUp(address=HERE, seq=1, attempts=5, deaths=0))
        tell(Edited(address=HERE, message="m1"))
        tell(Deleted(address=HERE, message="m1"))
        tell(events.Closed(address=HERE, waiting=2, gone=False))
        tell(events.Left(platform="p", workspace="w", closed=3, waiting=1))
        tell(events.Skipped(address=HERE, messages=4))

    here = {"session": HERE.id}
    assert logs == [
        {"event": "answered", "log_level": "info", "command": None, "seconds": 1.3, **here},
        {"event": "given up", "log_level": "error", "attempts": 5, "deaths": 0, **here},
        {"event": "edited", "log_level": "info", **here},
        {"event": "deleted", "log_level": "info", **here},
        {"event": "closed", "log_level": "info", "waiting": 2, "kept": "words", **here},
        {
            "event": "removed from a workspace",
            "log_level": "warning",
            "platform": "p",
            "workspace": "w",
            "closed": 3,
            "waiting": 1,
            "kept": "what was said there, until you delete it",
        },
        {"event": "skipped", "log_level": "warning", "messages": 4, **here},
    ]


async def test_a_conversation_is_told_in_the_order_in_which_it_happens(database: Database) -> None:
    with capture_logs() as logs:
        async with house(database) as running:
            asked = message()
            await running.say(asked)
            await running.answered("You said: hello")
            await running.say(message("!status"))
            await running.adapter.until(lambda: len(running.adapter.texts) == 2)
            await running.over()
            await running.unserved()
            await running.say(Changed(message=message("hi", id=asked.id), at=asked.at + 1))
            await running.say(TakenBack(address=HERE, id=asked.id), Closed(address=HERE, gone=False))

    known = {"accepted", "answered", "edited", "deleted", "closed"}
    told = [(line["event"], line.get("command")) for line in logs if line["event"] in known]
    assert told == [
        ("accepted", None),
        ("answered", None),
        ("accepted", None),
        ("answered", "status"),
        ("edited", None),
        ("deleted", None),
        ("closed", None),
    ]
