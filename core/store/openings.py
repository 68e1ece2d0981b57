"""Openings: a place that only some could see can be seen by all of its workspace; what was said before stays private.

Each session learns that with the next message that says so. What it remembers is set aside then, for good: those who
come now have not been there.
"""

from sqlalchemy import Connection, and_, update

from core.schema import sessions
from core.session import SessionKey
from core.store import notices, remembered, segments
from core.store.arrivals import Session

TOLD = (
    "_This place can be seen by everybody now. What was said here while it was private I have set aside, "
    "and it is not brought back._"
)


def note(connection: Connection, key: SessionKey, session: Session, *, public: bool, behind: float) -> None:
    """Notes what a message says of its place, before it is stored itself; people are told `behind` so many seconds."""
    if session.public is not None and bool(session.public) is public:
        return
    here = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    connection.execute(update(sessions).where(here).values(public=public))
    if session.public is None or not public:
        return
    known = remembered.count(connection, key).all
    number = segments.open_up(connection, key, session.tail - 1)
    if known:
        notices.tell(connection, key, name=f"opened {number}", text=TOLD, behind=behind)
