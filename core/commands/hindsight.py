"""Hindsight in words: what the model was shown for an earlier answer, and what has become of that."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo

from core.commands import moments, pictures
from core.commands.orders import Said
from core.memory.ageing import how_many
from core.seam.links import Linked
from core.seam.messages import Chart
from core.session import SessionKey, ShownPart
from core.store import Connection, ledger, shown
from core.store.ledger import Billed
from core.store.remembered import MOST
from core.store.shown import Hindsight

_NO_LINK = "This link leads to no message here."
_ELSEWHERE = "This link leads to another conversation; what was shown there I only tell there."
_NOT_MINE = "The message at this link is none of my answers in this conversation."
_UNKNOWN = "I don't know what my model was shown for this answer: that was not kept when it was written."


def told(connection: Connection, key: SessionKey, linked: Linked | None, zone: tzinfo) -> Said:
    """What was shown for the answer at a link, in Markdown; in a sentence, why that can't be said.

    Times are told in this zone.
    """
    if linked is None:
        return Said(text=_NO_LINK)
    if not linked.may_be_in(key.address):
        return Said(text=_ELSEWHERE)
    seq = shown.answer(connection, key, linked.message)
    if seq is None:
        return Said(text=_NOT_MINE)
    known = shown.hindsight(connection, key, seq)
    if known is None:
        return Said(text=_UNKNOWN)
    billed = ledger.billed(connection, key, seq)
    chart = pictures.chart(*_sections(known.parts, billed)) if known.parts else None
    return Said(text="\n".join(_lines(known, billed, chart, zone)), chart=chart)


def _lines(known: Hindsight, billed: Billed | None, chart: Chart | None, zone: tzinfo) -> Iterator[str]:
    yield f"For this answer {known.model or 'my model'} was shown {_seen(known, zone)}."
    changes = {"edited": known.edited, "erased": known.erased}
    said = [f"{number:,} {'was' if number == 1 else 'were'} {what}" for what, number in changes.items() if number]
    if said:
        yield f"Of these, {' and '.join(said)} since it was asked."
    if billed is not None:
        about = "about " if billed.estimated else ""
        yield (
            f"It read {about}{billed.shown:,} tokens for that, {billed.cached:,} of them from its provider's cache, "
            f"and wrote {about}{billed.written:,}."
        )
    if chart is not None:
        yield chart.words
    yield from (f"- {line}" for line in (*_records(known, zone), *_unshown(known)))


def _sections(parts: Sequence[ShownPart], billed: Billed | None) -> tuple[Mapping[str, int], int]:
    """What each section took, and all together: by our count, or where it was billed, in the model's."""
    ours = sum(one.tokens for one in parts)
    whole = ours if billed is None else billed.shown
    sums = dict[str, int]()
    for one in parts:
        sums[one.name] = sums.get(one.name, 0) + one.tokens
    return pictures.shared(sums, whole), whole


def _records(known: Hindsight, zone: tzinfo) -> Iterator[str]:
    """Which stretches of what was said before were told in short."""
    if not known.records:
        return
    number = len(known.records)
    spans = "; ".join(f"{_moment(since, zone)} – {_moment(until, zone)}" for since, until in known.records)
    yield f"what was said before that, told in {number:,} {'record' if number == 1 else 'records'}: of {spans}"


def _unshown(known: Hindsight) -> Iterator[str]:
    older = "older than what was asked for, or without room" if known.is_of_part else "left out for what is newer"
    why = {"set aside before that": known.aside, older: known.left}
    for reason, one in why.items():
        if one.turns:
            more = "more than " if one.turns > MOST else ""
            yield f"not shown: {how_many(one.turns)} of {more}{one.tokens:,} tokens, {reason}"


def _moment(seconds: float, zone: tzinfo) -> str:
    return moments.told(datetime.fromtimestamp(seconds, zone))


def _seen(known: Hindsight, zone: tzinfo) -> str:
    if known.since is None:
        return "its question, and no turn before it word for word" if known.records else "its question alone"
    overheard = f" and {known.overheard:,} of the messages around them that I overheard" if known.overheard else ""
    own = f"{known.own:,} {'turn' if known.own == 1 else 'turns'} word for word"
    return f"{own}{overheard}, since {_moment(known.since, zone)}, and its question"
