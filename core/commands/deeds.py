"""What commands do and say, each in the transaction that stores its answer; `table` says which there are."""

from collections.abc import Callable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from core.access import Deed
from core.commands import (
    exports,
    forgetting,
    forms,
    hindsight,
    keeping,
    moments,
    pictures,
    settings,
    spending,
    unrecorded,
    usage,
    wishes,
)
from core.commands.orders import Desk, Order, Said
from core.commands.table import COMMANDS, NOT_ADMITTED, UNKNOWN, Cost, Shown, find
from core.memory import retention
from core.memory.ageing import how_many
from core.memory.mind import Mind
from core.memory.window import Window, build
from core.policy import Policy
from core.seam.messages import Choice
from core.session import Progress, Turn, Validity
from core.store import Connection, backscroll, folds, ledger, queue, recalling, remembered, segments, turns
from core.store.audit import Outcome

_BEGIN = "There is no session in this channel yet. Mention me, and one begins in that message's thread."
_GO_ON = "No session in this channel is live. Say something to me in a thread of ours, and that one goes on."
_CHOICES = 20  # as many sessions as a person can choose from at a glance

Effect = Callable[[Connection, Desk], Said]
"""What a command does and says, in the transaction that stores its answer: both happen, once, or neither."""


_OF_THE_PLACE = (Deed.READ, Deed.RESET, Deed.SET, Deed.HAND_OVER, Deed.USAGE, Deed.FORGET, Deed.EXPORT)
"""What is done to no one turn: whether it may be is known before it is done."""


def run(connection: Connection, desk: Desk) -> Said:
    """Does what a command does; where it can't know which session is meant, it lets the asker choose."""
    if desk.order.is_vague:
        return _choose(connection, desk)
    asks = desk.order.asks_for_form
    if not asks and (wrong := desk.order.misfit) is not None:
        return Said(text=wrong, outcome=None)
    if desk.order.deed in _OF_THE_PLACE and (why := desk.may(desk.turn).reason) is not None:
        return Said(text=why, outcome=Outcome.DENIED)
    if asks:
        return forms.asked(connection, desk)
    return EFFECTS[desk.order.command.name](connection, desk)


def _choose(connection: Connection, desk: Desk) -> Said:
    """The live sessions around this one's channel, for the asker to choose from: when somebody spoke there last.

    And for whoever may see what is remembered, the first words there.
    """
    order, zone = desk.order, _theirs(connection, desk).zone
    reads = desk.access.may(desk.asker, Deed.READ, desk.turn).granted
    found = backscroll.live_sessions(connection, order.key, limit=_CHOICES)
    if not found:
        said = _GO_ON if backscroll.has_timed_out(connection, order.key) else _BEGIN
        return Said(text=said, outcome=None)
    verb, line = order.command.name, order.turn.text if order.command.parameters else ""
    choices = tuple(
        Choice(label=_label(_when(touched, zone), words if reads else None), verb=verb, address=address, line=line)
        for address, words, touched in found
    )
    said = order.command.said
    which = f"Which session do you want to {verb}?" if said == verb else "For which session is that?"
    return Said(text=f"{which} (In its thread, say `!{said}`.)", outcome=None, choices=choices)


def _label(when: str, words: str | None) -> str:
    return when if words is None else f"{when} · {_opening(words)}"


def _opening(words: str) -> str:
    line = " ".join(words.split())
    return f"{line[:47]}…" if len(line) > 48 else line or "(no words)"


def _when(seconds: float, zone: str) -> str:
    return moments.told(datetime.fromtimestamp(seconds, ZoneInfo(zone)))


def _theirs(connection: Connection, desk: Desk) -> Policy:
    """The policy as it holds for whoever asks: for what is told to them alone."""
    return wishes.under(desk.mind.policy, connection, desk.key, desk.asker)


def _reset(connection: Connection, desk: Desk) -> Said:
    number = remembered.count(connection, desk.key).all
    moves, _ = segments.newest(connection, desk.key)
    if number or not moves:  # what is pressed twice is one reset, so that one undo brings back what it set aside
        segments.reset(connection, desk.key, desk.turn.seq)
    if number == 0:
        return Said(text="There was nothing to set aside: this session is new.")
    return Said(text=f"A fresh start: I set {how_many(number)} aside. `undo` brings them back.")


