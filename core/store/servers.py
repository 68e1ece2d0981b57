"""Servers: what each model server turned out to be like, by its address and model."""

from collections.abc import Mapping

from sqlalchemy import Connection, select

from core.schema import measures, servers
from core.store.engine.sql import insert, now


def recall(connection: Connection, server: str, model: str) -> str | None:
    """What is known of this server and model."""
    mine = (servers.c.server == server) & (servers.c.model == model)
    return connection.execute(select(servers.c.manners).where(mine)).scalar_one_or_none()


def keep(connection: Connection, server: str, model: str, manners: str) -> None:
    """In place of what was known before."""
    known = {"manners": manners, "learnt_at": now(connection)}
    new = insert(connection.dialect.name, servers).values(server=server, model=model, **known)
    connection.execute(new.on_conflict_do_update(index_elements=["server", "model"], set_=known))


def told(connection: Connection, server: str) -> Mapping[str, float]:
    """By what the tokens of each of a server's models are measured: see core.model.calibration."""
    found = select(measures.c.model, measures.c.measure).where(measures.c.server == server)
    return {row.model: row.measure for row in connection.execute(found)}


def tell(connection: Connection, server: str, model: str, measure: float) -> None:
    """In place of what was told before."""
    new = insert(connection.dialect.name, measures).values(server=server, model=model, measure=measure)
    connection.execute(new.on_conflict_do_update(index_elements=["server", "model"], set_={"measure": measure}))
