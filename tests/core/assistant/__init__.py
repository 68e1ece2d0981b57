"""One turn is answered."""
