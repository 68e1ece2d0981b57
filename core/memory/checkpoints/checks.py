"""Checks: whether what a model wrote can stand for what it was shown. What fails one is not used."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from core.memory.brevity import Count
from core.memory.checkpoints.asked import Assignment
from core.memory.checkpoints.form import TOPICS, Entry, Malformed, Run, Topic, parsed, written
from core.memory.checkpoints.identifiers import audited, crowd, holds
from core.memory.checkpoints.redaction import redacted
from core.memory.checkpoints.refusals import Reason, Refusal
from core.memory.checkpoints.shown import Record, shown
from core.memory.checkpoints.wording import forges, is_relative, orders


def checked(text: str, given: Assignment, count: Count) -> Record | Refusal:
    """What a model wrote as a checkpoint, in our form and without secrets; or why it can't be one.

    `count` tells what a message with these words costs in a window.
    """
    try:
        entries = [one for one in parsed(redacted(text)) if one.topic in TOPICS[given.kind]]
    except Malformed:
        return Refusal(reason=Reason.MALFORMED)
    if not entries:
        return Refusal(reason=Reason.EMPTY)
    for entry in entries:
        if reason := _fault(entry, given.covers):
            return Refusal(reason=reason)
    made = _made(entries, given, count)
    reason = _lack(made, given, count)
    return made if reason is None else Refusal(reason=reason)


def _fault(entry: Entry, covers: Run) -> Reason | None:
    """What is wrong with one line."""
    first, last = covers
    if not entry.seqs:
        return Reason.UNCITED
    if not all(first <= start <= end <= last for start, end in entry.seqs):
        return Reason.OUTSIDE
    if entry.topic is Topic.ASKS and entry.state is None:
        return Reason.STATELESS
    if forges(entry.words):
        return Reason.FORGED
    if orders(entry.words):
        return Reason.ORDER
    return Reason.RELATIVE if is_relative(entry.words) else None


def _made(entries: Iterable[Entry], given: Assignment, count: Count) -> Record:
    """The lines in their order of time, each with that of the first turn that it names."""
    ordered = sorted(entries, key=lambda entry: entry.seqs[0])
    text = written(replace(entry, at=_when(given, entry.seqs[0][0])) for entry in ordered)
    tokens = count(shown(given.kind, given.covers, given.since, given.until, text))
    return Record(kind=given.kind, covers=given.covers, since=given.since, until=given.until, text=text, tokens=tokens)


def _when(given: Assignment, seq: int) -> datetime:
    """When a turn was said: the record knows it, or of the nearest one before it."""
    place = bisect_right(given.times, seq, key=lambda one: one[0])
    return given.times[place - 1][1] if place else given.since


def _lack(made: Record, given: Assignment, count: Count) -> Reason | None:
    """What is wrong with all of it."""
    if made.tokens > given.most:
        return Reason.OVER
    if made.tokens >= given.tokens:
        return Reason.LONGER
    if crowd(made.text, given.most, count):
        return Reason.CROWDED
    needed = audited(given.decisions, given.most, count)
    return None if all(holds(made.text, one) for one in needed) else Reason.LOST
