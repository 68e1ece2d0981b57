"""Access: who may talk with the bot at all, and what a person may do to a session."""

from core.access.admission import Refusal, is_heard, refusal, shuts_out
from core.access.rights import GRANTED, Access, Deed, Permission

__all__ = ["GRANTED", "Access", "Deed", "Permission", "Refusal", "is_heard", "refusal", "shuts_out"]
