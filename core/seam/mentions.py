"""Mentions: how a door writes them in a text, so that nobody passes for several people, or for another, by a name."""

from re import compile as pattern

_MARKS = pattern(r"[`*_~\[\]()<>|#@\\!:/\u115f\u1160\u2800\u3164\uffa0]+")  # and what is blank


_LISTED = str.maketrans(",()", "   ")
"""What means something where people are listed."""


def plain(name: str) -> str:
    """A name that anybody may choose, as a sentence of ours can have it: no link, mark or mention, on one line."""
    printed = "".join(one if one.isprintable() else " " for one in name)
    return " ".join(_MARKS.sub(" ", printed).split())[:60]


def mention(name: str, person: str = "") -> str:
    """`@Ada (U123)`, or `@team` where no ID goes with it.

    Where people are listed, commas part them, so a name has none: `@Doe, Jane (U123)` is one person, and
    `@x (U0), everyone, @y (U123)` would be four. Nor has it brackets: a role that is called `x (U0)` is no person.
    """
    called = "@" + " ".join(name.translate(_LISTED).split())
    return f"{called} ({person})" if person else called
