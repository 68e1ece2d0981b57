"""Discord: a gateway that hears, a REST client that speaks, and the translation between Discord's words and ours."""

from bots.discord.adapter import DiscordAdapter

__all__ = ["DiscordAdapter"]
