"""The seam: all that a door to a platform sees of the core."""
