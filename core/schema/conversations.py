"""The tables of what people and we say: sessions, their turns, and what is on its way to the screen."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from core.schema.naming import metadata


def _some(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows alone of which this is true, on both databases."""
    return Index(name, *columns, unique=unique, postgresql_where=text(where), sqlite_where=text(where))


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
    Column("backscroll_read", Boolean, nullable=False),  # or is not to be: what was said before the birth
    Column("segment", Integer, nullable=False),  # the newest, here so that a window needs no second look; 0 for none
    Column("start", Integer, nullable=False),  # the window holds turns with a greater seq
    Column("fence", Integer, nullable=False),  # + 1 by every claim
    Column("owner", Text),  # host:boot/space:pid@start:random of the holder
    Column("due_at", BigInteger),  # NULL idle; past: to be claimed; future: leased (with an owner) or backing off
    Column("attempts", Integer, nullable=False),  # claims since the last turn that ended, but for those that follow:
    Column("deaths", SmallInteger, nullable=False, server_default=text("0")),  # claims that ended with their process
    Column("touched_at", BigInteger, nullable=False),
    Column("spoken_at", BigInteger),  # when people last talked with us, commands apart; NULL never
    Column("silent_since", BigInteger),  # when they had before that
    Column("present_since", BigInteger),  # from its first talk, or its waking, to its time-out
    Column("public", Boolean),  # whether all of the workspace may see its place; NULL not known
    Column("unrecorded_until", BigInteger),  # the end of the newest stretch off the record, by the platform's clock
    Column("news", Boolean, nullable=False, server_default=false()),  # what waits has changed: the holder looks again
    Column("stop", Integer),  # what is being answered of before this seq is to end where it is
    UniqueConstraint("workspace", "address"),
    _some("ix_sessions_news", "workspace", "session", where="news OR stop IS NOT NULL"),
    _some("ix_sessions_due_at", "due_at", where="due_at IS NOT NULL"),
    Index("ix_sessions_workspace_channel_touched_at", "workspace", "channel", "touched_at"),
    _some(
        "ix_sessions_present",
        "workspace",
        "session",  # which no message changes
        where="present_since IS NOT NULL",
    ),
)

segments = Table(  # which turns a session's memory consists of: rows are only added
    "segments",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("session", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),  # the greatest is the view
    Column("kind", Text, nullable=False),  # reset, closed, undo, timed out
    Column("shown", Integer, nullable=False),  # the session whose turns are shown
    Column("start", Integer, nullable=False),  # those with a greater seq
    Column("back_to", Integer),  # an undo's or a time-out's: the segment that is shown; 0 is everything
    Column("seq", Integer),  # the turn that asked for it; nobody's if the place was closed, or it was timed out
    Column("opened_at", BigInteger, nullable=False),
)

unrecorded = Table(  # off the record: no word is kept of what was said after `since` and before `until`
    "unrecorded",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("session", Integer, primary_key=True, autoincrement=False),
    Column("since", BigInteger, primary_key=True, autoincrement=False),  # microseconds, as `turns.at`
    Column("until", BigInteger, nullable=False),
    Column("told", Boolean, nullable=False),  # that it is over
    _some("ix_unrecorded_until", "until", where="NOT told"),
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
    Column("slip", Text),  # what is only known while it waits (JSON); gone when the turn is over
    Column("edited_at", BigInteger),  # the newest change of the message, by the platform's clock
    Column("covers", Integer),  # a summary's first seq: it tells of the turns from there up to its own
    Column("shown_seqs", Text),  # of an answer: which turns before its question the model was shown, -3..20,25
    Column("shown_parts", Text),  # and of what parts: checkpoints:1..40=300,turns=950
    Column("quotes", SmallInteger),  # how many it came with
    Column("changes", SmallInteger),  # how often its words have changed
    Column("follows", Integer),  # of what was overheard: the newest seq before it that was not, or not after that
    Column("body", LargeBinary, nullable=False),
    _some(
        "uq_turns_message",
        "workspace",
        "message",  # before the session: what arrives goes to the end
        "session",
        unique=True,
        where="message IS NOT NULL",
    ),
    _some("uq_turns_notice", "workspace", "session", "notice", unique=True, where="notice IS NOT NULL"),
    _some("ix_turns_dead", "workspace", "session", "seq", where="error IS NOT NULL"),
    _some("ix_turns_covers", "workspace", "session", "seq", where="covers IS NOT NULL"),
    _some("ix_turns_waiting", "workspace", "session", "at", "seq", where="slip IS NOT NULL"),
    _some("ix_turns_edited_at", "workspace", "session", "edited_at", where="edited_at IS NOT NULL"),
)

checkpoints = Table(  # texts in place of folded turns
    "checkpoints",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("session", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),  # in the order in which they were made
    Column("kind", SmallInteger, nullable=False),  # checkpoint, node, old summary, state
    Column("level", SmallInteger, nullable=False),  # of a node: 1 for one over checkpoints
    Column("first", Integer, nullable=False),  # it tells of the turns from this seq
    Column("last", Integer, nullable=False),  # to this one
    Column("since", BigInteger, nullable=False, server_default=text("0")),  # when the first of them was said, and the
    Column("until", BigInteger, nullable=False, server_default=text("0")),  # last: microseconds, as `turns.at`
    Column("tokens", Integer, nullable=False),
    Column("validity", SmallInteger, nullable=False),
    Column("changes", Integer, nullable=False),  # how often something that it tells of has changed
    Column("made_at", BigInteger, nullable=False),
    Column("model", Text, nullable=False),  # which wrote it
    Column("body", LargeBinary, nullable=False),
    Index("ix_checkpoints_validity_kind_last", "workspace", "session", "validity", "kind", "last"),
)

folds = Table(  # sessions that are due to be folded, or whose fold has failed
    "folds",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("session", Integer, primary_key=True, autoincrement=False),
    Column("due_at", BigInteger, nullable=False),
    Column("failures", SmallInteger, nullable=False),  # in a row
    Index("ix_folds_due_at", "due_at"),
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
    Column("copied", Text),  # the platform's ID of what it is a copy of, while nobody knows whose words these are
    _some("ix_quotes_message", "workspace", "message", where="message IS NOT NULL"),
    _some("ix_quotes_copied", "workspace", "copied", where="copied IS NOT NULL"),
)

gone = Table(
    "gone",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("channel", Text, primary_key=True),  # the ID of its address
    Column("message", Text, primary_key=True),  # the platform's ID of what was deleted lately
    Column("gone_at", BigInteger, nullable=False),
)

deliveries = Table(  # of a day, and what is not certain: few in a session, so that they need no index by their messages
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
    _some("ix_deliveries_failed", "workspace", "session", "seq", where="error IS NOT NULL"),
    _some("ix_deliveries_due_at", "due_at", where="due_at IS NOT NULL"),
    sqlite_with_rowid=False,  # in the order of the key, the room that a text leaves is used again
)

parts = Table(  # which messages an answer of several has become, when that is a day ago
    "parts",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("session", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("part", SmallInteger, primary_key=True, autoincrement=False),
    Column("message", Text, nullable=False),  # the platform's ID
    Index("ix_parts_message", "workspace", "message", "session"),
    sqlite_with_rowid=False,
)
