"""The table of settings: what can be set at all, how a value is read and shown, and for what it can be set."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from core.policy import admission, limits, values

Hearing = Literal["thread", "channel", "off"]
Memory = Literal["full", "lean"]
Answers = Literal["follow", "mention", "all", "observe", "off"]
_HEARING: tuple[Hearing, ...] = ("channel", "thread", "off")
_MEMORY: tuple[Memory, ...] = ("full", "lean")
_ANSWERS: tuple[Answers, ...] = ("follow", "mention", "all", "observe", "off")
REASONING = ("auto", "none", "minimal", "low", "medium", "high")
"""How hard a model may be told to think; none is called so."""

CONTEXT_TOKENS = range(500, 2_000_001)
ANSWER_TOKENS = range(16, 1_000_001)
"""What may be set for these."""

_LIST = 2_000  # characters of a list, in a form


class Level(IntEnum):
    """For what a setting is set. A greater one goes before a smaller one."""

    BUILT_IN = 0
    DEPLOYMENT = 1
    WORKSPACE = 2
    CHANNEL = 3
    PERSON = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Something that can be set: `help` is one line, `read` makes the value of what was said, or raises Wrong.

    `shown` is how people are told the value. In a form it is one of the `choices`, where there are some, or is written
    in at most so many characters, in several `lines` perhaps. `levels` are those for which people may set it; the
    deployment's value is the operator's, by `variable`, where there is one. What is set nearer takes the place of what
    is set farther off, but where `join` says what both are together. Of what is `bounded`, what is set farther off is
    the most that may be set nearer.
    """

    name: str
    help: str
    read: Callable[[str], object]
    shown: Callable[[object], str] = str
    choices: tuple[str, ...] = ()
    most: int = 100
    lines: bool = False
    variable: str | None = None
    levels: frozenset[Level] = frozenset({Level.WORKSPACE, Level.CHANNEL})
    join: Callable[[object, object], object] = lambda _farther, nearer: nearer
    bounded: bool = False


def _table(*settings: Setting) -> Mapping[str, Setting]:
    return {setting.name: setting for setting in settings}


