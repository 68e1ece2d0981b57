"""The assistant: one turn is answered, be it a question or a command."""
