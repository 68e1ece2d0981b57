"""The console as the tests see it: one person who types into a pipe, and a screen that is remembered."""

import os
from dataclasses import replace
from io import StringIO
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console

from bots.console.adapter import MAIN, ConsoleAdapter, listed
from core.seam.adapter import Adapter, Receive
from core.seam.messages import Draft, Inbound, Rejected, Reply
from tests.stage import Shown, Stage


class Keyboard:
    """A pipe that is typed into at one end."""

    def __init__(self) -> None:
        out, self._in = os.pipe()
        self.source: TextIO = os.fdopen(out, encoding="utf-8")

    def type(self, text: str) -> None:
        os.write(self._in, text.encode())

    def end(self) -> None:
        """Ctrl-D."""
        if self._in >= 0:
            os.close(self._in)
            self._in = -1

    def close(self) -> None:
        self.end()
        self.source.close()


class ConsoleStage(Stage):
    """Everybody types at the one keyboard, and is "local". Every start of an adapter is a process with its own pipe."""

    platform = "console"
    admins = "everyone"
    lasts = overhears = starts = False

    def __init__(self, *, interactive: bool = True) -> None:
        super().__init__()
        self.heard: dict[str, Inbound] = {}
        self.screen = StringIO()
        self._interactive = interactive
        self._keyboards: list[Keyboard] = []
        self._taken = True  # the newest keyboard, by an adapter
        self._there, self._said = "main", 0
        self._seen: dict[str, list[Shown]] = {}
        self._watched: _Watched | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for keyboard in self._keyboards:
            keyboard.close()

    def environment(self) -> dict[str, str]:
        """A process of its own is driven through its standard input; there is nothing to set."""
        return {}

    def adapter(self) -> Adapter:
        if self._taken:
            self._start()
        self._taken = True
        self.screen = StringIO()
        self._watched = _Watched(
            self, self._keyboards[-1], self.screen, interactive=self._interactive, prefix=self._process
        )
        return self._watched

    def _start(self) -> None:
        """A process begins its life, and may be typed to before it looks."""
        self._keyboards.append(Keyboard())
        self._taken = False
        self._there, self._said = "main", 0

    @property
    def _process(self) -> str:
        return f"process{len(self._keyboards)}"

    def session(self, place: str) -> str:
        return replace(MAIN, thread=None if place == "main" else place).id

    async def say(self, text: str, *, place: str = "main", author: str = "ada", to_bot: bool = True) -> str:
        self._line(text, place)
        await self.change()
        self._said += 1
        return f"{self._process}-{self._said}"

    async def command(self, verb: str, *, place: str = "main", author: str = "ada") -> None:
        await self.say(f"/{verb}", place=place, author=author)

    async def again(self, message: str) -> None:
        """A console sends nothing twice by itself, so that its adapter is made to."""
        await self.until(lambda: message in self.heard)
        assert self._watched is not None
        assert self._watched.receive is not None
        await self._watched.receive(self.heard[message])

    def end(self) -> None:
        """Ctrl-D."""
        self._keyboards[-1].end()

    def shown(self, place: str = "main") -> list[Shown]:
        return self._seen.get(self.session(place), [])

    def _line(self, text: str, place: str) -> None:
        assert "\n" not in text, "a line is a message"
        if self._taken and (self._watched is None or self._watched.over):
            self._start()
        if place != self._there:
            self._there = place
            self._keyboards[-1].type(f"/thread {'' if place == 'main' else place}\n")
        self._keyboards[-1].type(f"{text}\n")

    async def see(self, reply: Reply, message: str, text: str, *, done: bool, written: bool) -> None:
        """What a call has left on screen: the same message grown, or, if it was done before, one more."""
        seen = self._seen.setdefault(reply.address.id, [])
        old = next((one for one in seen if one.id == message), None)
        now = Shown(id=message, text=text, reply_to=reply.reply_to, done=done)
        if old is None or (old.done and written):
            seen.append(now)
        elif not old.done:
            seen[seen.index(old)] = replace(now, edits=old.edits + (old.text != text))
        await self.change()


class _Watched(ConsoleAdapter):
    """The adapter as it is, with everything that passes through noted."""

    def __init__(
        self, stage: ConsoleStage, keyboard: Keyboard, screen: StringIO, *, interactive: bool, prefix: str
    ) -> None:
        super().__init__(
            keyboard.source, Console(file=screen), interactive=interactive, name="ada", prefix=prefix, pause=0.01
        )
        self.receive: Receive | None = None
        self.over = False
        self._stage, self._out = stage, screen

    async def listen(self, receive: Receive) -> None:
        async def noted(event: Inbound | Rejected) -> None:
            await receive(event)
            if isinstance(event, Inbound):
                self._stage.heard[event.id] = event
            await self._stage.change()

        self.receive = receive
        try:
            await super().listen(noted)
        finally:
            self.over = True

    async def preview(self, reply: Reply) -> Draft | None:
        draft = await super().preview(reply)
        if draft is not None:
            await self._stage.see(reply, draft.id, draft.text, done=False, written=False)
        return draft

    async def deliver(self, reply: Reply) -> str:
        before, text = self._out.tell(), listed(reply)
        message = await super().deliver(reply)
        written = self._out.getvalue()[before:]
        await self._stage.see(reply, message, text, done=True, written=text in written)
        return message
