"""Whose words the command line is about: what `--user`, `--session`, `--channel` and `--workspace` name."""

from dataclasses import dataclass
from typing import Annotated

import typer

from bots.program.doors import Platform
from core.errors import ConfigurationError
from core.seam.address import Address, AddressError
from core.store import Connection, erasures
from core.store.erasures import Scope

User = Annotated[
    str | None,
    typer.Option(metavar="ID", help="A person, as PLATFORM:WORKSPACE:USER; or USER alone, in every workspace."),
]
Session = Annotated[
    str | None, typer.Option(metavar="ID", help="A session, as the log names it: PLATFORM:WORKSPACE:CHANNEL[:THREAD].")
]
Channel = Annotated[
    str | None, typer.Option(metavar="ID", help="A channel with all its threads: PLATFORM:WORKSPACE:CHANNEL.")
]
Workspace = Annotated[str | None, typer.Option(metavar="ID", help="A whole workspace: PLATFORM:WORKSPACE.")]

_USER_PARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is named: a person of a workspace, or of each where that is None; a session, a channel, or a workspace."""

    scope: Scope
    id: str
    platform: str | None = None
    workspace: str | None = None


def subject(
    *,
    user: str | None,
    session: str | None,
    channel: str | None = None,
    workspace: str | None = None,
    places: bool = True,
) -> Subject:
    """What the options name, of which there must be one; those for `places` may not be offered at all.

    Raises ConfigurationError.
    """
    given = {"--user": user, "--session": session, "--channel": channel, "--workspace": workspace}
    options = list(given) if places else ["--user", "--session"]
    named = {option: value for option, value in given.items() if value is not None}
    if len(named) != 1:
        raise ConfigurationError(f"name what it is about, by one of {', '.join(options)}")
    ((option, value),) = named.items()
    match option:
        case "--user":
            return person(value)
        case "--session":
            return _place(Scope.SESSION, option, value)
        case "--channel":
            return _place(Scope.CHANNEL, option, value)
        case _:
            found = of_workspace(option, value)
            return Subject(scope=Scope.WORKSPACE, id="", platform=found.platform, workspace=found.workspace)


def workspaces(connection: Connection, named: Subject) -> list[tuple[str, str]]:
    """The known workspaces in which it may be, by their platforms and names. One without a name is the platform's own,
    where nobody says anything.
    """
    return [one for one in erasures.workspaces_with(connection, named.platform, named.workspace) if one[1]]


def person(value: str) -> Subject:
    """The person whom `--user` names, who is not found by a mention or among blanks. Raises ConfigurationError."""
    value = value.strip()
    if not value:
        raise ConfigurationError("--user: no ID is given")
    if value.startswith(("@", "<")):
        raise ConfigurationError(f"--user: {value!r} is no ID: name the ID alone, such as U012AB3CD")
    if ":" not in value:
        return Subject(scope=Scope.PERSON, id=value)
    if value.count(":") != _USER_PARTS - 1:
        raise ConfigurationError(f"--user: {value!r} is neither PLATFORM:WORKSPACE:USER nor a USER alone")
    address = parsed("--user", value)
    return Subject(scope=Scope.PERSON, id=address.channel, platform=address.platform, workspace=address.workspace)


def _place(scope: Scope, option: str, said: str) -> Subject:
    address = parsed(option, said)
    if scope is Scope.CHANNEL and address.thread is not None:
        raise ConfigurationError(f"{option}: {said!r} is a thread of a channel: name it by --session")
    return Subject(scope=scope, id=address.id, platform=address.platform, workspace=address.workspace)


def of_workspace(option: str, said: str) -> Address:
    """An address in the workspace that an option names. What names more, a channel of it, does not mean all of it.

    Raises ConfigurationError.
    """
    if said.count(":") != 1:
        raise ConfigurationError(f"{option}: {said!r} is no PLATFORM:WORKSPACE")
    return parsed(option, said, f"{said}:")


def parsed(option: str, said: str, written: str | None = None) -> Address:
    """The address that an option names by what was `said`, `written` out as a whole one: no part of it may be empty.

    Raises ConfigurationError.
    """
    try:
        address = Address.parse(said if written is None else written)
    except AddressError as error:
        raise ConfigurationError(f"{option}: {error}") from error
    if address.platform not in set(Platform):
        raise ConfigurationError(f"{option}: {address.platform!r} is none of {', '.join(Platform)}")
    if "" in said.split(":"):
        raise ConfigurationError(f"{option}: an ID is missing in {said!r}")
    return address
