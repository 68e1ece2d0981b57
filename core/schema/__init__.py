"""The tables. Alembic's migrations are the only way to them; a test holds the two against each other.

The workspace leads every key, so that the tables can be partitioned or sharded by it. Workspaces and sessions are small
integers in the keys, because they stand in every row and every index. Sessions are numbered within their workspace.
Times are milliseconds since 1970 by the database's own clock; but `turns.at`, `sessions.live_since`, and `since` and
`until` of a checkpoint or of what is unrecorded are microseconds by the platform's, which is as fine as Slack's.
Bodies are opaque bytes to the store.
"""

from core.schema.conversations import (
    checkpoints,
    deliveries,
    folds,
    gone,
    parts,
    quotes,
    segments,
    sessions,
    turns,
    unrecorded,
    workspaces,
)
from core.schema.naming import metadata
from core.schema.records import (
    audit,
    audit_chains,
    calls,
    chores,
    data_keys,
    denials,
    erasures,
    hearers,
    holds,
    measures,
    policies,
    preferences,
    presence,
    pseudonyms,
    rejections,
    servers,
    spent,
    usage,
    warned,
)

__all__ = [
    "audit",
    "audit_chains",
    "calls",
    "checkpoints",
    "chores",
    "data_keys",
    "deliveries",
    "denials",
    "erasures",
    "folds",
    "gone",
    "hearers",
    "holds",
    "measures",
    "metadata",
    "parts",
    "policies",
    "preferences",
    "presence",
    "pseudonyms",
    "quotes",
    "rejections",
    "segments",
    "servers",
    "sessions",
    "spent",
    "turns",
    "unrecorded",
    "usage",
    "warned",
    "workspaces",
]
