"""Expiring: what has been kept for as long as is set, session by session; `forgetting.expire` takes it out."""

from typing import NamedTuple

from sqlalchemy import Connection, Row, and_, case, delete, false, func, or_, select, tuple_
from sqlalchemy.sql.elements import ColumnElement

from core.policy import Overrides
from core.schema import rejections, sessions, turns
from core.seam.address import Address
from core.session import Kind, Progress, Role, SessionKey, Validity
from core.store import policies
from core.store.engine.sql import erases, now


class Times(NamedTuple):
    """What was said before is old (microseconds, as `turns.at`): to us or by us, and overheard; None where none is.

    `words` is the same for what was overheard and is stored with its words.
    """

    said: int | None
    overheard: int | None
    words: int | None = None


class Oldest(NamedTuple):
    """A session's oldest turns of each kind (as `Times`; None where it has none), and the database's time in seconds.

    What waits to be answered is not among them.
    """

    key: SessionKey
    overrides: Overrides
    times: Times
    now: float


class Old(NamedTuple):
    """How much is old: what people have said to us, what we have, and what was overheard."""

    messages: int
    answers: int
    overheard: int


_HEARD = turns.c.kind == Kind.OVERHEARD
_OVER = and_(
    turns.c.validity.not_in((Validity.ERASED, Validity.UNRECORDED)),
    turns.c.progress.not_in((Progress.WAITING, Progress.ANSWERED)),
)


def oldest(connection: Connection, *, after: tuple[int, int], most: int) -> list[Oldest]:
    """The next sessions behind this place (workspace and number), in their order."""
    here = and_(turns.c.workspace == sessions.c.workspace, turns.c.session == sessions.c.session, _OVER)
    said = select(func.min(turns.c.at)).where(here, ~_HEARD).correlate(sessions).scalar_subquery()
    heard = select(func.min(turns.c.at)).where(here, _HEARD).correlate(sessions).scalar_subquery()
    own = (sessions.c.workspace, sessions.c.session, sessions.c.address)
    words = select(func.min(turns.c.at)).where(here, _HEARD, turns.c.tokens > 0).correlate(sessions).scalar_subquery()
    found = (said.label("said"), heard.label("heard"), words.label("words"), now(connection).label("now"))
    columns = (*own, *policies.SET_IN_SESSION, *found)
    behind = tuple_(sessions.c.workspace, sessions.c.session) > tuple_(*after)
    rows = connection.execute(select(*columns).where(behind).order_by(*own[:2]).limit(most)).all()
    return [_oldest(row) for row in rows]


def _oldest(row: Row[*tuple[object, ...]]) -> Oldest:
    key = SessionKey(workspace=row.workspace, session=row.session, address=Address.parse(row.address))
    overrides = policies.opened(key.workspace, key.address, row.set_in_workspace, row.set_in_channel)
    return Oldest(key, overrides, Times(row.said, row.heard, row.words), row.now / 1000)


def old(times: Times) -> ColumnElement[bool]:
    """The turns that are old and over, but for those whose words are gone; of a question and its answer, both."""
    said = false() if times.said is None else and_(~_HEARD, turns.c.at < times.said)
    heard = false() if times.overheard is None else and_(_HEARD, turns.c.at < times.overheard)
    bare = false() if times.words is None else and_(_HEARD, turns.c.tokens > 0, turns.c.at < times.words)
    question = turns.alias("question")
    same = and_(*(question.c[name] == turns.c[name] for name in ("workspace", "session", "seq")))
    open_ = question.c.progress.in_((Progress.WAITING, Progress.ANSWERED))
    waits = select(question.c.seq).where(same, question.c.role == Role.PERSON, open_).exists()
    return and_(_OVER, ~waits, or_(said, heard, bare))


def count(connection: Connection, key: SessionKey, times: Times) -> Old:
    """How much of this session is old."""
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session, old(times))
    ours = and_(~_HEARD, turns.c.role == Role.ASSISTANT)
    numbers = [func.coalesce(func.sum(case((one, 1), else_=0)), 0) for one in (~or_(_HEARD, ours), ours, _HEARD)]
    return Old(*connection.execute(select(*numbers).where(mine)).one())


@erases
def drop_rejected(connection: Connection, *, seconds: float) -> None:
    """Events that could not be read, so long ago, go like what was overheard: nobody knows whose words they are."""
    connection.execute(delete(rejections).where(rejections.c.rejected_at < now(connection) - int(seconds * 1000)))
