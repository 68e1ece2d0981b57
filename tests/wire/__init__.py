"""Servers on loopback that speak the real wire of each platform."""
