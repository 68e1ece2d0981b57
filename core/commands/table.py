"""The table of commands, once: every surface (slash commands, `!verb`, `@bot verb`, shortcuts, manifests) follows
from it. Pure data, and how it is read and written; what a command does is in `deeds`.

A command's arguments are one line of text, wherever they come from: words, of which one that holds spaces is put in
double quotes, and a last one that may be all the rest.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import Enum, Flag, auto

from core.access import Deed
from core.policy import SETTINGS
from core.seam.messages import Audience, Inbound
from core.session import Preferences


class Shown(Flag):
    """Where people find a command."""

    HELP = auto()  # in the list that `help` gives
    SLASH = auto()  # among the platform's own commands
    MENU = auto()  # in the menu of a message, where the platform has such menus
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
    """

    name: str
    help: str
    optional: bool = False
    rest: bool = False
    named: bool = False
    values: tuple[str, ...] = ()
    flag: bool = False

    @property
    def usage(self) -> str:
        """How it is said: `NAME`, `since SINCE`, `[DURATION]`, `[workspace]`."""
        if self.flag:
            return f"[{self.name}]"
        said = "|".join(self.values) if 0 < len(self.values) <= _FEW else self.name.upper()
        said = f"{self.name} {said}" if self.named else said
        return f"[{said}]" if self.optional else said


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A message with a verb. `help` is one line of at most 100 characters; a `private` answer is for the asker.

    `deed` is what `core.access` is asked about before it is done; without one, everyone may. `at_once` commands don't
    queue behind a running answer. `anywhere` says that no session is needed.
    """

    name: str
    help: str
    parameters: tuple[Parameter, ...] = ()
    deed: Deed | None = None
    shown: Shown = Shown.LISTS
    private: bool = False
    at_once: bool = False
    anywhere: bool = False
    cost: Cost = Cost.NOTHING

    @property
    def usage(self) -> str:
        """The command as it is said, with its parameters."""
        return " ".join((self.name, *(parameter.usage for parameter in self.parameters)))


_FEW = 4  # values that a usage lists

Table = Mapping[str, Command]
"""Commands by their names."""


def _table(*commands: Command) -> Table:
    return {command.name: command for command in commands}


_WORKSPACE = Parameter(name="workspace", help="For all of the workspace, not for this channel alone", flag=True)
_NAME = Parameter(name="name", help="Which setting", values=tuple(SETTINGS))

COMMANDS = _table(
    Command(
        name="reset",
        help="Start afresh: I set aside what was said so far; undo brings it back",
        deed=Deed.RESET,
        shown=Shown.LISTS | Shown.MENU,
    ),
    Command(name="undo", help="Take the last reset back, or where none is left, the last undo", deed=Deed.RESET),
    Command(
        name="summarize",
        help="Post a summary of this session so far",
        shown=Shown.LISTS | Shown.MENU,
        cost=Cost.MODEL,
    ),
    Command(name="status", help="Show what I remember here, and which model answers", private=True, at_once=True),
    Command(
        name="stop", help="Stop the answer that I am writing; what is on screen stays", deed=Deed.STOP, at_once=True
    ),
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
        at_once=True,
        anywhere=True,
    ),
    Command(
        name="unset",
        help="Take back what is set for this channel, or for all of the workspace",
        parameters=(_WORKSPACE, _NAME),
        deed=Deed.SET,
        at_once=True,
        anywhere=True,
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


def find(verb: str, table: Table = COMMANDS) -> Command:
    """The command with this name, or the one that says that there is none."""
    return table.get(verb, UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A message that is a command: its verb, which need not be one that we know, and the line of its arguments."""

    verb: str
    line: str = field(default="", repr=False)


def parse(message: Inbound, table: Table = COMMANDS) -> Given | None:
    """The command that a message gives, in whatever form; None for talk.

    `!verb` counts wherever it is read, a bare verb only when the bot is mentioned and nothing is said behind it but
    what the command takes. A word that is not a known command is talk, unless the platform says that it is a command.
    """
    if message.verb is not None:
        return Given(verb=message.verb.lower(), line=message.text.strip())
    first, *rest = message.text.split(maxsplit=1) or [""]
    word, line = first.lower(), "".join(rest).strip()
    if word.startswith(("!", "/")) and word[1:] in table:
        return Given(verb=word[1:], line=line)
    if message.audience is not Audience.BOT or word not in table:
        return None
    return Given(verb=word, line=line) if fits(table[word], line) else None


class Misfit(ValueError):
    """These are no arguments of the command; the message says in a sentence what is wrong."""


def fits(command: Command, line: str) -> bool:
    """Whether this is what the command takes, and nothing else."""
    try:
        arguments(command, line)
    except Misfit:
        return False
    return bool(command.parameters) or not line


def arguments(command: Command, line: str) -> Mapping[str, str]:
    """The arguments in a line, by the names of their parameters; a command that takes none may be followed by anything.

    Raises Misfit.
    """
    if not command.parameters:
        return {}
    found, left = dict[str, str](), line.strip()
    for parameter in command.parameters:
        value, left = _taken(command, parameter, left)
        if value is not None:
            found[parameter.name] = value
    if left:
        raise Misfit(f"I don't understand `{_plain(left)}` here. Say `{command.usage}`.")
    return found


def line_of(command: Command, given: Mapping[str, str]) -> str:
    """The line in which these arguments are said: `arguments` reads them out of it again.

    What a command is given that takes nothing is said as it is.
    """
    if not command.parameters:
        return " ".join(given.values()).strip()
    said = [_said(parameter, given[parameter.name]) for parameter in command.parameters if parameter.name in given]
    return " ".join(said)


def _taken(command: Command, parameter: Parameter, line: str) -> tuple[str | None, str]:
    """This parameter's argument, None where there is none, and what is left of the line."""
    left = line
    if parameter.flag:
        word, left = _word(line)
        return (parameter.name, left) if word.lower() == parameter.name else (None, line)
    if parameter.named:
        word, left = _word(line)
        if word.lower() != parameter.name:
            left = ""
    if not left:
        if not parameter.optional:
            raise Misfit(f"I miss {parameter.usage}. Say `{command.usage}`.")
        return None, line
    if parameter.rest:
        return _unquoted(left), ""
    value, left = _word(left)
    if parameter.values and value.lower() not in parameter.values:
        raise Misfit(f"`{_plain(value)}` is none of {', '.join(parameter.values)}. Say `{command.usage}`.")
    return value.lower() if parameter.values else value, left


_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"(?=\s|$)|(\S+)', re.DOTALL)


def _word(line: str) -> tuple[str, str]:
    """The first word of a line, and the rest."""
    found = _WORD.match(line)
    if found is None:
        return "", ""
    word = found[2] if found[1] is None else re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL)
    return word, line[found.end() :].strip()


def _unquoted(rest: str) -> str:
    """All the rest, which is one word in quotes or is taken as it is."""
    word, more = _word(rest)
    return rest if more or not rest.startswith('"') else word


def _said(parameter: Parameter, value: str) -> str:
    if parameter.flag:
        return parameter.name
    whole = value == value.strip() if parameter.rest else value.split() == [value]
    said = value if value and whole and not value.startswith('"') else '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'
    return f"{parameter.name} {said}" if parameter.named else said


def _plain(words: str) -> str:
    """What somebody said, as it can be quoted in a line."""
    said = " ".join(words.replace("`", "'").split())
    return said if len(said) <= 60 else f"{said[:59]}…"
