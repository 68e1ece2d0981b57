"""`backscroll settings`: what is set, and where; and what people have set can be taken back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import typer

from bots.program import subjects, wiring
from core.commands.settings import ORIGINS, listed
from core.config import Settings
from core.errors import ConfigurationError
from core.policy import SETTINGS, Level, Overrides
from core.seam.address import Address
from core.seam.printing import printable
from core.store import Database, policies

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """For what something is set: a channel, or the workspace of this address."""

    address: Address
    level: Level

    @property
    def name(self) -> str:
        """As it is stored."""
        return policies.WORKSPACE if self.level is Level.WORKSPACE else self.address.channel_address.id


def scope(channel: str | None, workspace: str | None) -> Scope | None:
    """What the options name; None for the deployment. Raises ConfigurationError."""
    if channel is not None and workspace is not None:
        raise ConfigurationError("--channel and --workspace: name one of them")
    if channel is not None:
        return Scope(address=subjects.parsed("--channel", channel), level=Level.CHANNEL)
    if workspace is not None:
        return Scope(address=subjects.of_workspace("--workspace", workspace), level=Level.WORKSPACE)
    return None


async def show(known: Settings, place: Scope | None) -> int:
    """Prints every effective value with where it comes from."""
    policy = known.policy
    if place is not None:
        policy = policy.under(await _with_database(known, lambda database: database.read(policies.at, place.address)))
    typer.echo(printable(listed(policy)))
    return 0


async def unset(known: Settings, place: Scope | None, name: str) -> int:
    """Takes back what people have set there, and prints what holds instead. Raises ConfigurationError."""
    if place is None:
        raise ConfigurationError("--unset: say where, by --channel or --workspace")
    if name not in SETTINGS:
        raise ConfigurationError(f"--unset: {name!r} is none of {', '.join(SETTINGS)}")
    was_set, overrides = await _with_database(known, lambda database: _taken_back(database, place, name))
    policy = known.policy.under(overrides)
    done = "is no longer set" if was_set else "was not set"
    typer.echo(printable(f"`{name}` {done} there: it is {policy.shown(name)} ({ORIGINS[policy.origin(name)]})."))
    return 0


async def _taken_back(database: Database, place: Scope, name: str) -> tuple[bool, Overrides]:
    was_set = await database.write(policies.take_back, place.address, place.name, name)
    return was_set, await database.read(policies.at, place.address)


async def _with_database(known: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    database = wiring.existing_database(known)
    try:
        await wiring.prepare(known, database)
        return await work(database)
    finally:
        await database.close()
