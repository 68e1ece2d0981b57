"""Receipts: what has arrived on people's screens, as which message, and whether anything about it is doubtful."""

from dataclasses import dataclass
from functools import cache

from sqlalchemy import BigInteger, Connection, Row, Text, Update, and_, bindparam, func, not_, null, select, update

from core.schema import deliveries, turns
from core.seam.address import Address
from core.seam.messages import Draft
from core.session import Fate, Lease, Role, SessionKey
from core.store.deliveries import THIS, at, key_for, slot
from core.store.engine.prepared import Prepared
from core.store.engine.sql import clock, fixed, now
from core.store.places import find
from core.store.queue import finish
from core.store.states import DeliveryState
from core.store.withdrawals import DOOMED, RECONCILE_AFTER, doom, sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A part that is on screen as this message; `doubtful` where something may still happen to it."""

    part: int
    message: str
    doubtful: bool = False


def record(connection: Connection, key: SessionKey, seq: int, arrived: Arrival, *, seconds: float) -> str:
    """Stores what has arrived. Returns the message that stands: another one if we came too late.

    Where the answer was withdrawn while the part was on its way, it is taken away again.
    The text goes where it is certain, as the turn has it. What is doubtful is reconciled two leases of `seconds` later.
    """
    part, message = arrived.part, arrived.message
    after = {"after": int(RECONCILE_AFTER * seconds * 1000)} if arrived.doubtful else {}
    if _arriving(doubtful=arrived.doubtful).run(connection, **slot(key, seq, part), shown=message, **after):
        return message
    stands = select(deliveries.c.message, DOOMED.label("doomed")).where(at(key, seq, part))
    row = connection.execute(stands).one_or_none()
    if row is None or row.doomed:
        doom(connection, key, seq, part, message)
        return message
    standing: str | None = row.message
    if standing is not None and standing != message:
        connection.execute(update(deliveries).where(at(key, seq, part)).values(_doubted(connection, seconds)))
    return standing or message


@cache
def _arriving(*, doubtful: bool) -> Prepared[object]:
    def build(dialect: str) -> Update:
        sent = {
            "state": fixed(DeliveryState.SENT),
            "message": bindparam("shown", type_=Text),
            "draft": null(),
            "due_at": clock(dialect) + bindparam("after", type_=BigInteger) if doubtful else null(),
            "body": func.coalesce(deliveries.c.body, b"") if doubtful else null(),
        }
        return update(deliveries).where(THIS, deliveries.c.message.is_(None), not_(DOOMED)).values(sent)

    return Prepared(build, tuple)


def record_last(
    connection: Connection, key: SessionKey, seq: int, arrived: Arrival, *, lease: Lease | None, seconds: float
) -> tuple[str, Fate]:
    """Stores the last part's arrival and ends the turn, in one transaction; what `record` and `finish` return.

    Raises LeaseLost.
    """
    fate = finish(connection, key, seq, lease=lease, seconds=seconds, doubtful=arrived.doubtful)
    return record(connection, key, seq, arrived, seconds=seconds), fate


def receive(connection: Connection, address: Address, key: str, shown: Draft, *, seconds: float) -> None:
    """The platform's own receipt: whoever delivers this part knows from here on which message it has become.

    A part that stands as another message is reconciled.
    """
    found = find(connection, address)
    if found is None:
        return
    mine = and_(deliveries.c.workspace == found[0].workspace, deliveries.c.session == found[0].session)
    said = and_(
        turns.c.workspace == deliveries.c.workspace,
        turns.c.session == deliveries.c.session,
        turns.c.seq == deliveries.c.seq,
        turns.c.role == Role.PERSON,
    )
    asked = turns.c.message.label("asked")
    rows = select(deliveries.c.seq, deliveries.c.part, deliveries.c.message, asked, turns.c.notice)
    newest = rows.join(turns, said).where(mine).order_by(deliveries.c.seq.desc()).limit(_RECENT)
    for row in connection.execute(newest).all():
        if key_for(address, seq=row.seq, message=row.asked, notice=row.notice, part=row.part) == key:
            _noted(connection, found[0], row, shown, seconds)


_RECENT = 40  # deliveries of one session that a receipt can still be for


def _noted(
    connection: Connection, key: SessionKey, row: Row[*tuple[object, ...]], shown: Draft, seconds: float
) -> None:
    this = update(deliveries).where(at(key, row.seq, row.part))
    if row.message is None:
        draft = sealed(key, row.seq, row.part, shown)
        connection.execute(this.where(deliveries.c.draft.is_(None)).values(draft=draft))
    elif row.message != shown.id:
        connection.execute(this.values(_doubted(connection, seconds)))


def _doubted(connection: Connection, seconds: float) -> dict[str, object]:
    """What makes a message that stands one to be reconciled."""
    due_at = now(connection) + int(RECONCILE_AFTER * seconds * 1000)
    return {"due_at": due_at, "body": func.coalesce(deliveries.c.body, b"")}
