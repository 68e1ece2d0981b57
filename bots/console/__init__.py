"""The console: Backscroll for one person at a terminal, and for scripts through a pipe."""

from bots.console.adapter import ConsoleAdapter

__all__ = ["ConsoleAdapter"]