def _undo(connection: Connection, desk: Desk) -> Said:
    before = remembered.start(connection, desk.key)
    undone = segments.undo(connection, desk.key, desk.turn.seq)
    if undone is None:
        return Said(text="There is no reset to undo.", outcome=None)
    folds.mark(connection, desk.key)  # before the next question finds that not all of it has room
    if undone is segments.Move.UNDO:
        number = remembered.aside(connection, desk.key, before)
        return Said(text=f"The last undo is undone: I set {how_many(number)} aside again.")
    number = remembered.count(connection, desk.key).all
    return Said(text=f"The last reset is undone: I remember {how_many(number)} again.")


def _status(connection: Connection, desk: Desk) -> Said:
    mind, known = desk.mind, remembered.count(connection, desk.key)
    model, spent = mind.model.name, spending.told(ledger.spent(connection, desk.key, mind.prices.steps), mind.prices)
    spent += unrecorded.status(connection, desk) + keeping.told(mind.policy, overheard=known.overheard > 0)
    if known.since is None:
        return Said(text=f"This session is new: I remember nothing here yet. Answers come from {model}.{spent}")
    window = _window(connection, desk)
    tokens = window.tokens * mind.limit // mind.room
    seen = f"{_seen(window, known)}{_folded(window)}"
    kept = how_many(known.all if known.is_more else known.all - known.overheard)
    return Said(
        text=f"I remember {kept} here, since {_when(known.since, _theirs(connection, desk).zone)}{_beside(known)}.\n"
        f"My next answer will see {seen}: {tokens:,} of {mind.limit:,} tokens with instructions.\n"
        f"Answers come from {model}{_size(mind)}.{spent}"
    )


def _window(connection: Connection, desk: Desk) -> Window:
    mind = desk.mind
    folded, told = recalling.recall(connection, desk.key, budget=mind.room)
    over = retention.ends(mind.policy, desk.turn.at)
    newest = [one for one in retention.kept(told, over) if one.validity is not Validity.STALE]
    return build(
        None,
        newest,
        budget=mind.room,
        fixed=mind.fixed,
        explaining=mind.explaining,
        cut=mind.cut,
        count=mind.count,
        checkpoints=folded,
    )


def _context(connection: Connection, desk: Desk) -> Said:
    if desk.order.link is None:
        window = _window(connection, desk)
        text, chart = pictures.drawn(window, desk.mind)
        kept = keeping.told(desk.mind.policy, overheard=window.overheard > 0)
        return Said(text=f"{text}\n{kept}" if kept else text, chart=chart)
    return hindsight.told(connection, desk.key, desk.linked, ZoneInfo(_theirs(connection, desk).zone))


def _beside(known: remembered.Count) -> str:
    """What is remembered beside the session's own turns."""
    if not known.overheard:
        return ""
    if known.is_more:
        return ", what I overheard among them"
    return f", and {known.overheard:,} message{'s' if known.overheard > 1 else ''} around them that I overheard"


def _seen(window: Window, known: remembered.Count) -> str:
    """What of that a window holds: own turns first."""
    own, overheard = window.turns - window.overheard, window.overheard
    all_own = own == known.all - known.overheard and not known.is_more
    seen = "all of them" if all_own else f"the newest {own:,} of them"
    if not known.overheard or (all_own and overheard == known.overheard):
        return seen
    return f"{seen.removesuffix(' of them')} of my turns and {overheard:,} of what I overheard"


def _folded(window: Window) -> str:
    """What it holds in place of turns that it does not show as they were said."""
    if not window.checkpoints:
        return ""
    return f" as they were said, and what came before in {sum(one.tokens for one in window.checkpoints):,} tokens"


def _size(mind: Mind) -> str:
    """What the model takes in at all, where that is less than it would have been shown."""
    if mind.limit >= mind.policy.context_tokens:
        return ""
    return f", whose context of {mind.model.context:,} tokens is smaller than its window may be"


