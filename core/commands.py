"""The commands, once: every surface (slash commands, `!verb`, `@bot verb`, shortcuts, manifests) follows from this."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from core.memory import context
from core.memory.brevity import Cut
from core.memory.prompts import SUMMARIZE
from core.seam.messages import Audience, Choice, Inbound
from core.session import Progress, SessionKey, Turn, Validity
from core.store import Connection, backscroll, queue, segments, turns

_CHOICES = 20  # as many sessions as a person can choose from at a glance


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a command has before it: the session, the command's own turn, and what the program knows.

    `budget` is the window's in the model's tokens, `room` the same by our count; the instructions take `fixed` of it.
    `context` is what the model takes in at all, where that is less than the operator would have shown it.
    `may_stop` are the people who may end another's answer; None is everyone.
    """

    key: SessionKey
    turn: Turn
    model: str
    budget: int
    room: int
    fixed: int
    cut: Cut
    may_stop: Collection[str] | None
    context: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A command's answer, what the asker may choose from, and the seq before which an answer was stopped."""

    text: str
    choices: tuple[Choice, ...] = ()
    stopped: int | None = None


Effect = Callable[[Connection, Desk], Said]
"""What a command does and says, in the transaction that stores its answer: both happen, once, or neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A message with a verb. `help` is one line of at most 100 characters; a `private` answer is for the asker.

    `at_once` commands don't queue behind a running answer. Either `effect` is run, or the model
    is asked `prompt` about the window. `anywhere` says that no session is needed.
    """

    name: str
    help: str
    private: bool = False
    at_once: bool = False
    anywhere: bool = False
    effect: Effect | None = None
    prompt: str | None = None


def parse(message: Inbound) -> str | None:
    """The verb of a command; None for talk.

    `!verb` counts wherever it is read; a bare verb only when the bot is mentioned and nothing else is said.
    A word that is not a known command is talk, unless the platform itself says that it is a command.
    """
    if message.verb is not None:
        return message.verb.lower()
    words = message.text.split()
    first = words[0].lower() if words else ""
    if first.startswith(("!", "/")) and first[1:] in COMMANDS:
        return first[1:]
    alone = message.audience is Audience.BOT and len(words) == 1
    return first if alone and first in COMMANDS else None


def find(verb: str) -> Command:
    """The command with this name, or the one that says that there is none."""
    return COMMANDS.get(verb, UNKNOWN)


def needs_choice(command: Command, turn: Turn) -> bool:
    """Whether nobody can know which session this command is for: then its asker is asked, in private."""
    return turn.envelope.vague and not command.anywhere


def run(connection: Connection, command: Command, desk: Desk) -> Said:
    """Does what a command does; where it can't know which session is meant, it lets the asker choose."""
    if needs_choice(command, desk.turn):
        return choose(connection, command, desk.key)
    assert command.effect is not None, "commands with a prompt are answered by the model"  # noqa: S101
    return command.effect(connection, desk)


def choose(connection: Connection, command: Command, key: SessionKey) -> Said:
    """The live sessions around this one's channel, for the asker to choose from."""
    found = backscroll.live_sessions(connection, key, limit=_CHOICES)
    if not found:
        return Said(
            text="There is no session in this channel yet. Mention me, and one begins in that message's thread."
        )
    choices = tuple(
        Choice(label=f"{_when(touched)} · {_opening(words)}", verb=command.name, address=address)
        for address, words, touched in found
    )
    return Said(
        text=f"Which session do you want to {command.name}? (In its thread, say `!{command.name}`.)", choices=choices
    )


def _opening(words: str) -> str:
    line = " ".join(words.split())
    return f"{line[:47]}…" if len(line) > 48 else line or "(no words)"


