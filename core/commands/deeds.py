"""What commands do and say, each in the transaction that stores its answer; `table` says which there are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from core.access import GRANTED, Access, Deed, Permission
from core.commands import settings, wishes
from core.commands.table import COMMANDS, UNKNOWN, Command, Cost, Misfit, Shown, arguments, find
from core.memory.mind import Mind
from core.memory.prompts import SUMMARIZE
from core.memory.window import Window, build
from core.seam.messages import Author, Choice
from core.session import Progress, SessionKey, Turn, Validity
from core.store import Connection, backscroll, queue, remembered, segments, turns

_BEGIN = "There is no session in this channel yet. Mention me, and one begins in that message's thread."
_GO_ON = "No session in this channel is live. Say something to me in a thread of ours, and that one goes on."
_CHOICES = 20  # as many sessions as a person can choose from at a glance


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command that somebody has given: which one, by which turn, and in which session it is to be done.

    A turn that is a command has the line of its arguments for a text.
    """

    key: SessionKey
    turn: Turn
    command: Command

    @property
    def is_vague(self) -> bool:
        """Whether nobody can know which session this command is for: then its asker is asked, in private."""
        return self.turn.slip.vague and not self.command.anywhere

    @property
    def is_private(self) -> bool:
        """Whether what is said to it is for the asker alone."""
        return self.command.private or self.is_vague

    @property
    def arguments(self) -> Mapping[str, str]:
        """What it was given, by the names of its parameters. Raises Misfit."""
        return arguments(self.command, self.turn.text)

    @property
    def misfit(self) -> str | None:
        """What is wrong with its arguments, in a sentence; None where they fit."""
        try:
            arguments(self.command, self.turn.text)
        except Misfit as wrong:
            return str(wrong)
        return None

    @property
    def is_for_the_model(self) -> bool:
        """Whether the model is to answer it: it can be done, and takes more than a deed."""
        return self.command.cost is Cost.MODEL and not self.is_vague and self.misfit is None

    @property
    def prompt(self) -> str:
        """What the model is asked in the place of a command that is for it."""
        return PROMPTS[self.command.name](self.arguments)


def order(key: SessionKey, turn: Turn) -> Order | None:
    """The command that a turn is; None where it is talk."""
    return None if turn.verb is None else Order(key=key, turn=turn, command=find(turn.verb))


