"""The doors of Backscroll: one platform each."""
