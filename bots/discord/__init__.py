"""Discord: a gateway that hears, a REST client that speaks, and the translation between Discord's words and ours."""

from bots.discord.adapter import DiscordAdapter, from_settings

__all__ = ["DiscordAdapter", "from_settings"]
