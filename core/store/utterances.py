"""Utterances: what was said in a session, by whoever is to be forgotten and by others, and what we have answered."""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, Row, and_, case, null, or_, select, true

from core.schema import quotes, turns
from core.session import Kind, Role, SessionKey, Validity
from core.store import bodies
from core.store.erasures import Erasure

_PAGE = 200  # rows


class Utterance(NamedTuple):
    """What was said in one turn, and what its speaker was called; `is_theirs` says that it is to be forgotten.

    So may be what a turn points at.
    """

    seq: int
    role: Role
    words: str
    name: str
    is_theirs: bool


def said(connection: Connection, key: SessionKey, erasure: Erasure, after: int) -> list[Utterance]:
    """What people have said here behind this seq, a page of it, and what they were called.

    Before that, what these turns quote of the person, and the files in the person's own. Whoever is forgotten has no
    name in what they have said since.
    """
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    people = and_(turns.c.role == Role.PERSON, turns.c.validity != Validity.ERASED, turns.c.kind != Kind.NOTICE)
    again = turns.c.author == erasure.subject
    theirs = and_(again, true() if erasure.before is None else turns.c.at < erasure.before)
    name = case((and_(again, ~theirs), null()), else_=turns.c.name).label("name")
    columns = (turns.c.seq, turns.c.role, turns.c.body, name, theirs.label("theirs"))
    rows = select(*columns).where(mine, people, turns.c.seq > after).order_by(turns.c.seq).limit(_PAGE)
    found = [_said(key, row, is_theirs=bool(row.theirs)) for row in connection.execute(rows).all()]
    return _pointed(connection, key, erasure, found) + found


def answers(connection: Connection, key: SessionKey, after: int) -> list[Utterance]:
    """What we have said here behind this seq, a page of it; what is hidden is not to be kept."""
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    ours = and_(turns.c.role == Role.ASSISTANT, turns.c.validity.in_((Validity.STANDS, Validity.STALE)))
    columns = (turns.c.seq, turns.c.role, turns.c.body, turns.c.name)
    rows = select(*columns).where(mine, ours, turns.c.seq > after).order_by(turns.c.seq).limit(_PAGE)
    return [_said(key, row) for row in connection.execute(rows).all()]


def _pointed(
    connection: Connection, key: SessionKey, erasure: Erasure, found: Collection[Utterance]
) -> list[Utterance]:
    """Of what these turns point at, that which is the person's."""
    mine = and_(quotes.c.workspace == key.workspace, quotes.c.session == key.session)
    own = and_(quotes.c.author.is_(None), quotes.c.seq.in_([one.seq for one in found if one.is_theirs]))
    then = true() if erasure.before is None else or_(quotes.c.at.is_(None), quotes.c.at < erasure.before)
    quoted = and_(quotes.c.author == erasure.subject, quotes.c.seq.in_([one.seq for one in found]), then)
    rows = select(quotes).where(mine, or_(own, quoted)).order_by(quotes.c.seq, quotes.c.place)
    return [_quoted(key, row) for row in connection.execute(rows).all()]


def _quoted(key: SessionKey, row: Row[*tuple[object, ...]]) -> Utterance:
    here = (row.seq, row.place)
    words = (bodies.TITLE.open(key, here, row.title), bodies.QUOTE.open(key, here, row.body))
    return Utterance(
        seq=row.seq,
        role=Role.PERSON,
        words="\n".join(filter(None, words)),
        name=bodies.QUOTED_NAME.open(key, here, row.name) or "",
        is_theirs=True,
    )


def _said(key: SessionKey, row: Row[*tuple[object, ...]], *, is_theirs: bool = False) -> Utterance:
    here = (row.seq, row.role)
    return Utterance(
        seq=row.seq,
        role=Role(row.role),
        words=bodies.TURN.open(key, here, row.body),
        name=bodies.NAME.open(key, here, row.name) or "",
        is_theirs=is_theirs,
    )
