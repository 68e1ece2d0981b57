"""Citations: which messages each line of a summary comes from, as the model names them, people open them, and the model
is shown them again.

The model writes headings and lines that end with numbers of turns, as in a checkpoint:

    # decided
    - Ana and Ben agreed to ship 2.4.1 on 2026-03-05 (12, 15-17)

People see the same line with its time and a link for each message: `… on 2026-03-05 · 2026-03-03 14:05 [1](…) [2](…)`.
What is in no such form stays as it is: a model that does not keep to it has written a summary all the same.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from re import IGNORECASE, MULTILINE
from re import compile as pattern

from core.memory.checkpoints.form import Run, cited, unstamped

HEADINGS = ("about", "decided", "open", "links")
"""Those of a summary, in the order in which they are asked for."""

MOST = 5
"""A line has so many links at most; of more messages that follow one another, the first and the last have one."""

_LONGEST = 40  # characters of a line that is a heading
_HEADING = pattern(rf"[#*\s]*({'|'.join(HEADINGS)})[*:\s]*", IGNORECASE)
_ITEM = pattern(r"(\s*(?:[-*•–]|\d{1,3}[.)])\s+)(?=\S)")
_LOOSE = pattern(r"[(\[] ?(?:(?:turn|message|record)s? )?([#\d-][\d ,#–-]{0,300})[)\]][ .]{0,9}\Z", IGNORECASE)
_BLANK = pattern(r"\n{3,}")
_LINKED = pattern(r"(?: \[\d{1,2}\]\(<?https://[^\s()<>]{1,500}>?\)){1,9}$", MULTILINE)
_BEGINS = pattern(r"[#*\s]*[a-z]{0,7}[*:\s]*", IGNORECASE)
_UNDECIDED = pattern(r" ?[(\[][^()\[\]]{0,300}[)\]]?[ .]{0,9}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A message that a line may come from: when it was said (since 1970), and the link to it, where there is one."""

    at: float
    link: str | None = None


Sources = Mapping[int, Source]
"""Messages by the seqs of their turns, in order."""


def told(text: str, sources: Sources, zone: tzinfo) -> str:
    """What the model wrote, as people see it: times are told in this zone."""
    lines = "\n".join(_lines(text, sources, zone))
    return _BLANK.sub("\n\n", lines).strip("\n")


def settled(text: str) -> str:
    """The part of a growing summary that is certain: whatever follows, people see it as the beginning of the whole."""
    before, line_end, last = text.rpartition("\n")
    if len(last) < _LONGEST and _BEGINS.fullmatch(last):
        return before
    return before + line_end + _UNDECIDED.sub("", last)


def bare(text: str) -> str:
    """A summary as the model is shown it again: it can open no links, and they are long."""
    return _LINKED.sub("", text) if "](" in text else text


def _lines(text: str, sources: Sources, zone: tzinfo) -> Iterator[str]:
    is_ours, seqs = False, tuple(sources)
    for line in text.splitlines():
        if heading := _HEADING.fullmatch(line):
            is_ours = True
            yield f"\n### {heading[1].capitalize()}"
        else:
            item = _ITEM.match(line) if is_ours else None
            yield line if item is None else item[1] + _told(line[item.end() :], seqs, sources, zone)


def _told(words: str, seqs: Sequence[int], sources: Sources, zone: tzinfo) -> str:
    """One line with its messages; numbers that can't be of turns stay."""
    plain, runs = cited(_LOOSE.sub(r"(\1)", unstamped(words).rstrip()))
    named = dict.fromkeys(seq for run in runs for seq in _within(run, seqs))
    found = [sources[seq] for seq in list(named)[:MOST]]
    if not plain or not found:
        return plain if plain and _are_turns(runs, seqs) else words
    when = f"{datetime.fromtimestamp(found[0].at, zone):%Y-%m-%d %H:%M}"
    links = "".join(f" [{number}]({one.link})" for number, one in enumerate(found, 1) if one.link is not None)
    return f"{plain} · {when}{links}"


def _are_turns(runs: Sequence[Run], seqs: Sequence[int]) -> bool:
    """Whether these are numbers as turns have here, be it of one that is gone."""
    return bool(seqs) and any(first <= seqs[-1] and last >= seqs[0] for first, last in runs)


def _within(run: Run, seqs: Sequence[int]) -> Sequence[int]:
    first, last = run
    found = seqs[bisect_left(seqs, first) : bisect_right(seqs, last)]
    return found if len(found) <= MOST else (found[0], found[-1])
