"""What people see: every word that leaves, once, in order, and put right where it went wrong."""
