"""The table of commands, once: every surface (slash commands, `!verb`, `@bot verb`, shortcuts, manifests) follows
from it. Pure data: how a command is said is in `lines`, and what it does in `deeds`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum, Flag, auto

from core.access import Deed
from core.policy import SETTINGS
from core.session import Preferences


class Shown(Flag):
    """Where people find a command."""

    HELP = auto()  # in the list that `help` gives
    SLASH = auto()  # among the platform's own commands
    NOWHERE = 0
    LISTS = HELP | SLASH


class Cost(Enum):
    """What it takes to answer a command."""

    NOTHING = "nothing"
    MODEL = "a call of the model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """Something that is said behind a verb; `help` is one line of at most 100 characters.

    It is one word, or with `rest` all that is left of the line. One that is `named` stands behind its own name, as in
    `summarize since yesterday`. Where there are `values`, it is one of them. Those that are `optional`
    come last, and all but the last of them are `named`. A `flag` is its own name, or is not said: it comes first.
    A `link` is one to a message, a `moment` one of the past, a `span` a while from now on.
    """

    name: str
    help: str
    optional: bool = False
    rest: bool = False
    named: bool = False
    values: tuple[str, ...] = ()
    flag: bool = False
    link: bool = False
    moment: bool = False
    span: bool = False

    @property
    def usage(self) -> str:
        """How it is said: `NAME`, `since WHEN`, `[DURATION]`, `[workspace]`."""
        if self.flag:
            return f"[{self.name}]"
        word = "WHEN" if self.moment else self.name.upper()
        said = "|".join(self.values) if 0 < len(self.values) <= _FEW else word
        said = f"{self.name} {said}" if self.named else said
        return f"[{said}]" if self.optional else said


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A message with a verb, whose hyphens may be said as spaces. `help` is one line of at most 100 characters; a
    `private` answer is for the asker.

    `deed` is what `core.access` is asked about before it is done; without one, everyone may. What is `own` is about the
    asker alone, who always may, unless it is given a flag. `at_once` commands don't
    queue behind a running answer. `anywhere` says that no session is needed. In the menus of messages, where a platform
    has them, it goes by its `menu`, of at most 24 characters, or is not there. Said alone, one that has a form asks for
    it: `form` is the command that takes back what was emptied there. The audit is told of
    those that are `recorded`, and of all that are refused.
    """

    name: str
    help: str
    parameters: tuple[Parameter, ...] = ()
    deed: Deed | None = None
    own: bool = False
    shown: Shown = Shown.LISTS
    menu: str | None = None
    form: str | None = None
    private: bool = False
    at_once: bool = False
    anywhere: bool = False
    recorded: bool = False
    cost: Cost = Cost.NOTHING

    @property
    def link(self) -> Parameter | None:
        """The parameter that is a link to a message: chosen in that message's menu, the command is given the link."""
        return next((one for one in self.parameters if one.link), None)

    @property
    def flags(self) -> frozenset[str]:
        """The names of its flags."""
        return frozenset(one.name for one in self.parameters if one.flag)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields of its form: one for each value of its first parameter that has some."""
        return next((one.values for one in self.parameters if one.values and self.form is not None), ())

    @property
    def usage(self) -> str:
        """The command as it is said, with its parameters."""
        return " ".join((self.said, *(parameter.usage for parameter in self.parameters)))

    @property
    def said(self) -> str:
        """Its name, as people say it."""
        return self.name.replace("-", " ")


_FEW = 4  # values that a usage lists

Table = Mapping[str, Command]
"""Commands by their names."""


def _table(*commands: Command) -> Table:
    return {command.name: command for command in commands}


_WORKSPACE = Parameter(name="workspace", help="For all of the workspace, not for this channel alone", flag=True)
_LINK = Parameter(name="link", help="The link to one of my answers here", optional=True, rest=True, link=True)
_SINCE = Parameter(
    name="since",
    help="From when on: a date, yesterday, a weekday, 2h, 3d, or my last visit",
    optional=True,
    rest=True,
    named=True,
    moment=True,
)
_OF_SESSION = Parameter(
    name="what", help="For admins: of all that was said in this session", values=("session",), optional=True
)
_NAME = Parameter(name="name", help="Which setting", values=tuple(SETTINGS))

COMMANDS = _table(
    Command(
        name="reset",
        help="Start afresh: I set aside what was said so far; undo brings it back",
        deed=Deed.RESET,
        menu="Reset session",
        recorded=True,
    ),
    Command(
        name="undo",
        help="Take the last reset back, or where none is left, the last undo",
        deed=Deed.RESET,
        recorded=True,
    ),
    Command(
        name="summarize",
        help="Post a summary of this session so far, or of what was said since a certain moment",
        parameters=(_SINCE,),
        deed=Deed.READ,
        menu="Summarize session",
        cost=Cost.MODEL,
    ),
    Command(
        name="status",
        help="Show what I remember here, and which model answers",
        deed=Deed.READ,
        private=True,
        at_once=True,
    ),
    Command(
        name="context",
        help="Show what my model is shown, part by part; or what it was shown for one of my answers",
        parameters=(_LINK,),
        deed=Deed.READ,
        menu="What was shown for this",
        private=True,
        at_once=True,
        recorded=True,
    ),
    Command(
        name="usage",
        help="Show what you have used of the model, and of your budget; or all of the channel, or workspace",
        parameters=(
            Parameter(name="channel", help="What all in this channel have used", flag=True),
            Parameter(name="workspace", help="What all in the workspace have used", flag=True),
        ),
        deed=Deed.USAGE,
        own=True,
        private=True,
        at_once=True,
        anywhere=True,
    ),
    Command(
        name="stop", help="Stop the answer that I am writing; what is on screen stays", deed=Deed.STOP, at_once=True
    ),
    Command(
        name="off-the-record",
        help="Remember nothing of what is said here for a while, 30m if you don't say how long",
        parameters=(Parameter(name="duration", help="How long: 30m, 2h, at most 24h", optional=True, span=True),),
        at_once=True,
        recorded=True,
    ),
    Command(name="on-the-record", help="End that: remember what is said from now on", at_once=True, recorded=True),
    Command(
        name="settings",
        help="Show what is set here, and where it comes from",
        private=True,
        at_once=True,
        anywhere=True,
    ),
    Command(
        name="set",
        help="Set something for this channel, or for all of the workspace",
        parameters=(_WORKSPACE, _NAME, Parameter(name="value", help="What it is to be", rest=True)),
        deed=Deed.SET,
        form="unset",
        at_once=True,
        anywhere=True,
        recorded=True,
    ),
    Command(
        name="unset",
        help="Take back what is set for this channel, or for all of the workspace",
        parameters=(_WORKSPACE, _NAME),
        deed=Deed.SET,
        at_once=True,
        anywhere=True,
        recorded=True,
    ),
    Command(
        name="prefer",
        help="Tell me how you wish to be answered; without a value, take that back",
        parameters=(
            Parameter(
                name="name", help="What you have a wish about", values=tuple(one.name for one in fields(Preferences))
            ),
            Parameter(name="value", help="What you wish for; nothing takes it back", optional=True, rest=True),
        ),
        form="prefer",
        private=True,
        anywhere=True,
    ),
    Command(
        name="preferences",
        help="Show you, and nobody else, what you have told me to prefer",
        private=True,
        at_once=True,
        anywhere=True,
    ),
    Command(
        name="export",
        help="Show what I have stored of you in this session, or of all of it",
        parameters=(_OF_SESSION,),
        deed=Deed.EXPORT,
        own=True,
        private=True,
        at_once=True,
        recorded=True,
    ),
    Command(
        name="forget",
        help="Erase all that you have said, or all that was said in this session or channel",
        parameters=(
            Parameter(name="what", help="Whose words", values=("me", "session", "channel")),
            Parameter(name="sure", help="Without it, I ask whether you are sure", values=("yes",), optional=True),
        ),
        deed=Deed.FORGET,
        own=True,
        private=True,
        at_once=True,
        anywhere=True,
        recorded=True,
    ),
    Command(name="help", help="List these commands", private=True, at_once=True, anywhere=True),
)

UNKNOWN = Command(
    name="unknown",
    help="Say that there is no such command",
    shown=Shown.NOWHERE,
    private=True,
    at_once=True,
    anywhere=True,
)


NOT_ADMITTED = Command(
    name="not admitted",
    help="Say why somebody is not talked with; nobody can say this",
    shown=Shown.NOWHERE,
    private=True,
    at_once=True,
    anywhere=True,
)
"""What is said by somebody who is not talked with, in the place of their words: it has our own for its line."""


def find(verb: str, table: Table = COMMANDS) -> Command:
    """The command with this name, or the one that says that there is none."""
    return NOT_ADMITTED if verb == NOT_ADMITTED.name else table.get(verb, UNKNOWN)
