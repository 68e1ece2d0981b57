"""The tables. Alembic's migrations are the only way to them; a test holds the two against each other.

The workspace leads every key, so that the tables can be partitioned or sharded by it. Workspaces and sessions are small
integers in the keys, because they stand in every row and every index. Sessions are numbered within their workspace.
Times are milliseconds since 1970 by the database's own clock; but `turns.at` and `sessions.live_since` are microseconds
by the platform's, which is as fine as Slack's.
Bodies are opaque bytes to the store.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

workspaces = Table(
    "workspaces",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=True),
    Column("platform", Text, nullable=False),
    Column("name", Text, nullable=False),  # Slack team, Discord guild, `@me`; empty for what names no workspace
    Column("sessions", Integer, nullable=False),  # how many were born: the source of their numbers
    UniqueConstraint("platform", "name"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("session", Integer, primary_key=True, autoincrement=False),
    Column("address", Text, nullable=False),  # the session ID
    Column("platform", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("tail", Integer, nullable=False),  # the newest seq
    Column("waiting", Integer, nullable=False),  # turns to be answered
    Column("live_since", BigInteger),  # when the bot was first talked to here, by the platform's clock
    Column("heard", Boolean, nullable=False),  # what was said before the birth has been read, or is not to be
    # The newest segment, kept here so that a window needs no second look. A release that knows its number by the name
    # in the database may still be running.
    Column("epoch", Integer, nullable=False, key="segment"),  # 0 for none
    Column("start", Integer, nullable=False),  # the window holds turns with a greater seq
    Column("fence", Integer, nullable=False),  # + 1 by every claim
    Column("owner", Text),  # host:boot/space:pid@start:random of the holder
    Column("due_at", BigInteger),  # NULL idle; past: to be claimed; future: leased (with an owner) or backing off
    Column("attempts", Integer, nullable=False),  # claims since the last turn that ended, but for those that follow:
    Column("deaths", SmallInteger, nullable=False, server_default=text("0")),  # claims that ended with their process
    Column("touched_at", BigInteger, nullable=False),
    Column("news", Boolean, nullable=False, server_default=false()),  # what waits has changed: the holder looks again
    Column("stop", Integer),  # what is being answered of before this seq is to end where it is
    UniqueConstraint("workspace", "address"),
    Index(
        "ix_sessions_news",
        "workspace",
        "session",
        postgresql_where=text("news OR stop IS NOT NULL"),
        sqlite_where=text("news OR stop IS NOT NULL"),
    ),
    Index(
        "ix_sessions_due_at",
        "due_at",
        postgresql_where=text("due_at IS NOT NULL"),
        sqlite_where=text("due_at IS NOT NULL"),
    ),
    Index("ix_sessions_workspace_channel_touched_at", "workspace", "channel", "touched_at"),
)

segments = Table(  # which turns a session's memory consists of: rows are only added
    "segments",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("session", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),  # the greatest is the view
    Column("kind", Text, nullable=False),  # reset, closed, undo
    Column("shown", Integer, nullable=False),  # the session whose turns are shown
    Column("start", Integer, nullable=False),  # those with a greater seq
    Column("back_to", Integer),  # an undo's: the segment that is shown again; 0 is everything
    Column("seq", Integer),  # the turn that asked for it; nobody's if the place was closed
    Column("opened_at", BigInteger, nullable=False),
)

turns = Table(
    "turns",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("session", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("role", SmallInteger, primary_key=True, autoincrement=False),
    Column("kind", SmallInteger, nullable=False, server_default=text("0")),  # said to us, overheard, a command …
    Column("progress", SmallInteger, nullable=False, server_default=text("0")),  # how far it has come
    Column("validity", SmallInteger, nullable=False, server_default=text("0")),  # whether its words hold
    Column("at", BigInteger, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("message", Text),  # the platform's ID of a person's message
    Column("author", Text),  # the platform's stable ID
    Column("name", Text),  # the display name at that time
    Column("verb", Text),  # a command; commands are not shown to the model
    Column("notice", Text),  # the name of a notice of our own, which nobody has said
    Column("model", Text),  # which model wrote it
    Column("error", Text),  # why the last attempt failed
    Column("envelope", Text),  # what answering needs (JSON); gone when the turn is over
    Column("edited_at", BigInteger),  # the newest change of the message, by the platform's clock
    Column("covers", Integer),  # a summary's first seq: it tells of the turns from there up to its own
    Column("quotes", SmallInteger),  # how many it came with
    Column("follows", Integer),  # of what was overheard: the newest seq before it that was not, or not after that
    Column("body", LargeBinary, nullable=False),
    Index(
        "uq_turns_message",
        "workspace",
        "message",  # before the session: what arrives goes to the end
        "session",
        unique=True,
        postgresql_where=text("message IS NOT NULL"),
        sqlite_where=text("message IS NOT NULL"),
    ),
    Index(
        "uq_turns_notice",
        "workspace",
        "session",
        "notice",
        unique=True,
        postgresql_where=text("notice IS NOT NULL"),
        sqlite_where=text("notice IS NOT NULL"),
    ),
    Index(
        "ix_turns_dead",
        "workspace",
        "session",
        "seq",
        postgresql_where=text("error IS NOT NULL"),
        sqlite_where=text("error IS NOT NULL"),
    ),
    Index(
        "ix_turns_waiting",
        "workspace",
        "session",
        "at",
        "seq",
        postgresql_where=text("envelope IS NOT NULL"),
        sqlite_where=text("envelope IS NOT NULL"),
    ),
)

quotes = Table(
    "quotes",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("session", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("place", SmallInteger, primary_key=True, autoincrement=False),  # in its turn
    Column("kind", Text, nullable=False),
    Column("author", Text),  # the platform's stable ID
    Column("name", Text),
    Column("at", BigInteger),  # when it was said, by the platform's clock
    Column("title", Text, nullable=False),
    Column("message", Text),  # the platform's ID of what is quoted, where it can be edited and deleted
    Column("source", Text),  # the adapter's note by which it is fetched
    Column("unread", Text),  # why it could not be
    Column("edited_at", BigInteger),  # the newest edit of what is quoted that we know, by the platform's clock
    Column("body", LargeBinary, nullable=False),
    Index(
        "ix_quotes_message",
        "workspace",
        "message",
        postgresql_where=text("message IS NOT NULL"),
        sqlite_where=text("message IS NOT NULL"),
    ),
)

gone = Table(
    "gone",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("channel", Text, primary_key=True),  # the ID of its address
    Column("message", Text, primary_key=True),  # the platform's ID of what was deleted lately
    Column("gone_at", BigInteger, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("session", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("part", SmallInteger, primary_key=True, autoincrement=False),
    Column("state", SmallInteger, nullable=False),
    Column("tries", SmallInteger, nullable=False),  # calls that may have put it on screen
    Column("message", Text),  # the platform's ID, once it is known
    Column("draft", Text),  # the message that is growing on screen (JSON)
    Column("error", Text),
    Column("body", LargeBinary),  # what is to be posted and no turn has; gone, or empty where doubtful, once it is sent
    Column("due_at", BigInteger),  # when it is reconciled, being uncertain
    Index(
        "ix_deliveries_failed",
        "workspace",
        "session",
        "seq",
        postgresql_where=text("error IS NOT NULL"),
        sqlite_where=text("error IS NOT NULL"),
    ),
    Index(
        "ix_deliveries_due_at",
        "due_at",
        postgresql_where=text("due_at IS NOT NULL"),
        sqlite_where=text("due_at IS NOT NULL"),
    ),
    sqlite_with_rowid=False,  # in the order of the key, the room that a text leaves is used again
)

presence = Table(
    "presence",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),  # the platform's nameless one
    Column("heard_at", BigInteger, nullable=False),  # up to here, all that was said reached us
    Column("owner", Text),  # who is catching up
    Column("due_at", BigInteger),  # until when
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
    Column("cached", BigInteger, nullable=False),  # of those: found in the provider's prompt cache
    Column("cache_written", BigInteger, nullable=False, server_default=text("0")),  # of those: kept there
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
    Column("purpose", Text, nullable=False),  # answer, summary
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

rejections = Table(
    "rejections",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("rejected_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
