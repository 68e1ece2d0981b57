"""The database: what is remembered, in the order in which it must happen.

Every statement is a plain function of a `Connection`, the same on SQLite and on PostgreSQL; `Database.write` and
`Database.read` run it as one transaction, which is never open while the network is awaited.

`inbound` holds how a message is accepted, `queue` who answers what and when, `turns` what was said (`backscroll` what
was said before, `segments` what of it is shown, `bodies` how its words are stored), `notices` what we say by ourselves,
`answering` how an answer is stored, `deliveries` what must still be said, and `receipts` what has arrived.
"""

from sqlalchemy import Connection

from core.store.engine.copying import copy as copy_sqlite
from core.store.engine.database import Database, connect, sqlite_files, without_password

__all__ = ["Connection", "Database", "connect", "copy_sqlite", "sqlite_files", "without_password"]
