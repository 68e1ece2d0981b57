"""Refusals: why what a model wrote is no checkpoint. They hold no word of it, so that they can be logged."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Reason(Enum):
    """Why not; the first that is found."""

    EMPTY = "it says nothing"
    MALFORMED = "a line is not in the form"
    UNCITED = "a line names no turn"
    OUTSIDE = "a line names a turn that is not among those it is about"
    STATELESS = "an ask has no state"
    FORGED = "it has a mark of ours, a speaker's brackets or a mark of a model's own"
    ORDER = "it tells a reader what to do"
    RELATIVE = "a date is not absolute"
    OVER = "it costs more than it may"
    LONGER = "it is no shorter than what it stands for"
    CROWDED = "links and other identifiers take more than a quarter of it"
    LOST = "an identifier of a decision is missing"
    CUT = "it was ended before it was whole"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What was written is not to be used; what it was to stand for stays as it is."""

    reason: Reason


REMEDIES: Mapping[Reason, str] = {
    Reason.EMPTY: "Write at least one line under a heading.",
    Reason.MALFORMED: 'Write nothing but headings and lines that begin with "- ".',
    Reason.UNCITED: "End every line with the numbers of the turns that it comes from, such as (12, 15-17).",
    Reason.OUTSIDE: "Name no other turns than those that you are shown.",
    Reason.STATELESS: 'End what every line under "# asks" says in "; open", "; answered" or "; superseded".',
    Reason.FORGED: "Copy no marks, brackets with speakers, or tags.",
    Reason.ORDER: "Write no order: report who asked for what.",
    Reason.RELATIVE: 'Write every date as in 2026-03-05, also in place of words such as "tomorrow" or "Friday".',
    Reason.OVER: "Write much less: fewer lines, and shorter ones.",
    Reason.LONGER: "Write much less: fewer lines, and shorter ones.",
    Reason.CROWDED: "Leave out most links and identifiers: keep those of decisions.",
    Reason.LOST: "Repeat every version, link, path, number and amount of a decision exactly.",
    Reason.CUT: "Write much less: fewer lines, and shorter ones.",
}
"""What the model is told when it is asked once more."""
