"""A long answer is composed beside the event loop, and cut only where it has grown."""

import threading

from core.session import Role
from core.store import Database
from tests.script import House, ScriptedModel, TranscriptAdapter, memory
from tests.values import message

LINE = "- an item of a list\n"
LONG = LINE * 1_000


class Watched(TranscriptAdapter):
    """Knows in which threads which lengths were rendered."""

    def __init__(self) -> None:
        super().__init__(max_text=2_000)
        self.rendered: list[tuple[int, bool]] = []

    def render(self, text: str) -> str:
        self.rendered.append((len(text), threading.current_thread() is threading.main_thread()))
        return text


async def test_a_long_answer_holds_up_nobody(database: Database) -> None:
    adapter = Watched()
    async with House(database, ScriptedModel([LONG[:10_000], LONG[10_000:]], "short"), adapter) as running:
        await running.say(message("a list"))
        await running.over()
        await running.say(message("and?"))
        await running.over()

    assert "".join(adapter.texts[:-1]).replace("\n", "") == LONG.replace("\n", "")
    assert (await memory(database))[1] == (Role.ASSISTANT.name.lower(), LONG)
    assert {on_loop for length, on_loop in adapter.rendered if length > 4_000} == {False}
    assert (len("short"), True) in adapter.rendered, "a thread would cost more than it is worth"
