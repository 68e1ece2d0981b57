"""Called upon: what was overheard is for us after all, since it came late, or was edited into a question."""

from sqlalchemy import Connection, Row, and_, not_, or_, select, update

from core.schema import checkpoints as table
from core.schema import sessions, turns
from core.session import Kind, Progress, Role, SessionKey, Turn, Validity
from core.store import bodies, changes, checkpoints, gone, quotes, spoken, summaries
from core.store.engine.sql import micro, seconds
from core.store.turns import WAITS

_KNOWN = ("seq", "edited_at", "tokens", "body")


def called_upon(connection: Connection, key: SessionKey, turn: Turn) -> Turn | None:
    """This message as it waits from now on, if all that we knew of it was overheard.

    What is said to us may arrive later than the message behind it, which has looked back at it; and an edit may turn
    what was said to others into something for us. It waits behind all that was answered for already, or told of, and
    is remembered there alone; only before a question that waits still does it keep its place. If it was edited since,
    it has the words of then.
    """
    mine = and_(turns.c.workspace == key.workspace, turns.c.session == key.session)
    stands = turns.c.validity == Validity.STANDS
    by_edit = turn.validity is Validity.UNRECORDED and turn.edited_at is not None
    if by_edit and not gone.among(connection, key, [turn.message or ""]):  # its words have gone by that very edit
        stands = or_(stands, turns.c.edited_at == micro(turn.edited_at or 0.0))
    overheard = and_(turns.c.kind == Kind.OVERHEARD, turns.c.progress == Progress.DONE, stands)
    same = and_(mine, turns.c.message == turn.message, turns.c.role == turn.role, overheard)
    known = select(*(turns.c[name] for name in _KNOWN)).where(same).with_for_update()
    found = connection.execute(known).one_or_none()
    if found is None:
        return None
    this, turn = and_(same, turns.c.seq == found.seq), _as_edited(connection, key, turn, found)
    quotes.forget(connection, key, [found.seq])
    if not _keeps_its_place(connection, key, found.seq):
        summaries.outdate(connection, key, found.seq)
        checkpoints.outdate(connection, key, found.seq)
        connection.execute(update(turns).where(this).values({**changes.ERASED, "message": None}))
        spoken.NEW.run(connection, **spoken.row(key, turn))
        return turn
    turn = turn._replace(seq=found.seq)
    connection.execute(update(turns).where(this).values(spoken.row(key, turn) | {"follows": None}))
    behind = and_(mine, turns.c.seq > found.seq, turns.c.follows < found.seq)
    connection.execute(update(turns).where(behind).values(follows=found.seq))
    return turn


def _as_edited(connection: Connection, key: SessionKey, turn: Turn, known: Row[*tuple[object, ...]]) -> Turn:
    """The turn with the words that we know of its message, where these are newer."""
    if known.edited_at is None or known.edited_at <= micro(turn.edited_at or 0.0):
        return turn
    if turn.verb is not None or known.tokens == 0 or turn.validity is not Validity.STANDS:
        return turn
    here = (known.seq, turn.role)
    return turn._replace(
        text=bodies.TURN.open(key, here, known.body),
        tokens=known.tokens,
        edited_at=seconds(known.edited_at),
        quotes=quotes.of(connection, key, [known.seq]).get(known.seq, ()),
    )


def _keeps_its_place(connection: Connection, key: SessionKey, seq: int) -> bool:
    """Whether a question behind this turn waits; and nothing there was answered or is a notice, no checkpoint tells of
    it, and it is in view.
    """
    here = and_(sessions.c.workspace == key.workspace, sessions.c.session == key.session)
    behind = and_(turns.c.workspace == key.workspace, turns.c.session == key.session, turns.c.seq > seq)
    told = and_(table.c.workspace == key.workspace, table.c.session == key.session)
    waits = select(turns.c.seq).where(behind, WAITS, turns.c.progress == Progress.WAITING).exists()
    over = or_(turns.c.role == Role.ASSISTANT, turns.c.kind == Kind.NOTICE)
    answered = select(turns.c.seq).where(behind, over).exists()
    record = select(table.c.number).where(told, table.c.first <= seq, table.c.last >= seq).exists()
    keeps = and_(waits, not_(answered), not_(record), sessions.c.start < seq)
    kept: bool = connection.execute(select(keeps).where(here)).scalar_one()
    return kept
