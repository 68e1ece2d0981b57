"""The console's adapter: one person at a terminal, or a script through a pipe.

It is also the worked example for a third platform. What every adapter has is here, and in this order:

* pure translation on top: `translate` turns the platform's event into an `Inbound`, `printable` renders outgoing text;
* the adapter below: `listen` waits for events and hands each to `receive` before it goes on (promise 1);
  `preview` shows a growing answer, and skips what the platform can't show; `deliver` always ends with the text on
  screen, once for each key (promise 4), and returns an ID;
* `from_settings` at the end: how the adapter is made of the settings.

How a terminal is read and written stands beside it, in `lines` and `screen`. A richer platform has more of each and
nothing else. What the console lacks, its core does not notice: whispers are plain, choices are a list, and the only
search for what is on screen already is in this process's memory.

A person at a terminal is greeted, is shown answers as they grow, and may type on meanwhile (`/stop`). From a pipe comes
one line at a time: the next is read when the one before is answered, so that the answers come out in order.
"""

import sys
from asyncio import Event, sleep
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from getpass import getuser
from itertools import count
from re import compile as pattern
from secrets import token_hex
from time import time
from typing import TextIO

from rich.console import Console

from bots.console.lines import Lines
from bots.console.screen import Screen
from core.config import Settings
from core.errors import DeliveryUnknown, PlatformError
from core.seam.adapter import Adapter, Finding, Receive
from core.seam.address import Address
from core.seam.cache import Recent
from core.seam.messages import Author, Draft, Inbound, Reply
from core.seam.printing import printable

MAIN = Address(platform="console", workspace="local", channel="main")
GREETING = "/help lists commands, /thread NAME starts or goes back to another conversation, /quit or Ctrl-D leaves."

_REMEMBERED = 300
"""Keys of the last deliveries; one that is repeated is repeated soon."""

_VERB = pattern(r"/([A-Za-z][\w-]*)(?:\s+(.*))?")


def verb_of(line: str) -> tuple[str | None, str]:
    """The verb of `/verb arguments`, and the arguments; without one, none and the whole line. `/etc/hosts` is talk."""
    found = _VERB.fullmatch(line.strip())
    return (found[1].lower(), found[2] or "") if found else (None, line.strip())


def translate(line: str, *, address: Address, id: str, author: Author, at: float) -> Inbound:  # noqa: A002 – our word
    """The line in our words: a command when it begins with a slash; `!verb` is for the core to find."""
    verb, text = verb_of(line)
    return Inbound(address=address, id=id, author=author, text=text, at=at, direct=True, verb=verb, reply_to=id)


def place_of(address: Address) -> str:
    """What a conversation is called."""
    return "the main conversation" if address.thread is None else f"the conversation {printable(address.thread)}"


def listed(reply: Reply) -> str:
    """What is shown of a reply: the text, and its choices as a numbered list."""
    choices = [f"{number}. {printable(choice.label)}" for number, choice in enumerate(reply.choices, 1)]
    return "\n".join([reply.text, *choices])


