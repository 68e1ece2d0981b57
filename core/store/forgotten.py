"""Forgotten: what was said before somebody, a session or a channel is to be, and reaches us while that is being done.

It might come to a place that is done already, and stay there.
"""

from collections.abc import Collection, Mapping

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    ScalarSelect,
    Text,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
)

from core.schema import erasures, sessions
from core.seam.messages import Inbound
from core.session import SessionKey
from core.store.engine.sql import micro

_PERSON, _SESSION, _CHANNEL = "person", "session", "channel"
"""As `erasures.Scope` has them, which stands above arrivals."""


def _is_of(asked: FromClause, scope: str, subject: object) -> ColumnElement[bool]:  # type: ignore[explicit-any]  # SQLAlchemy's
    return and_(asked.c.scope == literal_column(f"'{scope}'", Text), asked.c.subject == subject)


def _is_at(asked: FromClause, session: object, channel: object) -> ColumnElement[bool]:  # type: ignore[explicit-any]  # SQLAlchemy's
    """That a place is forgotten, by the IDs of its address and of its channel's."""
    return or_(_is_of(asked, _SESSION, session), _is_of(asked, _CHANNEL, channel))


def _arriving() -> ScalarSelect[int]:
    # SQLite's RETURNING knows the columns of `sessions` by their bare names: none of ours may have the same one
    columns = (erasures.c.workspace.label("in_workspace"), erasures.c.scope, erasures.c.subject, erasures.c.before)
    ours = select(*columns).subquery("ours")
    by_author = _is_of(ours, _PERSON, bindparam("author", type_=Text))
    here = _is_at(ours, sessions.c.address, sessions.c.channel)
    mine = and_(ours.c.in_workspace == sessions.c.workspace, or_(by_author, here))
    return select(func.max(ours.c.before)).where(mine).correlate(sessions).scalar_subquery()


BEFORE = _arriving()
"""Before what moment nothing is to be known that this author has said here, or anybody, in a statement about a row of
`sessions` that is given `author`; NULL where all is.
"""


def said_at(message: Inbound) -> int:
    """When these words were said, which an edit has put there, perhaps."""
    return micro(max(message.at, message.edited_at or 0.0))


def before(connection: Connection, key: SessionKey, authors: Collection[str]) -> Mapping[str, int]:
    """The same for each of these authors, in a session; without those of whom all is to be known."""
    theirs = and_(erasures.c.scope == _PERSON, erasures.c.subject.in_(authors))
    here = _is_at(erasures, key.address.id, key.address.channel_address.id)
    known = and_(erasures.c.workspace == key.workspace, erasures.c.before.is_not(None))
    rows = connection.execute(
        select(erasures.c.scope, erasures.c.subject, erasures.c.before).where(known, or_(theirs, here))
    ).all()
    everybodys = max((row.before for row in rows if row.scope != _PERSON), default=0)
    own = {row.subject: row.before for row in rows if row.scope == _PERSON}
    ends = {author: max(everybodys, own.get(author, 0)) for author in authors}
    return {author: end for author, end in ends.items() if end}
