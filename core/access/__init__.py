"""Access: what a person may do to a session."""

from core.access.rights import GRANTED, Access, Deed, Permission

__all__ = ["GRANTED", "Access", "Deed", "Permission"]
