"""The tables of what is kept beside conversations: who hears, what is set and preferred, what was paid."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table, Text, text

from core.schema.naming import metadata

presence = Table(
    "presence",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),  # the platform's nameless one
    Column("heard_at", BigInteger, nullable=False),  # up to here, all that was said reached us
)

chores = Table(
    "chores",
    metadata,
    Column("name", Text, primary_key=True),
    Column("place", Text, primary_key=True),  # the platform or session that it is for; empty for the deployment
    Column("owner", Text),  # the process that is at it
    Column(
        "due_at", BigInteger, nullable=False
    ),  # when anybody may take it on, unless its owner says before that it lives
)

usage = Table(
    "usage",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),  # days since 1970, UTC
    Column("author", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("answers", BigInteger, nullable=False),
    Column("shown", BigInteger, nullable=False),  # tokens, as billed
    Column("cached", BigInteger, nullable=False),
    Column("cache_written", BigInteger, nullable=False, server_default=text("0")),
    Column("written", BigInteger, nullable=False),
)

calls = Table(
    "calls",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("call", BigInteger, primary_key=True, autoincrement=False),  # grows with time
    Column("session", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("author", Text),
    Column("purpose", Text, nullable=False),  # answer, summary, fold
    Column("model", Text, nullable=False),
    Column("outcome", Text, nullable=False),  # answered, length, filter, stopped, or an error's name
    Column("shown", Integer, nullable=False),  # tokens, as billed
    Column("cached", Integer, nullable=False),
    Column("cache_written", Integer, nullable=False, server_default=text("0")),
    Column("written", Integer, nullable=False),
    Column("reasoning", Integer, nullable=False),
    Column("estimated", Boolean, nullable=False),  # the server did not tell; they are our own count
    Index("ix_calls_workspace_session", "workspace", "session"),
)

servers = Table(
    "servers",
    metadata,
    Column("server", Text, primary_key=True),  # the address and the API's setting: of no workspace
    Column("model", Text, primary_key=True),
    Column("manners", Text, nullable=False),  # what it turned out to be like (JSON)
    Column("learnt_at", BigInteger, nullable=False),
)

policies = Table(
    "policies",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("scope", Text, primary_key=True),  # empty for the workspace's; else the ID of the channel's address
    Column("settings", Text, nullable=False),  # what is set, by name, as it was said (JSON)
)

preferences = Table(
    "preferences",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("author", Text, primary_key=True),  # the platform's stable ID
    Column("body", LargeBinary, nullable=False),  # values by their names (JSON); empty where all is taken back
)

rejections = Table(
    "rejections",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("rejected_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

audit = Table(  # who did what: rows are only added, and go when their time is over; see `core/store/audit.py`
    "audit",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text),  # the platform's stable ID; NULL for the operator
    Column("deed", Text, nullable=False),
    Column("session", Integer, nullable=False),  # 0 for the workspace itself
    Column("outcome", Text, nullable=False),  # done, denied
    Column("hash", LargeBinary, nullable=False),  # of this row and the hash before it
    Index("ix_audit_at", "at"),
)

audit_chains = Table(
    "audit_chains",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("first", LargeBinary, nullable=False),  # number and hash of the row before the oldest one
    Column("last", LargeBinary, nullable=False),  # number and hash of the newest one
)
