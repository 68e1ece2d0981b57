"""What the bot says is on screen: once, whole, and for a person as it grows."""

import asyncio
import errno
from io import StringIO

import pytest
from rich.console import Console

from bots.console import ConsoleAdapter
from core.errors import DeliveryUnknown, PlatformError
from core.seam.messages import Choice, Draft, Inbound
from tests.bots.console.conftest import Desk, Made, reply_to
from tests.wire.console import Keyboard


async def test_a_person_is_greeted_and_asked(desk: Desk) -> None:
    async with desk.open():
        message = await desk.says("hello")
        await desk.adapter.deliver(reply_to(message, "Hello!"))
        assert desk.shown.endswith("Hello!\n> ")
    assert desk.shown.startswith("/help lists commands, ")
    assert "/quit or Ctrl-D leaves" in desk.shown


async def test_a_growing_answer_is_written_bit_by_bit(desk: Desk) -> None:
    async with desk.open():
        message = await desk.says("hello")
        before = desk.shown
        draft = None
        for text in ("It", "It grows", "It grows\n\nand grows"):
            draft = await desk.adapter.preview(reply_to(message, text, draft=draft, last=False))
            assert draft == Draft(id="k1", text=text)
            assert desk.shown == before + text
        assert await desk.adapter.deliver(reply_to(message, "It grows\n\nand grows.", draft=draft)) == "k1"
        assert desk.shown == before + "It grows\n\nand grows.\n> "


async def test_a_snapshot_that_is_not_longer_waits_for_the_delivery(desk: Desk) -> None:
    async with desk.open():
        message = await desk.says("hello")
        await desk.adapter.preview(reply_to(message, "It grows"))
        before = desk.shown
        assert await desk.adapter.preview(reply_to(message, "It shrinks")) == Draft(id="k1", text="It grows")
        assert desk.shown == before
        await desk.adapter.deliver(reply_to(message, "It has shrunk."))
        assert desk.shown == before + "\nIt has shrunk.\n> "


async def test_a_line_may_be_typed_while_an_answer_is_written(desk: Desk) -> None:
    async with desk.open():
        message = await desk.says("count")
        await desk.adapter.preview(reply_to(message, "one two"))
        before = desk.shown
        stop = await desk.says("/stop")
        assert desk.shown == before, "there is no prompt amid an answer"
        await desk.adapter.deliver(reply_to(stop, "Stopped.", key="k2"))
        await desk.adapter.deliver(reply_to(message, "one two three"))
        assert desk.shown == before + "Stopped.\n three\n> "


async def test_what_another_process_showed_is_written_again(desk: Desk) -> None:
    async with desk.open():
        await desk.adapter.preview(reply_to(None, "It grows", draft=Draft(id="k1", text="It")))
        assert desk.shown.endswith("It grows")


async def test_only_one_answer_grows_at_a_time_and_others_come_whole(desk: Desk) -> None:
    async with desk.open():
        slow = await desk.says("slow")
        quick = await desk.says("/thread side", "quick")
        await desk.adapter.preview(reply_to(slow, "slowly", key="k1"))
        assert await desk.adapter.preview(reply_to(quick, "quickly", key="k2")) is None
        await desk.adapter.deliver(reply_to(quick, "quickly done", key="k2"))
        await desk.adapter.deliver(reply_to(slow, "slowly done", key="k1"))
        assert desk.shown.endswith("In the main conversation:\nslowly\nquickly done\n done\nside> ")


async def test_an_answer_from_another_conversation_says_so(desk: Desk) -> None:
    async with desk.open():
        side = await desk.says("/thread side", "hello")
        await desk.says("/thread", "hello")
        await desk.adapter.deliver(reply_to(side, "Hello!"))
        assert desk.shown.endswith("In the conversation side:\nHello!\n> ")


async def test_a_second_part_may_grow_before_the_first_is_delivered(desk: Desk) -> None:
    async with desk.open():
        message = await desk.says("hello")
        before = desk.shown
        await desk.adapter.preview(reply_to(message, "first", key="k1", last=False))
        await desk.adapter.preview(reply_to(message, "sec", key="k2", last=False))
        await desk.adapter.deliver(reply_to(message, "first", key="k1", last=False))
        await desk.adapter.deliver(reply_to(message, "second", key="k2"))
        assert desk.shown == before + "first\nsec\nond\n> "


async def test_a_working_sign_is_wiped_away_by_the_answer(desk_of: Made) -> None:
    desk = desk_of(interactive=True, terminal=True)
    async with desk.open():
        message = await desk.says("hello")
        assert await desk.adapter.preview(reply_to(message, "")) is None
        assert await desk.adapter.preview(reply_to(message, "")) is None
        assert desk.shown.count("…") == 1
        await desk.adapter.deliver(reply_to(message, "Hello!"))
        assert "…\x1b[0m\r\x1b[2KHello!\n" in desk.shown


