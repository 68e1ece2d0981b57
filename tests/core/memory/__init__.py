"""What the model is shown: what a session remembers, cut to fit."""
