"""Preferences: what people are told of their own, and how they change them."""

from collections.abc import Mapping
from contextlib import suppress

from core.commands.table import COMMANDS
from core.memory.preferences import KNOWN, Unfit, told
from core.policy import SETTINGS, Level, Policy, Wrong
from core.seam.forms import Field
from core.seam.messages import Author
from core.session import SessionKey
from core.store import Connection, preferences


def change(connection: Connection, key: SessionKey, asker: Author, given: Mapping[str, str]) -> str:
    """Notes what a command was given, or without a value takes it back; what is said to it."""
    name, said = given["name"], given.get("value")
    try:
        value = None if said is None else KNOWN[name].parse(said)
    except Unfit as why:
        return str(why)
    before = preferences.change(connection, key, asker.id, name, value)
    if value is not None:
        return f"From your next message on, your {name} is {_code(value)}. `prefer {name}` takes it back."
    if before is None:
        return f"You have told me nothing for `{name}` that I could take back."
    return f"From your next message on, I know nothing of your {name} any more."


def listed(connection: Connection, key: SessionKey, asker: Author) -> str:
    """What this person prefers, as Markdown."""
    wishes = told(preferences.of(connection, key, asker.id))
    if not wishes:
        return f"You have told me nothing of how you wish to be answered. Say `{COMMANDS['prefer'].usage}`."
    lines = "\n".join(f"- {name}: {_code(value)}" for name, value in wishes.items())
    return (
        f"This is how you wish to be answered. My model is told so with your newest message alone.\n\n{lines}\n\n"
        "`prefer` and one of these words takes it back."
    )


def under(policy: Policy, connection: Connection, key: SessionKey, asker: Author) -> Policy:
    """The policy as it holds for this person alone: of what they prefer, some is a setting, and nothing is nearer.

    What can't be read, as a newer release may have stored it, is passed over.
    """
    values = dict[str, object]()
    for name, said in told(preferences.of(connection, key, asker.id)).items():
        setting = SETTINGS.get(name)
        if setting is not None and Level.PERSON in setting.levels:
            with suppress(Wrong):
                values[name] = setting.read(said)
    return policy.with_values(Level.PERSON, values)


def fields(connection: Connection, key: SessionKey, asker: Author) -> tuple[Field, ...]:
    """What this person may prefer, each with what they have told us."""
    wishes = told(preferences.of(connection, key, asker.id))
    return tuple(
        Field(name=one.name, label=one.name, value=wishes.get(one.name, ""), most=one.most, lines=one.free)
        for one in KNOWN.values()
    )


def _code(words: str) -> str:
    """What somebody said, as it can be quoted in a line."""
    plain = words.replace("`", "'")
    return f"`{plain}`"
