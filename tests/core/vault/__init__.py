"""The vault: ciphers, packets and the ring, without a database."""
