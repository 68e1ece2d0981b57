"""Work that no message asked for."""
