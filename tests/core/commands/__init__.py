"""What there is to say with a verb, and what it does."""
