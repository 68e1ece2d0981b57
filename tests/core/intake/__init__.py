"""What comes in: stored before it is acknowledged, and looked for where it may have been missed."""
