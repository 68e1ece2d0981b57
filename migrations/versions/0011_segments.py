"""What a session's memory consists of is a list that is only added to, so that nothing that moved the view is lost.

A process of the release before this one answers on, but for `reset`, `undo` and the end of a place, which fail there
until it has ended: their table is gone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_EVERYTHING = -(2**31)

_KEY = ("workspace", "session", "number")
_Row = sa.Row[tuple[int, ...]]
_Life = list[_Row]

_sessions = sa.table("sessions", *(sa.column(name) for name in ("workspace", "session", "epoch", "start")))
_segments = sa.table(
    "segments",
    *(
        sa.column(name)
        for name in ("workspace", "session", "number", "kind", "shown", "start", "back_to", "seq", "opened_at")
    ),
)
_epochs = sa.table(
    "epochs",
    *(sa.column(name) for name in ("workspace", "session", "epoch", "parent", "parent_start", "opened_at")),
)


def upgrade() -> None:
    op.create_table(
        "segments",
        *(sa.Column(name, sa.Integer(), autoincrement=False, nullable=False) for name in _KEY),
        sa.Column("kind", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("shown", "start")),
        *(sa.Column(name, sa.Integer()) for name in ("back_to", "seq")),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*_KEY, name="pk_segments"),
    )
    connection = op.get_bind()
    for life in _lives(connection, _epochs, "epoch"):
        # an epoch's start is what the next one has noted of its parent
        starts = [one.parent_start for one in life[1:]] + [_start(connection, life[0])]
        rows = [_reset(number, one, start) for number, (one, start) in enumerate(zip(life, starts, strict=True), 1)]
        connection.execute(_segments.insert(), rows)
        _point(connection, life[0], epoch=len(rows), start=starts[-1])
    op.drop_table("epochs")


def _reset(number: int, epoch: _Row, start: int) -> dict[str, object]:
    own = {"workspace": epoch.workspace, "session": epoch.session, "number": number, "opened_at": epoch.opened_at}
    return {**own, "kind": "reset", "shown": epoch.session, "start": start, "back_to": None, "seq": None}


def downgrade() -> None:
    op.create_table(
        "epochs",
        *(sa.Column(name, sa.Integer(), autoincrement=False, nullable=False) for name in (*_KEY[:2], "epoch")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("parent", "parent_start")),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*_KEY[:2], "epoch", name="pk_epochs"),
    )
    connection = op.get_bind()
    for life in _lives(connection, _segments, "number"):
        standing = _standing(life)
        parents = [_EVERYTHING, *(one.start for one in standing)]
        rows = [_epoch(number, one, start) for number, (one, start) in enumerate(zip(standing, parents, strict=False))]
        if rows:
            connection.execute(_epochs.insert(), rows)
        _point(connection, life[0], epoch=len(rows), start=parents[-1])
    op.drop_table("segments")


def _epoch(parent: int, segment: _Row, start: int) -> dict[str, object]:
    own = {"workspace": segment.workspace, "session": segment.session, "opened_at": segment.opened_at}
    return {**own, "epoch": parent + 1, "parent": parent, "parent_start": start}


def _standing(life: _Life) -> _Life:
    """The resets that are not undone, oldest first."""
    shows = [0, *(one.number if one.back_to is None else one.back_to for one in life)]
    found, number = [], shows[-1]
    while number:
        found.append(life[number - 1])
        number = shows[number - 1]
    return found[::-1]


def _lives(connection: sa.Connection, table: sa.TableClause, number: str) -> list[_Life]:
    """The rows of each session that has any, in their order."""
    rows = connection.execute(sa.select(table).order_by("workspace", "session", number)).all()
    lives: dict[tuple[int, int], _Life] = {}
    for row in rows:
        lives.setdefault((row.workspace, row.session), []).append(row)
    return list(lives.values())


def _this(row: _Row) -> sa.ColumnElement[bool]:
    return sa.and_(_sessions.c.workspace == row.workspace, _sessions.c.session == row.session)


def _start(connection: sa.Connection, row: _Row) -> int:
    start: int = connection.execute(sa.select(_sessions.c.start).where(_this(row))).scalar_one()
    return start


def _point(connection: sa.Connection, row: _Row, *, epoch: int, start: int) -> None:
    connection.execute(_sessions.update().where(_this(row)).values(epoch=epoch, start=start))
