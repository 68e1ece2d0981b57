"""The doors and the program."""
