"""What is typed reaches the core: in order, once, from anything that can be standard input."""

import asyncio
import os
import pty
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bots.console import ConsoleAdapter
from core.errors import DatabaseUnreachable
from core.seam.messages import Inbound, Rejected
from tests.bots.console.conftest import Desk, reply_to


async def test_every_line_is_a_message_with_an_id_of_its_own(desk: Desk) -> None:
    async with desk.open():
        await desk.says("one", "two", "/reset now")
    assert [(message.id, message.text, message.verb) for message in desk.heard] == [
        ("p-1", "one", None),
        ("p-2", "two", None),
        ("p-3", "now", "reset"),
    ]
    assert {message.author.name for message in desk.heard} == {"Ada"}
    assert {message.at for message in desk.heard} == {1_700_000_000.5}


async def test_ids_of_two_processes_differ() -> None:
    prefixes = {ConsoleAdapter(sys.__stdin__)._prefix for _ in range(20)}
    assert len(prefixes) == 20


async def test_blank_lines_are_no_messages(desk: Desk) -> None:
    async with desk.open():
        desk.keyboard.type("\n \t\nhello\n")
        assert (await desk.hears(1)).text == "hello"


async def test_a_thread_is_another_conversation_and_one_can_go_back(desk: Desk) -> None:
    async with desk.open():
        await desk.says("here", "/thread my plan: b", "there", "/thread", "back")
        assert desk.shown.endswith("You are in the main conversation.\n> \n")
    assert [message.address.id for message in desk.heard] == [
        "console:local:main",
        "console:local:main:my%20plan%3A%20b",
        "console:local:main",
    ]
    assert "You are in the conversation my plan: b." in desk.shown
    assert "You are in the main conversation." in desk.shown
    assert "my plan: b> " in desk.shown


@pytest.mark.parametrize("line", ["/quit", "/exit", " /QUIT "])
async def test_a_person_leaves_by_saying_so(desk: Desk, line: str) -> None:
    async with desk.open():
        desk.keyboard.type(f"hello\n{line}\nnever\n")
        await desk.ends()
    assert [message.text for message in desk.heard] == ["hello"]


async def test_a_person_leaves_with_ctrl_d_though_an_answer_is_due(desk: Desk) -> None:
    async with desk.open():
        await desk.says("hello")
        desk.keyboard.end()
        await desk.ends()


async def test_what_could_not_be_stored_is_sent_again_as_the_same_message(desk: Desk) -> None:
    desk.failures = [DatabaseUnreachable("away"), OSError("away")]
    async with desk.open():
        await desk.says("hello")
        await desk.says("more")
    assert [(message.id, message.text) for message in desk.heard] == [("p-1", "hello"), ("p-2", "more")]
    assert "could not be stored (OSError)" in desk.shown


async def test_a_pipe_is_read_one_answered_line_at_a_time(pipe: Desk) -> None:
    async with pipe.open():
        pipe.keyboard.type("one\ntwo\n")
        pipe.keyboard.end()
        one = await pipe.hears(1)
        await pipe.adapter.deliver(reply_to(None, "late answer", key="k0", address=one.address))
        await pipe.adapter.deliver(reply_to(one, "part 1", key="k1", last=False))
        assert len(pipe.heard) == 1
        await pipe.adapter.deliver(reply_to(one, "part 2", key="k2", part=1))
        two = await pipe.hears(2)
        assert pipe.listening is not None
        assert not pipe.listening.done()
        await pipe.adapter.deliver(reply_to(two, "answer", key="k3"))
        await pipe.ends()
    assert pipe.shown == "late answer\npart 1\npart 2\nanswer\n"


async def test_a_line_may_be_answered_before_receive_returns(pipe: Desk) -> None:
    async def receive(event: Inbound | Rejected) -> None:
        assert isinstance(event, Inbound)
        await pipe.adapter.deliver(reply_to(event, event.text.upper(), key=event.id))

    pipe.keyboard.type("one\ntwo\n")
    pipe.keyboard.end()
    async with asyncio.timeout(5):
        await pipe.adapter.listen(receive)
    assert pipe.shown == "ONE\nTWO\n"


async def test_lines_arrive_whole_however_they_are_cut_and_ended(pipe: Desk) -> None:
    async def receive(event: Inbound | Rejected) -> None:
        await pipe.receive(event)
        assert isinstance(event, Inbound)
        await pipe.adapter.deliver(reply_to(event, "ok", key=event.id))

    listening = asyncio.create_task(pipe.adapter.listen(receive))
    euro = "€".encode()
    os.write(pipe.keyboard._in, b"half of " + euro[:1])
    os.write(pipe.keyboard._in, euro[1:] + b"\r\nnot \xff UTF-8\nno end")
    pipe.keyboard.end()
    async with asyncio.timeout(5):
        await listening
    assert [message.text for message in pipe.heard] == ["half of €", "not \ufffd UTF-8", "no end"]


async def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("one\n/thread side\ntwo\n", encoding="utf-8")
    out, heard = StringIO(), []
    with script.open(encoding="utf-8") as source:
        adapter = ConsoleAdapter(source, Console(file=out))

        async def receive(event: Inbound | Rejected) -> None:
            assert isinstance(event, Inbound)
            heard.append(event.address.thread)
            await adapter.deliver(reply_to(event, event.text, key=event.id))

        async with asyncio.timeout(5):
            await adapter.listen(receive)
        await adapter.close()
    assert heard == [None, "side"]
    assert out.getvalue() == "one\ntwo\n", "a file is not a person: no greeting and no prompt"


async def test_a_terminal_is_a_person_and_ctrl_d_ends_it() -> None:
    master, slave = pty.openpty()
    out, heard = StringIO(), asyncio.Queue[str]()
    with os.fdopen(slave, encoding="utf-8") as source:
        adapter = ConsoleAdapter(source, Console(file=out, force_terminal=True))

        async def receive(event: Inbound | Rejected) -> None:
            assert isinstance(event, Inbound)
            await heard.put(event.text)

        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(adapter.listen(receive))
            os.write(master, b"hello\n")
            assert await heard.get() == "hello"
            os.write(master, b"\x04")
        await adapter.close()
    os.close(master)
    assert "/help lists commands" in out.getvalue()


async def test_nothing_waits_while_a_person_thinks(desk: Desk) -> None:
    async with desk.open():
        for _ in range(50):
            await asyncio.sleep(0)
        assert desk.listening is not None
        desk.listening.cancel()
        async with asyncio.timeout(1):
            await asyncio.wait([desk.listening])
        assert desk.listening.cancelled()


def test_a_program_ends_though_a_person_is_still_thinking() -> None:
    program = (
        "import asyncio\n"
        "from bots.console import ConsoleAdapter\n"
        "async def main():\n"
        "    adapter = ConsoleAdapter(interactive=True)\n"
        "    listening = asyncio.create_task(adapter.listen(print))\n"
        "    await asyncio.sleep(0.05)\n"
        "    listening.cancel()\n"
        "    await asyncio.wait([listening])\n"
        "    await adapter.close()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.wait(timeout=10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
