"""Events: what happened is told once, in its order, without a word of what people wrote."""

import ast
import asyncio
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints

from sqlalchemy import Connection, update
from structlog.testing import capture_logs

from core import events, journal
from core.errors import DeliveryRefused
from core.events import Answered, Deleted, Edited, Event, Events, GaveUp
from core.schema import sessions
from core.seam.address import Address
from core.seam.messages import Closed
from core.seam.messages import Deleted as TakenBack
from core.seam.messages import Edited as Changed
from core.session import ATTEMPTS
from core.store import Database
from tests.core.delivery.test_notices import LONG, tell
from tests.script import Fault, House, TranscriptAdapter, expire, house
from tests.values import HERE, message

CORE = Path(events.__file__).parent
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
    names = {"message", "command", "platform", "workspace", "reason"}
    for kind in get_args(events.Event):
        hints = get_type_hints(kind)
        for fact in fields(kind):
            assert hints[fact.name] in (Address, int, float, bool) or fact.name in names, (kind, fact.name)


def test_the_log_has_the_lines_that_people_rely_on() -> None:
    tell = Events(journal.note).tell
    with capture_logs() as logs:
        tell(ASKED)
        tell(events.Delivered(address=HERE, seq=1, command=None, seconds=1.31))
        tell(GaveUp(address=HERE, seq=1, attempts=5, deaths=0))
        tell(Edited(address=HERE, message="m1"))
        tell(Deleted(address=HERE, message="m1"))
        tell(events.Closed(address=HERE, waiting=2, gone=False))
        tell(events.TimedOut(address=HERE, seconds=86_400.4))
        tell(events.Woken(address=HERE, seconds=90_000.2, late=True))
        tell(events.Left(platform="p", workspace="w", closed=3, waiting=1))
        tell(events.Skipped(address=HERE, messages=4))

    here = {"session": HERE.id}
    assert logs == [
        {"event": "answered", "log_level": "info", "command": None, "seconds": 1.3, **here},
        {"event": "delivered", "log_level": "debug", "command": None, "seconds": 1.3, **here},
        {"event": "given up", "log_level": "error", "attempts": 5, "deaths": 0, **here},
        {"event": "edited", "log_level": "info", **here},
        {"event": "deleted", "log_level": "info", **here},
        {"event": "closed", "log_level": "info", "waiting": 2, "kept": "words", **here},
        {"event": "session timed out", "log_level": "debug", "seconds": 86_400, **here},
        {"event": "woken", "log_level": "info", "seconds": 90_000, "late": True, **here},
        {
            "event": "removed from a workspace",
            "log_level": "warning",
            "platform": "p",
            "workspace": "w",
            "closed": 3,
            "waiting": 1,
            "kept": "nothing: what was said there is being erased",
        },
        {"event": "skipped", "log_level": "warning", "messages": 4, **here},
    ]


def test_each_event_is_told_from_one_place() -> None:
    """And every one of them is: so whoever counts one knows what is counted."""
    places = {kind.__name__: 0 for kind in get_args(events.Event)}
    for path in CORE.rglob("*.py"):
        calls = [one for one in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(one, ast.Call)]
        for call in calls:
            if ast.unparse(call.func).endswith("_events.tell"):
                (event,) = call.args
                assert isinstance(event, ast.Call), f"{path.name} tells what it has not made"
                places[ast.unparse(event.func).rpartition(".")[2]] += 1

    assert set(places.values()) == {1}, places


def told(running: House) -> list[tuple[str, int]]:
    """What became of which turn."""
    return [(type(one).__name__, one.seq) for one in running.told if isinstance(one, events.OfTurns)]


def of(seq: int, *kinds: str) -> list[tuple[str, int]]:
    return [(kind, seq) for kind in kinds]


async def test_each_step_of_a_conversation_is_told_once(database: Database) -> None:
    """Of a question, a long answer, a command, a notice, a reply that is refused, and a question that fails."""
    adapter = TranscriptAdapter(max_text=18)
    failing = [KeyError("what people wrote")] * ATTEMPTS
    with capture_logs():  # to draw a traceback takes longer than a turn
        async with house(database, "yes", LONG, "no", *failing, adapter=adapter) as running:
            for text in ("short", "long", "!reset"):
                await running.say(message(text))
                await running.over()
            await tell(running)
            await running.over()
            adapter.faults.append(Fault(error=DeliveryRefused("the thread is locked")))
            for text in ("refused", "fails"):
                await running.say(message(text))
                await running.over()
            await running.unserved()

    assert told(running) == [
        *of(1, "Accepted", "Answered", "Delivered"),
        *of(2, "Accepted", "Answered", "Delivered"),
        *of(3, "Accepted", "Answered", "Delivered"),
        *of(4, "Answered", "Delivered"),
        *of(5, "Accepted", "Answered", "Refused"),
        *of(6, "Accepted", "Answered", "Delivered", "GaveUp"),
    ]
    commands = [one.command for one in running.told if isinstance(one, events.Delivered)]
    assert commands == [None, None, "reset", "notice", None]


async def test_what_is_begun_by_one_process_and_ended_by_another_is_told_by_who_is_certain(database: Database) -> None:
    """The first one's lease is over when it sees its call return: whoever holds the session then ends the turn."""
    adapter = TranscriptAdapter()
    adapter.hold_delivery = asyncio.Event()

    def claim(connection: Connection) -> None:
        connection.execute(update(sessions).values(fence=sessions.c.fence + 1, owner="heir"))

    async with house(database, adapter=adapter) as slow:
        await slow.say(message())
        await adapter.until(lambda: adapter.delivered)
        await database.write(claim)
        adapter.hold_delivery.set()
        await slow.unserved()
    await database.write(expire)
    async with house(database, adapter=adapter, owner="host:boot:2:b") as heir:
        await heir.answered("You said: hello")
        await heir.unserved()

    assert told(slow) == of(1, "Accepted", "Answered")
    assert told(heir) == of(1, "Delivered")
    assert len(adapter.delivered) == 1


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

    known = {"accepted", "answered", "delivered", "edited", "deleted", "closed"}
    told = [(line["event"], line.get("command")) for line in logs if line["event"] in known]
    assert told == [
        ("accepted", None),
        ("answered", None),
        ("delivered", None),
        ("accepted", None),
        ("answered", "status"),
        ("delivered", "status"),
        ("edited", None),
        ("deleted", None),
        ("closed", None),
    ]
