"""What a turn is, how far it has come, and whether its words hold are three columns, in place of one number.

A process of the release before this one can't go on: nothing that it is sent is stored, or acknowledged, and what was
sent meanwhile is found by those that follow. So end it first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_NUMBERS = ("role", "seq", "covers", "follows", "state", "kind", "progress", "validity")
_turns = sa.table(
    "turns",
    *(sa.column(name, sa.Integer()) for name in _NUMBERS),
    *(sa.column(name) for name in ("author", "verb", "notice")),
)

_WAITING, _ANSWERED, _DONE, _HEARD, _STOPPED, _SKIPPED, _STALE, _DELETED, _REFUSED = range(9)


def upgrade() -> None:
    for name in ("kind", "progress", "validity"):
        op.add_column("turns", sa.Column(name, sa.SmallInteger(), nullable=False, server_default="0"))
    op.execute(_turns.update().values(kind=_kind(), progress=_progress(), validity=_validity()))
    op.drop_column("turns", "state")


def downgrade() -> None:
    op.add_column("turns", sa.Column("state", sa.SmallInteger(), nullable=False, server_default="0"))
    op.execute(_turns.update().values(state=_state()))
    for name in ("kind", "progress", "validity"):
        op.drop_column("turns", name)


def _kind() -> sa.Case[int]:
    """By number: said, overheard (known, once refused, by what only it has), command, answer, summary, notice."""
    state, row = _turns.c.state, _turns.c
    ours = sa.and_(row.role == 1, row.author.is_(None))
    passed_by = sa.and_(state == _REFUSED, sa.or_(row.follows.is_not(None), row.seq < 1))
    return sa.case(
        (sa.and_(ours, row.covers.is_not(None)), 4),
        (ours, 3),
        (sa.or_(state == _HEARD, passed_by), 1),
        (row.notice.is_not(None), 5),
        (row.verb.is_not(None), 2),
        else_=0,
    )


def _progress() -> sa.Case[int]:
    """Waiting, answered, done, stopped, skipped, refused."""
    known = {_WAITING: 0, _ANSWERED: 1, _STOPPED: 3, _SKIPPED: 4, _REFUSED: 5}
    return sa.case(known, value=_turns.c.state, else_=2)


def _validity() -> sa.Case[int]:
    """Stands, superseded, stale, erased."""
    return sa.case({_STALE: 2, _DELETED: 3}, value=_turns.c.state, else_=0)


def _state() -> sa.Case[int]:
    kind, progress, validity = _turns.c.kind, _turns.c.progress, _turns.c.validity
    return sa.case(
        (validity == 3, _DELETED),
        (progress == 5, _REFUSED),
        (validity == 2, _STALE),
        (progress == 3, _STOPPED),
        (progress == 4, _SKIPPED),
        (kind == 1, _HEARD),
        else_=progress,
    )
