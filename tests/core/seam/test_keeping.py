"""What was heard is offered until it is stored, and what never was is named by its ID alone."""

import pytest
from structlog.testing import capture_logs

from core.seam.address import Address
from core.seam.keeping import Keeper
from core.seam.messages import Author, Closed, Deleted, Draft, Edited, Event, Inbound, Left, Receipt, Rejected

HERE = Address(platform="telegraph", workspace="w", channel="c")
SAID = Inbound(address=HERE, id="1", author=Author(id="u", name="Ada"), text="a secret", at=1.0)

EVENTS: list[tuple[Event, str]] = [
    (SAID, "1"),
    (Edited(message=SAID, at=2.0), "1"),
    (Deleted(address=HERE, id="1"), "1"),
    (Closed(address=HERE, gone=True), HERE.id),
    (Left(platform="telegraph", workspace="w"), "w"),
    (Receipt(address=HERE, key="k", shown=Draft(id="2", text="a secret")), "2"),
    (Rejected(platform="telegraph", id="3", reason="unreadable", payload="a secret"), "3"),
]


class Memory:
    """A `receive` that fails so many times, and the pauses meanwhile."""

    def __init__(self, failures: int) -> None:
        self.failures, self.stored, self.paused = failures, list[Event](), list[float]()

    async def receive(self, event: Event) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("a secret")
        self.stored.append(event)

    async def pause(self, seconds: float) -> None:
        self.paused.append(seconds)


def kept_by(memory: Memory, *pauses: float) -> Keeper:
    return Keeper(memory.receive, platform="telegraph", pauses=pauses, pause=memory.pause)


async def test_an_event_is_offered_until_it_is_stored() -> None:
    memory = Memory(failures=2)
    assert await kept_by(memory, 1.0, 2.0, 4.0).keep(SAID)
    assert memory.stored == [SAID]
    assert memory.paused == [1.0, 2.0]


@pytest.mark.parametrize(("event", "name"), EVENTS, ids=[type(event).__name__ for event, _ in EVENTS])
async def test_what_was_never_stored_is_logged_by_its_id_and_without_its_words(event: Event, name: str) -> None:
    memory = Memory(failures=2)
    with capture_logs() as logs:
        assert not await kept_by(memory, 1.0, 2.0).keep(event)
    assert not memory.stored
    assert [(line["event"], line["id"], line["platform"]) for line in logs] == [
        ("not stored", name, "telegraph"),
        ("not stored", name, "telegraph"),
        ("events lost", name, "telegraph"),
    ]
    assert "secret" not in str(logs)
