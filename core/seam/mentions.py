"""Mentions: how a door writes them in a text, so that nobody passes for several people, or for another, by a name."""


def mention(name: str, person: str = "") -> str:
    """`@Ada (U123)`, or `@team` where no ID goes with it.

    Where people are listed, commas part them, so a name has none: `@Doe, Jane (U123)` is one person, and
    `@x (U0), everyone, @y (U123)` would be four.
    """
    called = "@" + " ".join(name.replace(",", " ").split())
    return f"{called} ({person})" if person else called
