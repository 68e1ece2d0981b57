"""Orders: commands that somebody has given, and what each has before it when it is done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.access import GRANTED, Access, Deed, Permission
from core.commands.lines import Misfit, arguments, asks_for_form
from core.commands.table import Command, Cost, find
from core.memory.mind import Mind
from core.memory.prompts import SUMMARIZE
from core.seam.forms import Form
from core.seam.links import Linked
from core.seam.messages import Author, Chart, Choice
from core.session import SessionKey, Turn
from core.store.audit import Outcome

PROMPTS: Mapping[str, Callable[[Mapping[str, str]], str]] = {"summarize": lambda _arguments: SUMMARIZE}
"""What the model is asked for each of the others, by the command's arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command that somebody has given: which one, by which turn, and in which session it is to be done.

    A turn that is a command has the line of its arguments for a text.
    """

    key: SessionKey
    turn: Turn
    command: Command

    @property
    def is_vague(self) -> bool:
        """Whether nobody can know which session this command is for: then its asker is asked, in private."""
        return self.turn.slip.vague and not self.command.anywhere

    @property
    def is_private(self) -> bool:
        """Whether what is said to it is for the asker alone."""
        return self.command.private or self.is_vague or self.asks_for_form or self.turn.slip.private

    @property
    def asks_for_form(self) -> bool:
        """Whether its asker wants to fill in what they have not said."""
        return asks_for_form(self.command.name, self.turn.text)

    @property
    def arguments(self) -> Mapping[str, str]:
        """What it was given, by the names of its parameters. Raises Misfit."""
        return arguments(self.command, self.turn.text)

    @property
    def deed(self) -> Deed | None:
        """What `core.access` is asked about before it is done; None where everyone may, or it is about oneself."""
        if self.misfit is not None:
            return self.command.deed
        given = self.arguments
        if self.command.deed is Deed.SET and given["name"] == "may_set":
            return Deed.HAND_OVER
        is_own = self.command.own and not self.command.flags & given.keys() and given.get("what", "me") == "me"
        return None if is_own else self.command.deed

    @property
    def link(self) -> str | None:
        """The link to a message that it was given; None without one. Arguments that don't fit have none."""
        link = self.command.link
        return None if link is None or self.misfit is not None else self.arguments.get(link.name)

    @property
    def since(self) -> str | None:
        """From when on what was said counts for it, in its asker's words; None for all."""
        return self.arguments.get("since")

    @property
    def is_for_workspace(self) -> bool:
        """Whether it is about all of the workspace. One whose arguments don't fit is about nothing."""
        if self.asks_for_form:
            return "workspace" in self.turn.text.lower().split()
        return self.misfit is None and "workspace" in self.arguments

    @property
    def misfit(self) -> str | None:
        """What is wrong with its arguments, in a sentence; None where they fit."""
        try:
            arguments(self.command, self.turn.text)
        except Misfit as wrong:
            return str(wrong)
        return None

    @property
    def is_for_the_model(self) -> bool:
        """Whether the model is to answer it: it can be done, and takes more than a deed."""
        return self.command.cost is Cost.MODEL and not self.is_vague and self.misfit is None

    @property
    def prompt(self) -> str:
        """What the model is asked in the place of a command that is for it."""
        return PROMPTS[self.command.name](self.arguments)


def order(key: SessionKey, turn: Turn) -> Order | None:
    """The command that a turn is; None where it is talk."""
    return None if turn.verb is None else Order(key=key, turn=turn, command=find(turn.verb))


def named(turn: Turn) -> str | None:
    """The name in the table of the command that a turn is; None where it is talk."""
    return None if turn.verb is None else find(turn.verb).name


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a command has before it: the order, what people may do, and what answers in this session.

    `deployed` is what would answer if nothing was set for the session, `now` when it is done, which may be long after
    it was said. `linked` is the message that its link leads to.
    """

    order: Order
    access: Access
    mind: Mind
    deployed: Mind
    now: float
    linked: Linked | None = None

    @property
    def key(self) -> SessionKey:
        """The session that the command is for."""
        return self.order.key

    @property
    def turn(self) -> Turn:
        """The command's own turn."""
        return self.order.turn

    @property
    def asker(self) -> Author:
        """Who gave the command."""
        assert self.turn.author is not None  # noqa: S101 – every person's turn has one
        return self.turn.author

    def may(self, turn: Turn) -> Permission:
        """Whether whoever gave the command may do what it does to this turn."""
        deed = self.order.deed
        return GRANTED if deed is None else self.access.may(self.turn.author, deed, turn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A command's answer, what the asker may choose from, what may be pressed beneath it, the form that it is where
    there are forms, and the seq before which an answer was stopped.

    A `chart` shows the same as some of its words. `outcome` is what the audit is told; None where nothing was done.
    """

    text: str
    outcome: Outcome | None = Outcome.DONE
    choices: tuple[Choice, ...] = ()
    chart: Chart | None = None
    buttons: tuple[Choice, ...] = ()
    form: Form | None = None
    stopped: int | None = None

    @property
    def is_denial(self) -> bool:
        """Whether it says why something was not done: for the asker alone, whatever the command is."""
        return self.outcome is Outcome.DENIED
