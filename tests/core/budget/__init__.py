"""The room of budgets and rates."""
