"""Pseudonyms: under which the spending of whoever was forgotten counts on, until the periods of budgets are over.

Without them, whoever is forgotten would have their budget anew. A pseudonym is a hash of the person's ID by a secret
of their workspace, which is sealed as words are, and goes with the last pseudonym.
"""

import hmac
import secrets
from hashlib import sha256

from sqlalchemy import Connection, Table, and_, delete, exists, not_, select, update
from sqlalchemy.sql.elements import ColumnElement

from core.schema import holds, pseudonyms, spent, turns, usage
from core.session import Role, SessionKey, Validity
from core.store import bodies, gone
from core.store.engine.sql import erases, insert

NOBODY = ""
"""Whose the sums are of those who were forgotten, once their periods are over, as of what nobody has asked for."""

_SIGN = "~"
"""How each begins, and no platform's ID."""

_TOKENS = ("shown", "cached", "cache_written", "written")
_PAID = {usage: ("answers", *_TOKENS), spent: ("calls", *_TOKENS)}
"""Where it is summed up what was paid for whom, and which columns are sums."""


def of(connection: Connection, workspace: int, author: str) -> str | None:
    """This person's pseudonym; None where nobody has any, or it can't be known."""
    here = select(pseudonyms.c.secret).where(pseudonyms.c.workspace == workspace)
    stored = connection.execute(here).scalar_one_or_none()
    secret = "" if stored is None else bodies.SECRET.open(bodies.Mine(workspace), (), stored)
    if not secret or not author:
        return None
    return _SIGN + hmac.new(bytes.fromhex(secret), author.encode(), sha256).hexdigest()


def whose(connection: Connection, key: SessionKey, seq: int | None, author: str) -> str:
    """Whose a call for this question is that has ended by now: if its asker was forgotten meanwhile, their pseudonym's.

    A question that was deleted is not there any more either; but who has asked it is known.
    """
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session, turns.c.seq == seq)
    erased = and_(mine, turns.c.role == Role.PERSON, turns.c.validity == Validity.ERASED)
    row = connection.execute(select(turns.c.message).where(erased)).one_or_none()
    if not author or row is None or gone.has(connection, key.address, row.message or ""):
        return author
    return of(connection, key.workspace, author) or _first(connection, key.workspace, author)


@erases
def rename(connection: Connection, workspace: int, author: str, *, since: int) -> None:
    """What this person has spent from this day on is under their pseudonym, and nobody's before.

    What is nobody's stays so, and so does what is under a pseudonym: those are no person's IDs.
    """
    if author == NOBODY or author.startswith(_SIGN):
        return
    name = of(connection, workspace, author) or _first(connection, workspace, author)
    for table in _PAID:
        theirs = and_(table.c.workspace == workspace, table.c.author == author)
        runs = table.c.day >= since if table is spent else table.c.day < 0
        _move(connection, table, and_(theirs, runs), name)
        _move(connection, table, theirs, NOBODY)
    asked = and_(holds.c.workspace == workspace, holds.c.author == author)
    connection.execute(update(holds).where(asked).values(author=name))


@erases
def unname(connection: Connection, workspace: int) -> None:
    """Nobody knows any more who has spent what in this workspace."""
    for table in _PAID:
        _move(connection, table, and_(table.c.workspace == workspace, table.c.author != NOBODY), NOBODY)
    asked = and_(holds.c.workspace == workspace, holds.c.author != NOBODY)
    connection.execute(update(holds).where(asked).values(author=NOBODY))
    connection.execute(delete(pseudonyms).where(pseudonyms.c.workspace == workspace))


@erases
def forget(connection: Connection, *, since: int) -> None:
    """What was spent before this day under pseudonyms is nobody's; where there are none left, the secret goes."""
    for workspace in connection.execute(select(pseudonyms.c.workspace)).scalars().all():
        named = and_(spent.c.workspace == workspace, spent.c.author.startswith(_SIGN))
        _move(connection, spent, and_(named, spent.c.day < since), NOBODY)
        unused = and_(pseudonyms.c.workspace == workspace, not_(exists().where(named)))
        connection.execute(delete(pseudonyms).where(unused))


def _first(connection: Connection, workspace: int, author: str) -> str:
    """This person's pseudonym by a new secret: there was none, or none that can be read."""
    secret = bodies.SECRET.seal(bodies.Mine(workspace), (), secrets.token_hex(32))
    new = insert(connection.dialect.name, pseudonyms).values(workspace=workspace, secret=secret)
    connection.execute(new.on_conflict_do_update(index_elements=[pseudonyms.c.workspace], set_={"secret": secret}))
    name = of(connection, workspace, author)
    assert name is not None  # noqa: S101 – its secret is there by now
    return name


def _move(  # type: ignore[explicit-any]  # SQLAlchemy's
    connection: Connection, table: Table, theirs: ColumnElement[bool], author: str
) -> None:
    """Adds these sums to those that stand under this name."""
    for row in connection.execute(select(table).where(theirs)).mappings().all():
        new = insert(connection.dialect.name, table).values({**row, "author": author})
        more = {name: table.c[name] + new.excluded[name] for name in _PAID[table]}
        connection.execute(new.on_conflict_do_update(index_elements=list(table.primary_key), set_=more))
    connection.execute(delete(table).where(theirs))
