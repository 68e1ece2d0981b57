"""What Discord would never tell, or so one thinks: it is kept, the connection stands, and what comes next is heard."""

import json
from typing import Any

import pytest

from core.seam.messages import Inbound, Rejected
from tests.bots.discord.conftest import Listener
from tests.wire.discord import DiscordStage

DEEP = "[" * 20_000 + "]" * 20_000


async def tell(stage: DiscordStage, frame: str) -> None:
    """A frame of the gateway's, exactly as given."""
    (session,) = stage.gateway.connected
    assert session.socket is not None
    await session.socket.write(frame)


async def hears_on(stage: DiscordStage, ear: Listener) -> None:
    await stage.say("still here?", place="another")
    await stage.until(lambda: [one for one in ear.heard if isinstance(one, Inbound) and one.text == "still here?"])
    assert len(stage.gateway.identified) == 1
    assert stage.gateway.resumed == 0


@pytest.mark.parametrize(
    "frame", ["{", "[]" * 3, f'{{"op": 0, "t": "MESSAGE_CREATE", "s": 90, "d": {DEEP}}}', DEEP, "7 7"]
)
async def test_a_frame_that_nobody_can_read_ends_nothing(stage: DiscordStage, ear: Listener, frame: str) -> None:
    await tell(stage, frame)

    await hears_on(stage, ear)


@pytest.mark.parametrize(
    "event",
    [
        "MESSAGE_CREATE",
        "MESSAGE_DELETE",
        "MESSAGE_DELETE_BULK",
        "THREAD_DELETE",
        "CHANNEL_DELETE",
        "INTERACTION_CREATE",
    ],
)
@pytest.mark.parametrize("told", [[], "text", 7, None, {"id": "5"}, {"channel_id": "9" * 5_000, "id": "5", "ids": 7}])
async def test_an_event_of_any_shape_is_kept(stage: DiscordStage, ear: Listener, event: str, told: object) -> None:
    await tell(stage, json.dumps({"op": 0, "t": event, "s": 90, "d": told}))

    await hears_on(stage, ear)
    kept = [one for one in ear.heard if isinstance(one, Rejected)]
    assert kept or (event == "INTERACTION_CREATE" and isinstance(told, dict)), (
        "one of no type that we know is no command"
    )
    for one in kept:
        json.loads(one.payload)


async def test_a_command_that_is_told_twice_is_one(stage: DiscordStage, ear: Listener) -> None:
    payload = stage.interaction("status", await stage.place("main"), "ada")
    for _ in range(3):
        await stage.gateway.dispatch("INTERACTION_CREATE", payload)

    await stage.until(lambda: len(ear.heard) == 3)
    assert len({one.id for one in ear.heard if isinstance(one, Inbound)}) == 1
    await hears_on(stage, ear)


@pytest.mark.parametrize("token", [7, None, [], "", "../../channels/1/messages", "a b", "x" * 5_000, "\ud800"])
async def test_what_is_no_token_becomes_part_of_no_address(stage: DiscordStage, ear: Listener, token: Any) -> None:
    payload = stage.interaction("status", await stage.place("main"), "ada") | {"token": token}
    await stage.gateway.dispatch("INTERACTION_CREATE", payload)

    await hears_on(stage, ear)
    assert [type(one) for one in ear.heard] == [Rejected, Inbound]
    assert not stage.world.asked("callback$")


async def test_a_server_that_has_lost_the_role_of_everybody_is_heard_on(stage: DiscordStage, ear: Listener) -> None:
    server = stage.world.guild
    await stage.gateway.dispatch("GUILD_ROLE_DELETE", {"guild_id": server, "role_id": server})

    await hears_on(stage, ear)
    assert [one.public for one in ear.heard if isinstance(one, Inbound)] == [None]
