"""Preferences: what people have told us about how they wish to be answered, one row for each person of a workspace."""

import json
from dataclasses import asdict, fields, replace

from sqlalchemy import BindParameter, ColumnElement, Connection, ScalarSelect, and_, literal, select, update

from core.schema import preferences as table
from core.session import Preferences, SessionKey
from core.store import bodies
from core.store.engine.sql import insert

_NAMES = tuple(one.name for one in fields(Preferences))


def of(connection: Connection, key: bodies.Owner, author: str) -> Preferences:
    """What this person prefers in the workspace of this session, or of whatever else is in it."""
    stored = select(body(literal(key.workspace), literal(author)))
    return opened(key, author, connection.execute(stored).scalar_one())


def change(connection: Connection, key: SessionKey, author: str, name: str, value: str | None) -> str | None:
    """Puts a value in place of what this person preferred of that name; None takes it back. Returns what it was."""
    if value is None and of(connection, key, author) == Preferences():
        return None
    new = {"workspace": key.workspace, "author": author, "body": b""}
    connection.execute(insert(connection.dialect.name, table).values(new).on_conflict_do_nothing())
    # locked, as the same person may change another one in another session
    mine = and_(table.c.workspace == key.workspace, table.c.author == author)
    stored: bytes = connection.execute(select(table.c.body).where(mine).with_for_update()).scalar_one()
    before = opened(key, author, stored)
    become = _written(replace(before, **{name: value}))
    sealed = bodies.PREFERENCES.seal(_owner(key), (author,), become, by=author)
    connection.execute(update(table).where(mine).values(body=sealed))
    was: str | None = getattr(before, name)
    return was


def body(workspace: ColumnElement[int], author: ColumnElement[str] | BindParameter[str]) -> ScalarSelect[bytes]:
    """What `opened` makes preferences of, in a statement that reads something else; NULL where there are none."""
    # SQLite's RETURNING knows the columns of `sessions` by their bare names: none of ours may have the same one
    theirs = select(table.c.workspace.label("in_workspace"), table.c.author, table.c.body).subquery("theirs")
    mine = and_(theirs.c.in_workspace == workspace, theirs.c.author == author)
    return select(theirs.c.body).where(mine).correlate_except(theirs).scalar_subquery()


def opened(key: bodies.Owner, author: str, stored: bytes | None) -> Preferences:
    """What this person prefers. A newer release beside us may have written what we don't know."""
    if not stored:
        return Preferences()
    known: dict[str, str] = json.loads(bodies.PREFERENCES.open(_owner(key), (author,), stored))
    return Preferences(**{name: known[name] for name in _NAMES if name in known})


def _written(preferences: Preferences) -> str:
    told = {name: value for name, value in asdict(preferences).items() if value is not None}
    return json.dumps(told) if told else ""


def _owner(key: bodies.Owner) -> bodies.Mine:
    """They are the workspace's, and no session's."""
    return bodies.Mine(key.workspace)
