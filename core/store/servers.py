"""Servers: what each model server turned out to be like, by its address and model."""

from sqlalchemy import Connection, select

from core.schema import servers
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
