"""Previews by themselves: what becomes of a call about which nobody asks any more."""

import asyncio
import gc
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from core.delivery.office import Office
from core.delivery.previews import Previews
from core.errors import LeaseLost
from core.session import Kind, Lease, Progress, Role, SessionKey, Turn, Validity
from core.store import Database
from core.timings import Timings
from tests.script import TranscriptAdapter
from tests.values import HERE

LEASE = Lease(key=SessionKey(workspace=1, session=1, address=HERE), fence=1, attempts=1, backscroll_read=True)

QUESTION = Turn(
    seq=1,
    role=Role.PERSON,
    kind=Kind.SAID,
    progress=Progress.WAITING,
    validity=Validity.STANDS,
    text="well?",
    tokens=1,
    at=0.0,
    message="m1",
)


class Taken:
    """A database in which somebody else holds the session, as comes out as soon as it answers."""

    def __init__(self) -> None:
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    async def write(self, *_: object) -> None:
        self.asked.set()
        await self.answers.wait()
        raise LeaseLost(HERE.id)


@pytest.mark.parametrize("ends", [True, False])
async def test_a_preview_that_fails_when_nobody_waits_for_it_is_no_more_than_a_line(*, ends: bool) -> None:
    """Whoever waited for it has gone, be it to look for its end, or because the process stops."""
    unheard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    database = Taken()
    office = Office(
        database=cast("Database", database), adapters={HERE.platform: TranscriptAdapter()}, timings=Timings(), count=len
    )
    previews = Previews(office, LEASE, QUESTION)
    with capture_logs() as logs:
        showing = asyncio.create_task(previews.show(0, "Well"))
        await database.asked.wait()
        showing.cancel()
        await asyncio.wait([showing])
        database.answers.set()
        await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})
        if ends:
            await previews.end()
        del previews
        gc.collect()

    assert unheard == []
    assert [(one["event"], one["error"]) for one in logs] == [("preview failed", "LeaseLost")]
