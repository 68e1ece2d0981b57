"""Checkpoints: what a folded stretch of turns is told in, from what the model is asked to what it is shown later.

All of it is pure: `asked` says what the model is to write and what from, `checks` whether that can be used, `shown` how
it stands in a window.
"""