def named(turn: Turn) -> str | None:
    """The name in the table of the command that a turn is; None where it is talk."""
    return None if turn.verb is None else find(turn.verb).name


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a command has before it: the order, what people may do, and what answers in this session.

    `deployed` is what would answer if nothing was set for the session.
    """

    order: Order
    access: Access
    mind: Mind
    deployed: Mind

    @property
    def key(self) -> SessionKey:
        """The session that the command is for."""
        return self.order.key

    @property
    def turn(self) -> Turn:
        """The command's own turn."""
        return self.order.turn

    @property
    def asker(self) -> Author:
        """Who gave the command."""
        assert self.turn.author is not None  # noqa: S101 – every person's turn has one
        return self.turn.author

    def may(self, turn: Turn) -> Permission:
        """Whether whoever gave the command may do what it does to this turn."""
        deed = self.order.command.deed
        return GRANTED if deed is None else self.access.may(self.turn.author, deed, turn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A command's answer, what the asker may choose from, and the seq before which an answer was stopped."""

    text: str
    choices: tuple[Choice, ...] = ()
    stopped: int | None = None


Effect = Callable[[Connection, Desk], Said]
"""What a command does and says, in the transaction that stores its answer: both happen, once, or neither."""


_OF_THE_PLACE = (Deed.RESET, Deed.SET)
"""What is done to no one turn: whether it may be is known before it is done."""


def run(connection: Connection, desk: Desk) -> Said:
    """Does what a command does; where it can't know which session is meant, it lets the asker choose."""
    if desk.order.is_vague:
        return choose(connection, desk.order)
    if (wrong := desk.order.misfit) is not None:
        return Said(text=wrong)
    if desk.order.command.deed in _OF_THE_PLACE and (why := desk.may(desk.turn).reason) is not None:
        return Said(text=why)
    return EFFECTS[desk.order.command.name](connection, desk)


def choose(connection: Connection, order: Order) -> Said:
    """The live sessions around this one's channel, for the asker to choose from."""
    found = backscroll.live_sessions(connection, order.key, limit=_CHOICES)
    if not found:
        return Said(text=_GO_ON if backscroll.has_timed_out(connection, order.key) else _BEGIN)
    verb, line = order.command.name, order.turn.text if order.command.parameters else ""
    choices = tuple(
        Choice(label=f"{_when(touched)} · {_opening(words)}", verb=verb, address=address, line=line)
        for address, words, touched in found
    )
    return Said(text=f"Which session do you want to {verb}? (In its thread, say `!{verb}`.)", choices=choices)


def _opening(words: str) -> str:
    line = " ".join(words.split())
    return f"{line[:47]}…" if len(line) > 48 else line or "(no words)"


def _when(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _reset(connection: Connection, desk: Desk) -> Said:
    number = remembered.count(connection, desk.key).all
    segments.reset(connection, desk.key, desk.turn.seq)
    if number == 0:
        return Said(text="There was nothing to set aside: this session is new.")
    return Said(text=f"A fresh start: I set {_turns(number)} aside. `undo` brings them back.")


def _undo(connection: Connection, desk: Desk) -> Said:
    before = remembered.count(connection, desk.key).all
    undone = segments.undo(connection, desk.key, desk.turn.seq)
    number = remembered.count(connection, desk.key).all
    if undone is None:
        return Said(text="There is no reset to undo.")
    if undone is segments.Move.UNDO:
        return Said(text=f"The last undo is undone: I set {_turns(before - number)} aside again.")
    return Said(text=f"The last reset is undone: I remember {_turns(number)} again.")


def _status(connection: Connection, desk: Desk) -> Said:
    mind, known = desk.mind, remembered.count(connection, desk.key)
    model = mind.model.name
    if known.since is None:
        return Said(text=f"This session is new: I remember nothing here yet. Answers come from {model}.")
    told = remembered.newest(connection, desk.key, budget=mind.room)
    newest = [one for one in told if one.validity is not Validity.STALE]
    window = build(None, newest, budget=mind.room, fixed=mind.fixed, cut=mind.cut)
    tokens = window.tokens * mind.limit // mind.room
    return Said(
        text=f"I remember {_turns(known.all - known.overheard)} here, since {_when(known.since)}{_beside(known)}.\n"
        f"My next answer will see {_seen(window, known)}: {tokens:,} of {mind.limit:,} tokens with instructions.\n"
        f"Answers come from {model}{_size(mind)}."
    )


def _beside(known: remembered.Count) -> str:
    """What is remembered beside the session's own turns."""
    if not known.overheard:
        return ""
    return f", and {known.overheard:,} message{'s' if known.overheard > 1 else ''} around them that I overheard"


def _seen(window: Window, known: remembered.Count) -> str:
    """What of that a window holds: own turns first."""
    own, overheard = window.turns - window.overheard, window.overheard
    seen = "all of them" if own == known.all - known.overheard else f"the newest {own:,} of them"
    if not known.overheard:
        return seen
    every = own == known.all - known.overheard and overheard == known.overheard
    return seen if every else f"{seen.removesuffix(' of them')} of my turns and {overheard:,} of what I overheard"


def _size(mind: Mind) -> str:
    """What the model takes in at all, where that is less than it would have been shown."""
    if mind.limit >= mind.policy.context_tokens:
        return ""
    return f", whose context of {mind.model.context:,} tokens is smaller than its window may be"


def _settings(_connection: Connection, desk: Desk) -> Said:
    return Said(text=settings.listed(desk.mind.policy))


def _set(connection: Connection, desk: Desk) -> Said:
    return Said(text=settings.change(connection, desk.key, desk.deployed, desk.order.arguments))


def _stop(connection: Connection, desk: Desk) -> Said:
    """Reaches the answer wherever it is being written. Commands that are done in a moment are not stopped."""
    waiting = turns.first_waiting(connection, desk.key, _CHOICES)
    running = next((turn for turn in waiting if turn.progress is Progress.WAITING and _is_long(turn)), None)
    if running is None:
        return Said(text="There is no answer to stop.")
    permission = desk.may(running)
    if permission.reason is not None:
        return Said(text=permission.reason)
    queue.stop(connection, desk.key, desk.turn.seq)
    return Said(text="Stopped.", stopped=desk.turn.seq)


def _is_long(turn: Turn) -> bool:
    return turn.verb is None or find(turn.verb).cost is Cost.MODEL


def _prefer(connection: Connection, desk: Desk) -> Said:
    return Said(text=wishes.change(connection, desk.key, desk.asker, desk.order.arguments))


def _preferences(connection: Connection, desk: Desk) -> Said:
    return Said(text=wishes.listed(connection, desk.key, desk.asker))


def _help(_connection: Connection, _desk: Desk) -> Said:
    lines = [f"- `{command.usage}`: {command.help}" for command in COMMANDS.values() if Shown.HELP in command.shown]
    return Said(text="\n".join(["Say `!` and one of these words, or mention me with the word alone:", "", *lines]))


def _unknown(connection: Connection, desk: Desk) -> Said:
    return Said(text=f"I don't know the command `{desk.turn.verb}`.\n\n{_help(connection, desk).text}")


def _turns(number: int) -> str:
    return f"{number:,} turn" if number == 1 else f"{number:,} turns"


EFFECTS: Mapping[str, Effect] = {
    "reset": _reset,
    "undo": _undo,
    "status": _status,
    "stop": _stop,
    "settings": _settings,
    "set": _set,
    "unset": _set,
    "prefer": _prefer,
    "preferences": _preferences,
    "help": _help,
    UNKNOWN.name: _unknown,
}
"""What is done for each command that the model is not asked about."""

PROMPTS: Mapping[str, Callable[[Mapping[str, str]], str]] = {"summarize": lambda _arguments: SUMMARIZE}
"""What the model is asked for each of the others, by the command's arguments."""