SETTINGS = _table(
    Setting(
        name="hear",
        help="What a new session is told of the talk before it",
        read=values.one_of(*_HEARING),
        choices=_HEARING,
        variable="BACKSCROLL_HEAR",
    ),
    Setting(
        name="answers",
        help="What I answer: all in a thread of mine (follow), what mentions me (mention), all (all), only commands, "
        "but I listen (observe), or only commands of those who may change this (off)",
        read=values.one_of(*_ANSWERS),
        choices=_ANSWERS,
        variable="BACKSCROLL_ANSWERS",
    ),
    Setting(
        name="persona",
        help="Who I am here, beside my instructions",
        read=values.persona,
        shown=values.words,
        most=values.PERSONA,
        lines=True,
        variable="BACKSCROLL_PERSONA",
    ),
    Setting(
        name="context_tokens",
        help="How many tokens of instructions and conversation the model is shown",
        read=values.whole("tokens", CONTEXT_TOKENS),
        shown=values.number,
        variable="BACKSCROLL_CONTEXT_TOKENS",
    ),
    Setting(
        name="answer_tokens",
        help="The longest answer, in tokens",
        read=values.whole("tokens", ANSWER_TOKENS),
        shown=values.number,
        variable="BACKSCROLL_ANSWER_TOKENS",
    ),
    Setting(
        name="model",
        help="Which model answers, of those that my operator allows",
        read=str.strip,
        shown=lambda name: str(name) or "the built-in stand-in",
        variable="OPENAI_MODEL",
    ),
    Setting(
        name="reasoning",
        help="How hard it thinks, as far as my operator allows; auto leaves it to the server",
        read=values.one_of(*REASONING),
        variable="OPENAI_REASONING",
    ),
    Setting(
        name="idle",
        help="After how long without a word to me I count a conversation as over, and forget nothing: 30m, 7d, never",
        read=values.duration,
        shown=values.span,
        variable="BACKSCROLL_IDLE",
    ),
    Setting(
        name="max_age",
        help="After how long I do so at the latest, however much is said",
        read=values.duration,
        shown=values.span,
        variable="BACKSCROLL_MAX_AGE",
    ),
    Setting(
        name="retention",
        help="How long I keep what is said to me, and my answers: 90d, 365d, forever",
        read=values.kept,
        shown=values.kept_for,
        variable="BACKSCROLL_RETENTION",
        join=values.shorter,
        bounded=True,
    ),
    Setting(
        name="retention_overheard",
        help="How long I keep what I overhear: 1d, 30d, forever",
        read=values.kept,
        shown=values.kept_for,
        variable="BACKSCROLL_RETENTION_OVERHEARD",
        join=values.shorter,
        bounded=True,
    ),
    Setting(
        name="memory",
        help="Whether I store the words of what I overhear (full), or read them again each time I am asked (lean)",
        read=values.one_of(*_MEMORY),
        choices=_MEMORY,
        variable="BACKSCROLL_MEMORY",
    ),
    Setting(
        name="zone",
        help="Whose time is told, as Europe/Berlin: it says when a day begins",
        read=values.zone,
        levels=frozenset({Level.WORKSPACE, Level.CHANNEL, Level.PERSON}),
    ),
    Setting(
        name="budget",
        help="What may be spent: 5 usd/day, 1m tokens/month, 10 requests/minute, with commas between; none",
        read=limits.limits,
        shown=limits.shown,
        most=_LIST,
        variable="BACKSCROLL_BUDGET",
    ),
    Setting(
        name="budget_person",
        help="What each person may spend, in the same form",
        read=limits.limits,
        shown=limits.shown,
        most=_LIST,
        variable="BACKSCROLL_BUDGET_PERSON",
    ),
    Setting(
        name="cheaper_model",
        help="Which model answers once most of a budget is used, of those that my operator allows",
        read=values.optional,
        shown=lambda name: str(name) or "none",
        variable="BACKSCROLL_CHEAPER_MODEL",
    ),
    Setting(
        name="allow",
        help="With whom alone I talk: person:ID, role:ID, channel:ID, workspace:ID",
        read=admission.allowed,
        shown=admission.shown_allowed,
        most=_LIST,
        variable="BACKSCROLL_ALLOW",
        join=admission.joined,
    ),
    Setting(
        name="deny",
        help="With whom I don't talk at all",
        read=admission.denied,
        shown=admission.shown_denied,
        most=_LIST,
        variable="BACKSCROLL_DENY",
        join=admission.joined,
    ),
    Setting(
        name="guests",
        help="Whether I talk with guests",
        read=values.yes_or_no,
        shown=values.whether,
        choices=("yes", "no"),
        variable="BACKSCROLL_GUESTS",
    ),
    Setting(
        name="external",
        help="Whether I talk with other organisations",
        read=values.yes_or_no,
        shown=values.whether,
        choices=("yes", "no"),
        variable="BACKSCROLL_EXTERNAL",
    ),
    Setting(
        name="may_read",
        help="Who may be told what I remember",
        read=values.somebody,
        shown=values.told("nobody"),
        most=_LIST,
        variable="BACKSCROLL_MAY_READ",
    ),
    Setting(
        name="may_stop",
        help="Who may stop another's answer: everyone, members, asker, admins, or IDs with commas between them",
        read=values.people,
        shown=values.told("asker"),
        most=_LIST,
        variable="BACKSCROLL_MAY_STOP",
    ),
    Setting(
        name="may_reset",
        help="Who may reset, and take that back: everyone, members, admins, or IDs with commas between them",
        read=values.somebody,
        shown=values.told("nobody"),
        most=_LIST,
        variable="BACKSCROLL_MAY_RESET",
    ),
    Setting(
        name="may_set",
        help="Who may change these settings: everyone, members, admins, or IDs with commas between them",
        read=values.somebody,
        shown=values.told("nobody"),
        most=_LIST,
        variable="BACKSCROLL_MAY_SET",
    ),
)
"""Every setting by its name, which is that of its field in a `Policy`."""