async def test_a_prompt_makes_room_for_what_comes_unasked(desk_of: Made) -> None:
    desk = desk_of(interactive=True, terminal=True)
    async with desk.open():
        await desk.says("hello")
        await desk.adapter.deliver(reply_to(desk.heard[0], "Hello!"))
        await desk.adapter.deliver(reply_to(None, "By the way!", key="k2"))
        assert desk.shown.endswith("> \x1b[0m\r\x1b[2KBy the way!\n\x1b[1m> \x1b[0m")


async def test_a_screen_that_is_no_terminal_gets_no_codes(desk: Desk) -> None:
    async with desk.open():
        message = await desk.says("hello")
        assert await desk.adapter.preview(reply_to(message, "")) is None
        await desk.adapter.deliver(reply_to(message, "Hello!"))
    assert "\x1b" not in desk.shown
    assert "…" not in desk.shown


async def test_a_script_gets_answers_and_nothing_else(pipe: Desk) -> None:
    async with pipe.open():
        pipe.keyboard.type("/thread side\nhello\n")
        message = await pipe.hears(1)
        assert await pipe.adapter.preview(reply_to(message, "He")) is None
        await pipe.adapter.deliver(reply_to(message, "Hello!\tYou.", private=True))
    assert pipe.shown == "Hello!\tYou.\n"


@pytest.mark.parametrize("interactive", [True, False])
async def test_the_same_delivery_twice_is_on_screen_once(desk_of: Made, *, interactive: bool) -> None:
    desk = desk_of(interactive=interactive)
    first = await desk.adapter.deliver(reply_to(None, "Hello!"))
    again = await desk.adapter.deliver(reply_to(None, "Hello!", attempt=2))
    assert first == again == "k1"
    assert await desk.adapter.preview(reply_to(None, "Hello! And")) is None
    assert desk.shown == "Hello!\n"


async def test_hints_of_any_kind_do_not_keep_a_reply_from_being_shown(pipe: Desk) -> None:
    choices = (Choice(label="one", verb="reset", address=reply_to(None, "").address),)
    draft = Draft(id="gone", text="something else")
    facts = {"draft": draft, "ticket": "expired", "private": True, "attempt": 7, "choices": choices}
    await pipe.adapter.deliver(reply_to(None, "Which?", **facts))
    assert pipe.shown == "Which?\n1. one\n"


class Full(StringIO):
    """A screen that takes nothing."""

    def write(self, text: str, /) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


async def test_a_screen_that_can_not_be_written_to_is_an_unknown_outcome() -> None:
    keyboard = Keyboard()
    adapter = ConsoleAdapter(keyboard.source, Console(file=Full()), interactive=False)
    with pytest.raises(DeliveryUnknown, match="No space left"):
        await adapter.deliver(reply_to(None, "Hello!"))
    keyboard.close()


@pytest.mark.parametrize("interactive", [False, True])
async def test_who_can_write_nothing_more_reads_nothing_more(*, interactive: bool) -> None:
    """Else whoever answers into a pipe that nobody reads would wait for ever."""
    keyboard, heard = Keyboard(), asyncio.Queue[Inbound]()
    adapter = ConsoleAdapter(keyboard.source, Console(file=Full()), interactive=interactive)
    listening = asyncio.create_task(adapter.listen(heard.put))  # type: ignore[arg-type]  # nothing else is said here
    keyboard.type("hello\nand?\n")
    if not interactive:
        with pytest.raises(DeliveryUnknown):
            await adapter.deliver(reply_to(await heard.get(), "Hello!"))
    with pytest.raises(PlatformError, match="can't write to the console: No space left on device"):
        await listening

    assert heard.empty()
    keyboard.close()
    await adapter.close()


async def test_the_doctor_finds_nothing_wrong(desk: Desk) -> None:
    (finding,) = tuple(await desk.adapter.examine())
    assert finding.ok
    assert finding.detail == "a terminal"


async def test_only_the_last_deliveries_are_remembered(desk: Desk) -> None:
    async with desk.open():
        message = await desk.says("hello")
        for number in range(1_000):
            await desk.adapter.deliver(reply_to(message, "x", key=f"k{number}"))
        before = desk.shown
        await desk.adapter.deliver(reply_to(message, "x", key="k999"))
        assert desk.shown == before
        await desk.adapter.deliver(reply_to(message, "x", key="k0"))
        assert len(desk.shown) > len(before)
