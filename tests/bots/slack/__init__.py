"""Slack: its adapter on its own wire."""
