"""Columns by the words that are meant, and what an answer was shown.

One word for one thing, in the database too. What is only known of a turn while it waits is its slip: an envelope is how
a message is written for the model. To hear is to be connected: whether what was said before a session's birth has been
read is told of its backscroll. What was an epoch has been a segment since 0011.

Which turns a model was shown for its answer is stored with that; it is not known of answers of before, nor told of
those on the way down.

A process of the release before this one can't go on: nothing that it is sent is stored, or acknowledged, and what was
sent meanwhile is found by those that follow. So end it first, as for 0012.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_NAMES = (("turns", "envelope", "slip"), ("sessions", "heard", "backscroll_read"), ("sessions", "epoch", "segment"))


def upgrade() -> None:
    for table, before, after in _NAMES:
        op.alter_column(table, before, new_column_name=after)
    op.add_column("turns", sa.Column("shown_seqs", sa.Text()))


def downgrade() -> None:
    op.drop_column("turns", "shown_seqs")
    for table, before, after in _NAMES:
        op.alter_column(table, after, new_column_name=before)
