"""How a function of a `Connection` becomes a transaction, on SQLite and on PostgreSQL."""