def _settings(connection: Connection, desk: Desk) -> Said:
    return Said(text=settings.listed(_theirs(connection, desk)), buttons=forms.offered(desk.order))


def _set(connection: Connection, desk: Desk) -> Said:
    given, asker, slip = desk.order.arguments, desk.asker, desk.turn.slip
    done, text = settings.change(connection, desk.key, desk.deployed, given, asker=asker, slip=slip)
    return Said(text=text, outcome=Outcome.DONE if done else None)


def _stop(connection: Connection, desk: Desk) -> Said:
    """Reaches the answer wherever it is being written. Commands that are done in a moment are not stopped."""
    waiting = turns.first_waiting(connection, desk.key, _CHOICES)
    running = next((turn for turn in waiting if turn.progress is Progress.WAITING and _is_long(turn)), None)
    if running is None:
        return Said(text="There is no answer to stop.", outcome=None)
    permission = desk.may(running)
    if permission.reason is not None:
        return Said(text=permission.reason, outcome=Outcome.DENIED)
    queue.stop(connection, desk.key, desk.turn.seq)
    return Said(text="Stopped.", stopped=desk.turn.seq)


def _is_long(turn: Turn) -> bool:
    return turn.verb is None or find(turn.verb).cost is Cost.MODEL


def _usage(connection: Connection, desk: Desk) -> Said:
    return Said(text=usage.told(connection, desk))


def _prefer(connection: Connection, desk: Desk) -> Said:
    return Said(text=wishes.change(connection, desk.key, desk.asker, desk.order.arguments))


def _preferences(connection: Connection, desk: Desk) -> Said:
    return Said(text=wishes.listed(connection, desk.key, desk.asker), buttons=forms.offered(desk.order))


def _export(connection: Connection, desk: Desk) -> Said:
    return Said(text=exports.said(connection, desk))


def _forget(connection: Connection, desk: Desk) -> Said:
    if desk.turn.slip.vague and desk.order.arguments["what"] == "session":
        return _choose(connection, desk)
    begun, text = forgetting.change(connection, desk)
    return Said(text=text, outcome=Outcome.DONE if begun else None)


def _off_the_record(connection: Connection, desk: Desk) -> Said:
    return Said(text=unrecorded.begin(connection, desk))


def _on_the_record(connection: Connection, desk: Desk) -> Said:
    ended, text = unrecorded.end(connection, desk)
    return Said(text=text, outcome=Outcome.DONE if ended else None)


def _help(_connection: Connection, _desk: Desk) -> Said:
    lines = [f"- `{command.usage}`: {command.help}" for command in COMMANDS.values() if Shown.HELP in command.shown]
    return Said(text="\n".join(["Say `!` and one of these words, or mention me with the word alone:", "", *lines]))


def _unknown(connection: Connection, desk: Desk) -> Said:
    return Said(text=f"I don't know the command `{desk.turn.verb}`.\n\n{_help(connection, desk).text}")


def _not_admitted(_connection: Connection, desk: Desk) -> Said:
    return Said(text=desk.turn.text)


EFFECTS: Mapping[str, Effect] = {
    "reset": _reset,
    "undo": _undo,
    "status": _status,
    "context": _context,
    "usage": _usage,
    "stop": _stop,
    "off-the-record": _off_the_record,
    "on-the-record": _on_the_record,
    "settings": _settings,
    "set": _set,
    "unset": _set,
    "prefer": _prefer,
    "preferences": _preferences,
    "export": _export,
    "forget": _forget,
    "help": _help,
    NOT_ADMITTED.name: _not_admitted,
    UNKNOWN.name: _unknown,
}
"""What is done for each command that the model is not asked about."""

_SAYS = (NOT_ADMITTED.name, UNKNOWN.name)
_READING = frozenset((*_SAYS, "status", "context", "usage", "settings", "preferences", "export", "help"))


def only_reads(order: Order) -> bool:
    """Whether doing it changes nothing, so that no other session need wait for it."""
    return order.is_vague or order.asks_for_form or order.misfit is not None or order.command.name in _READING
