"""What people have said, as rows of turns: what each column holds, and the statements that insert one, once."""

from sqlalchemy import and_, bindparam, func, select, true
from sqlalchemy.dialects.postgresql import Insert

from core.schema import turns
from core.session import Progress, SessionKey, Turn, Validity
from core.store import bodies
from core.store.engine.prepared import Prepared
from core.store.engine.sql import fixed, insert, micro
from core.store.slips import written
from core.store.turns import sealed


def row(key: SessionKey, turn: Turn) -> dict[str, object]:
    """The values of each column."""
    assert turn.author is not None  # noqa: S101 – every person's turn has one
    here = (turn.seq, int(turn.role))
    slip = written(turn.slip) if turn.progress is Progress.WAITING else None
    body, name = sealed(key, *here, turn.text, turn.author.name, by=turn.author.id)
    return {
        "workspace": key.workspace,
        "session": key.session,
        "seq": turn.seq,
        "role": int(turn.role),
        "kind": int(turn.kind),
        "progress": int(turn.progress),
        "validity": int(turn.validity),
        "at": micro(turn.at),
        "tokens": turn.tokens,
        "message": turn.message,
        "author": turn.author.id,
        "name": name,
        "verb": turn.verb,
        "slip": bodies.SLIP.seal(key, here, slip),
        "edited_at": None if turn.edited_at is None else micro(turn.edited_at),
        "quotes": len(turn.quotes) or None,
        "body": body,
        **({"author": None, "name": None} if turn.validity is Validity.ERASED else {}),
    }


_COLUMNS = (
    *("workspace", "session", "seq", "role", "kind", "progress", "validity", "at", "tokens"),
    *("message", "author", "name", "verb", "slip", "edited_at", "quotes", "body"),
)


NEW = Prepared(lambda dialect: insert(dialect, turns).on_conflict_do_nothing(), tuple, columns=_COLUMNS)


def _overheard(dialect: str) -> Insert:
    """What was overheard knows the newest turn before it that was not: a window skips what is too much between."""
    before = turns.alias("before")
    place = and_(*(before.c[name] == bindparam(name) for name in ("workspace", "session")))
    follows = (
        select(func.coalesce(before.c.follows, before.c.seq))
        .where(place, before.c.seq < bindparam("seq"))
        .order_by(before.c.seq.desc(), before.c.role.desc())
        .limit(fixed(1))
    )
    given = {name: bindparam(name, type_=turns.c[name].type) for name in _COLUMNS}
    row = select(*given.values(), follows.scalar_subquery()).where(true())
    return insert(dialect, turns).from_select([*given, "follows"], row).on_conflict_do_nothing()


OVERHEARD = Prepared(_overheard, tuple)
