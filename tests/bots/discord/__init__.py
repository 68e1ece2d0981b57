"""The Discord adapter, driven through the real discord.py against a server on loopback."""
