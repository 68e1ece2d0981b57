"""What models have learnt, kept in a database, as the program keeps it."""

from core.store import Database, servers


class Recollection:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def recall(self, server: str, model: str) -> str | None:
        return await self.database.read(servers.recall, server, model)

    async def keep(self, server: str, model: str, manners: str) -> None:
        await self.database.write(servers.keep, server, model, manners)
