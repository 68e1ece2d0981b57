"""The commands, once: every surface (slash commands, `!verb`, `@bot verb`, shortcuts, manifests) follows from this table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A message with a verb. `help` is one line of at most 100 characters; a `private` answer is for the asker alone."""

    name: str
    help: str
    private: bool = False
    at_once: bool = False


COMMANDS = {
    command.name: command
    for command in (
        Command(name="reset", help="Start afresh: I set aside what was said so far; undo brings it back"),
        Command(name="undo", help="Take the last reset back"),
        Command(name="summarize", help="Post a summary of this session so far"),
        Command(name="status", help="Show what I remember here, and which model answers", private=True, at_once=True),
        Command(name="stop", help="Stop the answer that I am writing; what is on screen stays", at_once=True),
        Command(name="help", help="List these commands", private=True, at_once=True),
    )
}