def _when(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _reset(connection: Connection, desk: Desk) -> Said:
    number = turns.count(connection, desk.key).all
    segments.reset(connection, desk.key, desk.turn.seq)
    if number == 0:
        return Said(text="There was nothing to set aside: this session is new.")
    return Said(text=f"A fresh start: I set {_turns(number)} aside. `undo` brings them back.")


def _undo(connection: Connection, desk: Desk) -> Said:
    before = turns.count(connection, desk.key).all
    undone = segments.undo(connection, desk.key, desk.turn.seq)
    number = turns.count(connection, desk.key).all
    if undone is None:
        return Said(text="There is no reset to undo.")
    if undone is segments.Kind.UNDO:
        return Said(text=f"The last undo is undone: I set {_turns(before - number)} aside again.")
    return Said(text=f"The last reset is undone: I remember {_turns(number)} again.")


def _status(connection: Connection, desk: Desk) -> Said:
    known = turns.count(connection, desk.key)
    if known.since is None:
        return Said(text=f"This session is new: I remember nothing here yet. Answers come from {desk.model}.")
    newest = [one for one in turns.newest(connection, desk.key, budget=desk.room) if one.validity is not Validity.STALE]
    window = context.build(None, newest, budget=desk.room, fixed=desk.fixed, cut=desk.cut)
    tokens = window.tokens * desk.budget // desk.room
    return Said(
        text=f"I remember {_turns(known.all - known.overheard)} here, since {_when(known.since)}{_beside(known)}.\n"
        f"My next answer will see {_seen(window, known)}: {tokens:,} of {desk.budget:,} tokens with instructions.\n"
        f"Answers come from {desk.model}{_size(desk)}."
    )


def _beside(known: turns.Count) -> str:
    """What is remembered beside the session's own turns."""
    if not known.overheard:
        return ""
    return f", and {known.overheard:,} message{'s' if known.overheard > 1 else ''} around them that I overheard"


def _seen(window: context.Window, known: turns.Count) -> str:
    """What of that a window holds: own turns first."""
    own, overheard = window.turns - window.overheard, window.overheard
    seen = "all of them" if own == known.all - known.overheard else f"the newest {own:,} of them"
    if not known.overheard:
        return seen
    every = own == known.all - known.overheard and overheard == known.overheard
    return seen if every else f"{seen.removesuffix(' of them')} of my turns and {overheard:,} of what I overheard"


def _size(desk: Desk) -> str:
    return (
        "" if desk.context is None else f", whose context of {desk.context:,} tokens is smaller than its window may be"
    )


def _stop(connection: Connection, desk: Desk) -> Said:
    """Reaches the answer wherever it is being written. Commands that are done in a moment are not stopped."""
    waiting = turns.first_waiting(connection, desk.key, _CHOICES)
    running = next((turn for turn in waiting if turn.progress is Progress.WAITING and _is_long(turn)), None)
    if running is None:
        return Said(text="There is no answer to stop.")
    if not _may_stop(desk, running):
        asker = running.author.name if running.author is not None else "somebody else"
        return Said(text=f"This answer is for {asker}: only they, and those whom my operator names, may stop it.")
    queue.stop(connection, desk.key, desk.turn.seq)
    return Said(text="Stopped.", stopped=desk.turn.seq)


def _is_long(turn: Turn) -> bool:
    return turn.verb is None or find(turn.verb).prompt is not None


def _may_stop(desk: Desk, running: Turn) -> bool:
    stopper, asker = desk.turn.author, running.author
    return (
        desk.may_stop is None
        or stopper is None
        or stopper.id in desk.may_stop
        or (asker is not None and stopper.id == asker.id)
    )


def _help(_connection: Connection, _desk: Desk) -> Said:
    lines = [f"- `{command.name}`: {command.help}" for command in COMMANDS.values()]
    return Said(text="\n".join(["Say `!` and one of these words, or mention me with the word alone:", "", *lines]))


def _unknown(connection: Connection, desk: Desk) -> Said:
    return Said(text=f"I don't know the command `{desk.turn.verb}`.\n\n{_help(connection, desk).text}")


def _turns(number: int) -> str:
    return f"{number:,} turn" if number == 1 else f"{number:,} turns"


COMMANDS = {
    command.name: command
    for command in (
        Command(
            name="reset", help="Start afresh: I set aside what was said so far; undo brings it back", effect=_reset
        ),
        Command(name="undo", help="Take the last reset back, or where none is left, the last undo", effect=_undo),
        Command(name="summarize", help="Post a summary of this session so far", prompt=SUMMARIZE),
        Command(
            name="status",
            help="Show what I remember here, and which model answers",
            private=True,
            at_once=True,
            effect=_status,
        ),
        Command(
            name="stop",
            help="Stop the answer that I am writing; what is on screen stays",
            at_once=True,
            effect=_stop,
        ),
        Command(name="help", help="List these commands", private=True, at_once=True, anywhere=True, effect=_help),
    )
}

UNKNOWN = Command(
    name="unknown", help="Say that there is no such command", private=True, at_once=True, anywhere=True, effect=_unknown
)
