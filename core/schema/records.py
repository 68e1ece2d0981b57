"""The tables of what is kept beside conversations: who hears, what is set and preferred, what was paid."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, Table, Text, text

from core.schema.naming import metadata

presence = Table(
    "presence",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),  # the platform's nameless one
    Column("heard_at", BigInteger, nullable=False),  # up to here, all that was said reached us
)

hearers = Table(  # which process hears which platform now
    "hearers",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),  # the platform's nameless one
    Column("owner", Text, primary_key=True),  # the process
    Column("heard_at", BigInteger, nullable=False),
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

usage = Table(  # of the releases before; `spent` is in its place
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
    Index("ix_calls_workspace_session_seq_call", "workspace", "session", "seq", "call"),
)

spent = Table(  # what calls have cost, in tokens: prices are put to them when somebody asks
    "spent",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),  # days since 1970, by the workspace's zone
    Column("channel", Text, primary_key=True),  # the ID of its address
    Column("author", Text, primary_key=True),  # the asker; empty for what nobody asked for
    Column("model", Text, primary_key=True),
    Column("above", Integer, primary_key=True, autoincrement=False),  # each was shown more tokens than this
    Column("calls", BigInteger, nullable=False),
    Column("shown", BigInteger, nullable=False),  # tokens, as billed, or our own count
    Column("cached", BigInteger, nullable=False),
    Column("cache_written", BigInteger, nullable=False),
    Column("written", BigInteger, nullable=False),
)

holds = Table(  # what calls may cost that are being made, where there is a budget
    "holds",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("hold", BigInteger, primary_key=True, autoincrement=False),  # grows with time
    Column("channel", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("shown", Integer, nullable=False),  # tokens, at most; 0 once it is settled
    Column("written", Integer, nullable=False),
    Column("held_at", BigInteger, nullable=False),
    Column("session", Integer, nullable=False),
    Column("seq", Integer),  # the question, or a number for it as it was edited, all of whose calls are one request
    Column("fence", Integer),  # of the lease with which it ends
    Column("until", BigInteger),  # when it ends that has no lease
    Column("settled", Boolean, nullable=False),  # it is kept a while, as a request
)

warned = Table(  # of which budgets people have been told that they are nearly used up
    "warned",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("channel", Text, primary_key=True),  # empty for a budget of all channels
    Column("author", Text, primary_key=True),  # empty for one of all people
    Column("cap", Text, primary_key=True),  # as people say it: 5 usd/day
    Column("since", Integer, nullable=False),  # the first day of the period for which they were told last
)

pseudonyms = Table(  # by which secret the author in `spent` is hashed of whoever was forgotten; see the store's
    "pseudonyms",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("secret", LargeBinary, nullable=False),
)

servers = Table(
    "servers",
    metadata,
    Column("server", Text, primary_key=True),  # the address and the API's setting: of no workspace
    Column("model", Text, primary_key=True),
    Column("manners", Text, nullable=False),  # what it turned out to be like (JSON)
    Column("learnt_at", BigInteger, nullable=False),
)

measures = Table(
    "measures",
    metadata,
    Column("server", Text, primary_key=True),  # its address: of no workspace
    Column("model", Text, primary_key=True),
    Column("measure", Float, nullable=False),  # see core.model.calibration
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

erasures = Table(  # what is to be forgotten, and how far that has come
    "erasures",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("scope", Text, primary_key=True),  # person, session, channel, workspace
    Column("subject", Text, primary_key=True),  # a person's ID, that of an address; empty for the workspace
    Column("before", BigInteger),  # what was said from then on is a new beginning (as `turns.at`); NULL for all
    Column("session", Integer),  # where it was asked for, and is told; NULL for the operator
    Column("seq", Integer),  # the turn that asked for it
    Column("author", Text),  # who did
    Column("last_key", Integer),  # the number of the data key that is to be destroyed, and those before it
    Column("after", Text, nullable=False),  # what was said in channels up to this one, in their order, is gone
    Column("counts", Text, nullable=False),  # how much is gone so far (JSON)
    Column("done_at", BigInteger),  # NULL while it is under way
)

denials = Table(
    "denials",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),
    Column("channel", Text, primary_key=True),  # the ID of its address
    Column("author", Text, primary_key=True),  # whoever is not talked with there
    Column("told_at", BigInteger, nullable=False),
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

data_keys = Table(  # by which bodies are sealed; see `core/store/keys.py`
    "data_keys",
    metadata,
    Column("workspace", Integer, primary_key=True, autoincrement=False),  # 0 is the deployment
    Column("number", Integer, primary_key=True, autoincrement=False),  # which stands in front of what it has sealed
    Column("author", Text, nullable=False),  # whose own words it is for, by the platform's ID; empty for all others
    Column("ring", Text, nullable=False),  # the fingerprint of the key that wraps it
    Column("made_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),  # when it was made, or destroyed
    Column("wrapped", LargeBinary, nullable=False),  # empty where it was destroyed
    Index("ix_data_keys_workspace_author", "workspace", "author", "number"),
    Index("ix_data_keys_changed_at", "changed_at"),
)
