"""Forgotten: what was said before somebody, a session or a channel is to be, and reaches us while that is being done.

It might come to a place that is done already, and stay there.
"""

from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, Connection, ScalarSelect, Text, and_, bindparam, func, or_, select

from core.schema import erasures
from core.seam.messages import Inbound
from core.session import SessionKey
from core.store.engine.sql import micro
from core.store.workspaces import WORKSPACE

_PERSON, _SESSION, _CHANNEL = "person", "session", "channel"
"""As `erasures.Scope` has them, which stands above arrivals."""


def _place(session: object, channel: object) -> ColumnElement[bool]:
    """That a place is forgotten, by the IDs of its address and of its channel's."""
    by_session = and_(erasures.c.scope == _SESSION, erasures.c.subject == session)
    return or_(by_session, and_(erasures.c.scope == _CHANNEL, erasures.c.subject == channel))


def _arriving() -> ScalarSelect[int]:
    by_author = and_(erasures.c.scope == _PERSON, erasures.c.subject == bindparam("author", type_=Text))
    here = _place(bindparam("at_address", type_=Text), bindparam("in_channel", type_=Text))
    mine = and_(erasures.c.workspace == WORKSPACE, or_(by_author, here))
    return select(func.max(erasures.c.before)).where(mine).correlate_except(erasures).scalar_subquery()


BEFORE = _arriving()
"""Before what moment nothing is to be known that this author has said here, or anybody, in a statement that is given
`author`, `at_address` and `in_channel`; NULL where all is.
"""


def said_at(message: Inbound) -> int:
    """When these words were said, which an edit has put there, perhaps."""
    return micro(max(message.at, message.edited_at or 0.0))


def before(connection: Connection, key: SessionKey, authors: Collection[str]) -> Mapping[str, int]:
    """The same for each of these authors, in a session; without those of whom all is to be known."""
    theirs = and_(erasures.c.scope == _PERSON, erasures.c.subject.in_(authors))
    here = _place(key.address.id, key.address.channel_address.id)
    known = and_(erasures.c.workspace == key.workspace, erasures.c.before.is_not(None))
    rows = connection.execute(
        select(erasures.c.scope, erasures.c.subject, erasures.c.before).where(known, or_(theirs, here))
    ).all()
    everybodys = max((row.before for row in rows if row.scope != _PERSON), default=0)
    own = {row.subject: row.before for row in rows if row.scope == _PERSON}
    ends = {author: max(everybodys, own.get(author, 0)) for author in authors}
    return {author: end for author, end in ends.items() if end}
