"""The ledger: one row for each call of the model, whatever became of it, with what it cost."""

from dataclasses import asdict

from sqlalchemy import Connection

from core.llm import Call
from core.schema import calls
from core.store.sql import insert


def record(connection: Connection, call: Call) -> None:
    """Repeatable: a call has a number of its own."""
    connection.execute(insert(connection.dialect.name, calls).values(asdict(call)).on_conflict_do_nothing())
