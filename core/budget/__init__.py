"""Budgets and rates: what may be spent in a place and by a person, and whether a call of the model still fits in."""
