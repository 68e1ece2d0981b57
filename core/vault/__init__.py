"""The vault: how bytes are sealed for one place, and how the keys that do so are wrapped by the operator's own."""
