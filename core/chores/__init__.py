"""Chores: work that no message asked for."""
