"""Lines: how a command and its arguments are read out of what people say, and written so that they are read again.

A command's arguments are one line of text, wherever they come from: words, of which one that holds spaces is put in
double quotes, and a last one that may be all the rest.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.commands import moments
from core.commands.table import COMMANDS, Command, Parameter, Table, find
from core.seam.forms import changed
from core.seam.links import secure
from core.seam.messages import Audience, Inbound


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
        verb, line = _joined(message.verb.lower(), message.text.strip(), table)
        return Given(verb=verb, line=line)
    first, *rest = message.text.split(maxsplit=1) or [""]
    word, line = _joined(first.lower(), "".join(rest).strip(), table)
    if word.startswith(("!", "/")) and word[1:] in table:
        return Given(verb=word[1:], line=line)
    if message.audience is not Audience.BOT or word not in table:
        return None
    return Given(verb=word, line=line) if fits(table[word], line) else None


def _joined(word: str, line: str, table: Table) -> tuple[str, str]:
    """The same, but where a name is said with spaces: its whole name, with what marks it, and what is behind it."""
    mark = word[: len(word) - len(word.lstrip("!/"))]
    for name in table:
        first, *others = name.split("-")
        words = line.split(maxsplit=len(others))
        if others and word == mark + first and [one.lower() for one in words[: len(others)]] == others:
            return mark + name, "".join(words[len(others) :])
    return word, line


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


def asks_for_form(verb: str, line: str, table: Table = COMMANDS) -> bool:
    """Whether this is a command that has a form, and is said alone, or with its flags."""
    command = find(verb, table)
    return command.form is not None and command.flags.issuperset(line.lower().split())


def filled(verb: str, line: str, held: Mapping[str, str], table: Table = COMMANDS) -> Mapping[str, Given]:
    """The commands that say what was changed in the form of this one, by its fields, which hold this by their IDs."""
    flags = {flag: flag for flag in line.lower().split()}
    return {name: _told(table[verb], flags | {"name": name}, value, table) for name, value in changed(held).items()}


def _told(command: Command, given: Mapping[str, str], value: str, table: Table) -> Given:
    if not value and command.form is not None:
        return Given(verb=command.form, line=line_of(table[command.form], given))
    return Given(verb=command.name, line=line_of(command, {**given, "value": value}))


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
    _require(command, parameter, left)
    if parameter.rest:
        return _unquoted(left), ""
    value, left = _word(left)
    if parameter.values and value.lower() not in parameter.values:
        raise Misfit(f"`{_plain(value)}` is none of {', '.join(parameter.values)}. Say `{command.usage}`.")
    return value.lower() if parameter.values else value, left


def _require(command: Command, parameter: Parameter, said: str) -> None:
    """Raises Misfit where this is not what the parameter is to be."""
    if parameter.link and secure(said) is None:
        raise Misfit(f"`{_plain(said)}` is no link to a message. Say `{command.usage}`.")
    if parameter.moment and not moments.is_known(_unquoted(said)):
        raise Misfit(f"I don't know when `{_plain(said)}` is: say {moments.RIGHT}.")
    if parameter.span and moments.while_(said) is None:
        raise Misfit(f"`{_plain(said)}` is no such while: say `30m` or `2h`, at most `24h`.")


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
