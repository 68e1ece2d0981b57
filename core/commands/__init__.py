"""The commands: what there is (`table`), and what each of them does (`deeds`)."""
