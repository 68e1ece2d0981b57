"""Standard output, as a person at a terminal sees it."""

from rich.console import Console
from rich.control import Control
from rich.segment import ControlType


class Screen:
    """What is written, and what stands at the cursor: nothing, a growing text, or a prompt that may be wiped away."""

    def __init__(self, console: Console) -> None:
        self._console, self.is_terminal = console, console.is_terminal
        self._fleeting, self._column_zero = False, True
        self._text_of: str | None = None

    def fresh(self) -> None:
        """The cursor stands at the beginning of an empty line."""
        if self._fleeting and self.is_terminal:
            self._console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))
        elif not self._column_zero:
            self._put("\n")
        self._fleeting, self._text_of, self._column_zero = False, None, True

    def typed(self) -> None:
        """The person has ended a line: the cursor is on the next, unless it was typed before the prompt came."""
        self._column_zero = not self._fleeting
        self.fresh()

    def write(self, text: str, *, of: str) -> None:
        """More of the text that is known as `of`; on a line of its own if something else was written meanwhile."""
        if self._text_of != of and text:
            self.fresh()
        self._put(text)
        if text:
            self._text_of, self._column_zero = of, text.endswith("\n")

    def note(self, text: str) -> None:
        """A line that is not the model's."""
        self.fresh()
        self._console.out(text, style="dim", highlight=False)

    def prompt(self, place: str) -> None:
        """Asks for a line."""
        self._pass(f"{place}> ", "bold")

    def working(self) -> None:
        """A sign that an answer is on its way; wiped away by the next that is written. Only for a person's eyes."""
        if self.is_terminal and self._column_zero:
            self._pass("…", "dim")

    def _pass(self, text: str, style: str) -> None:
        self.fresh()
        self._console.out(text, style=style, highlight=False, end="")
        self._fleeting, self._column_zero = True, False

    def _put(self, text: str) -> None:
        """As it is: Rich would turn tabs into spaces."""
        self._console.file.write(text)
        self._console.file.flush()
