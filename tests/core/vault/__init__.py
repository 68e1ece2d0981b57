"""The vault: ciphers, envelopes and the ring, without a database."""
