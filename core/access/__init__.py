"""Access: who may talk with the bot at all, and what a person may do to a session."""

from core.access.admission import Denial, denial, is_heard, is_unheard, quotable, shut_out
from core.access.rights import GRANTED, Access, Deed, Permission

__all__ = [
    "GRANTED",
    "Access",
    "Deed",
    "Denial",
    "Permission",
    "denial",
    "is_heard",
    "is_unheard",
    "quotable",
    "shut_out",
]
