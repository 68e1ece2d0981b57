"""`backscroll export`: what is stored of a person or a session, on standard output."""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated

import typer

from bots.program import subjects, wiring
from bots.program.forgetting import NothingThere
from bots.program.subjects import Subject
from core.commands import exports
from core.commands.exports import Item
from core.config import Settings
from core.seam.address import Address
from core.seam.printing import printable
from core.session import SessionKey
from core.store import Database, audit, exporting, places, preferences
from core.store.bodies import Mine
from core.store.erasures import Scope
from core.store.workspaces import workspace_of


class Form(StrEnum):
    """In what form it is written."""

    JSON = "json"
    MARKDOWN = "markdown"


Format = Annotated[Form, typer.Option("--format", help="Lines of JSON for programs, or Markdown to read.")]


_SESSION, _PERSON = f"export {Scope.SESSION}", f"export {Scope.PERSON}"
"""What is recorded, before anything is read."""


async def export(known: Settings, named: Subject, form: Form) -> int:
    """Prints all of it. Raises NothingThere."""
    database = wiring.existing_database(known)
    try:
        await wiring.prepare(known, database)
        found = False
        async for record in _records(database, named):
            found = True
            typer.echo(exports.line(record) if form is Form.JSON else printable(f"{exports.markdown(record)}\n"))
        if not found:
            raise NothingThere
    finally:
        await database.close()
    return 0


async def _records(database: Database, named: Subject) -> AsyncIterator[Item]:
    if named.scope is Scope.SESSION:
        found = await database.read(places.find, Address.parse(named.id))
        if found is not None:
            key = found.key
            await database.write(audit.record, key.workspace, _SESSION, actor=None, session=key.session)
            async for record in _session(database, found.key):
                yield record
        return
    for platform, workspace in await database.read(subjects.workspaces, named):
        number = await database.read(workspace_of, platform, workspace)
        await database.write(audit.record, number, _PERSON, actor=None)
        async for record in _person(database, number, f"{platform}:{workspace}", named.id):
            yield record


async def _session(database: Database, key: SessionKey) -> AsyncIterator[Item]:
    async for record in _said(database, key, None):
        yield record
    for one in await database.read(exporting.told, key):
        yield exports.passage(key, one)


async def _person(database: Database, number: int, workspace: str, author: str) -> AsyncIterator[Item]:
    for key in await database.read(exporting.sessions_of, number):
        async for record in _said(database, key, author):
            yield record
        for seq, quote in await database.read(exporting.quoted, key, author):
            yield exports.quoted(key, seq, quote)
    wishes = exports.preferred(workspace, await database.read(preferences.of, Mine(number), author))
    if wishes is not None:
        yield wishes
    for one in await database.read(exporting.paid, number, author):
        yield exports.spending(workspace, one)


async def _said(database: Database, key: SessionKey, author: str | None) -> AsyncIterator[Item]:
    after = exporting.FIRST
    while page := await database.read(exporting.said, key, after, author=author):
        for one in page:
            yield exports.turn(key, one)
        after = (page[-1].seq, page[-1].role)
