"""The ledger: one row for each call of the model, whatever became of it, with what it cost."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from core.schema import calls
from core.store.engine.sql import insert


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a model, and what became of it.

    `call` is a number of its own, `at` is in milliseconds since 1970. Tokens are as the API billed them; `estimated`
    says that it did not tell, and that they are our own count.

    `outcome` is "answered", "length" or "filter" for an answer that was cut, "stopped", or the name of an error.
    """

    workspace: int
    call: int
    session: int
    seq: int
    at: int
    author: str | None
    purpose: str
    model: str
    outcome: str
    shown: int
    cached: int
    cache_written: int
    written: int
    reasoning: int
    estimated: bool


def record(connection: Connection, call: Call) -> None:
    """Repeatable: a call has a number of its own."""
    connection.execute(insert(connection.dialect.name, calls).values(asdict(call)).on_conflict_do_nothing())