class ConsoleAdapter(Adapter):
    """One person at standard input and output, or at whatever streams are given.

    `source` needs a file descriptor: a terminal, a pipe, a file. `name` is the person's; `prefix` makes the IDs of this
    process's messages its own. `pause` is how long to wait, in seconds, before a line is offered again that could not
    be stored.
    """

    platform = "console"
    max_text = 100_000
    preview_every = 0.05
    rings = False
    shared = False

    def __init__(
        self,
        source: TextIO | None = None,
        screen: Console | None = None,
        *,
        interactive: bool | None = None,
        name: str = "you",
        prefix: str = "",
        clock: Callable[[], float] = time,
        pause: float = 1.0,
    ) -> None:
        source, self._screen = source or sys.stdin, Screen(screen or Console(highlight=False))
        is_person = source is not None and source.isatty() and self._screen.is_terminal
        self._interactive = is_person if interactive is None else interactive
        self._lines = Lines(source)
        self._author = Author(id="local", name=name)
        self._prefix, self._numbers = prefix or token_hex(4), count(1)
        self._clock, self._pause = clock, pause
        self._address, self._listening = MAIN, False
        self._broken: OSError | None = None  # why nothing can be written any more
        self._awaited: str | None = None
        self._answered = Event()  # what was said last; set, too, while nothing has been
        self._answered.set()
        self._growing: Address | None = None
        self._shown: dict[str, str] = {}
        self._delivered: Recent[None] = Recent(_REMEMBERED)

    async def listen(self, receive: Receive) -> None:
        """Hands on each line, in a pipe until the last is answered; PlatformError where nothing can be written."""
        self._listening = True
        try:
            if self._interactive:
                self._screen.note(GREETING)
            while (line := await self._line()) is not None:
                await self._hear(line, receive)
        except OSError as error:
            raise PlatformError(f"can't write to the console: {error.strerror}") from error
        finally:
            self._listening = False
            with suppress(OSError):
                self._screen.fresh()

    async def _line(self) -> str | None:
        """The next line; None at the end of input, or when the person leaves."""
        if self._answered.is_set():
            self._prompt()
        line = await self._lines.next()
        if self._interactive and line is not None:
            self._screen.typed()
        return None if line is None or verb_of(line)[0] in {"quit", "exit"} else line

    async def _hear(self, line: str, receive: Receive) -> None:
        verb, name = verb_of(line)
        if verb == "thread":
            self._address = replace(MAIN, thread=name or None)
            self._answered.set()  # nothing is waited for in this conversation
            if self._interactive:
                self._screen.note(f"You are in {place_of(self._address)}.")
        elif line.strip():
            id_ = f"{self._prefix}-{next(self._numbers)}"
            message = translate(line, address=self._address, id=id_, author=self._author, at=self._clock())
            await self._offer(message, receive)

    async def _offer(self, message: Inbound, receive: Receive) -> None:
        """Promise 1: what could not be stored is sent again, which other platforms do by themselves."""
        self._awaited = message.id
        self._answered.clear()
        while True:
            try:
                await receive(message)
                break
            except Exception as error:  # noqa: BLE001 – whatever went wrong, the line must not be lost
                self._screen.note(f"This could not be stored ({type(error).__name__}); trying again.")
                await sleep(self._pause)
        if not self._interactive:
            await self._answered.wait()
        if self._broken is not None:
            raise self._broken

    async def is_admin(self, address: Address, person: str, *, workspace: bool) -> bool:
        """See Adapter: whoever sits at the console runs the program."""
        return True

    async def preview(self, reply: Reply) -> Draft | None:
        """Writes what is not on screen yet. Only one answer grows at a time: others come whole, when delivered."""
        if not self._interactive or reply.key in self._delivered:
            return reply.draft
        if not reply.text:
            self._screen.working()
            return reply.draft
        if self._growing not in (None, reply.address):
            return reply.draft
        shown = self._shown.get(reply.key, "")
        if not reply.text.startswith(shown):
            return Draft(id=reply.key, text=shown)
        self._say(reply, reply.text[len(shown) :], begins=not shown)
        self._growing, self._shown[reply.key] = reply.address, reply.text
        return Draft(id=reply.key, text=reply.text)

    async def deliver(self, reply: Reply) -> str:
        """Writes the reply, or the rest of it, unless this process has lately done so; its key is its ID."""
        if reply.key not in self._delivered:
            try:
                self._finish(reply)
            except OSError as error:
                self._broken = error
                self._answered.set()  # who waits for it will not see it
                raise DeliveryUnknown(f"can't write to the console: {error.strerror}") from error
        if reply.last and reply.reply_to == self._awaited:
            self._answered.set()
        return reply.key

    def _finish(self, reply: Reply) -> None:
        text, shown = listed(reply), self._shown.pop(reply.key, "")
        rest = text.removeprefix(shown)
        if rest == text:
            self._screen.fresh()
        self._say(reply, rest, begins=rest == text)
        self._screen.fresh()
        self._growing = None if shown else self._growing
        self._delivered.note(reply.key, None)
        if reply.last:
            self._prompt()

    def _prompt(self) -> None:
        if self._interactive and self._listening and self._growing is None:
            self._screen.prompt(printable(self._address.thread or ""))

    def _say(self, reply: Reply, text: str, *, begins: bool) -> None:
        """Writes this much of a reply, and in which conversation if it is not the one on screen."""
        if begins and self._interactive and reply.address != self._address:
            self._screen.note(f"In {place_of(reply.address)}:")
        self._screen.write(text, of=reply.key)

    def render(self, text: str) -> str:
        """Markdown as it is written: a terminal shows it well enough, and it can be copied."""
        return printable(text)

    async def examine(self) -> Sequence[Finding]:
        """There is nothing to set, and so nothing to go wrong."""
        return (Finding(subject="console", ok=True, detail="a terminal" if self._interactive else "not a terminal"),)

    async def close(self) -> None:
        """Lets go of the thread that reads, unless it is reading."""
        self._lines.close()


def from_settings(_settings: Settings) -> ConsoleAdapter:
    """An adapter for whoever is at this terminal, by their name on this machine."""
    with suppress(OSError, KeyError):  # a process may run as a user who has no name
        return ConsoleAdapter(name=getuser())
    return ConsoleAdapter()
