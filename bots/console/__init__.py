"""The console: Backscroll for one person at a terminal, and for scripts through a pipe."""

from bots.console.adapter import ConsoleAdapter, from_settings

__all__ = ["ConsoleAdapter", "from_settings"]
