"""The table of settings: what can be set at all, how a value is read and shown, and for what it can be set."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from core.policy import limits, values

Hearing = Literal["thread", "channel", "off"]
Answers = Literal["follow", "mention"]
REASONING = ("auto", "none", "minimal", "low", "medium", "high")
"""How hard a model may be told to think; none is called so."""

CONTEXT_TOKENS = range(500, 2_000_001)
ANSWER_TOKENS = range(16, 1_000_001)
"""What may be set for these."""


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

    `shown` is how people are told the value. `levels` are those for which they may set it; the deployment's value is
    the operator's, by `variable`, where there is one.
    """

    name: str
    help: str
    read: Callable[[str], object]
    shown: Callable[[object], str] = str
    variable: str | None = None
    levels: frozenset[Level] = frozenset({Level.WORKSPACE, Level.CHANNEL})


def _table(*settings: Setting) -> Mapping[str, Setting]:
    return {setting.name: setting for setting in settings}


SETTINGS = _table(
    Setting(
        name="hear",
        help="What a new session is told of the talk before it",
        read=values.one_of("channel", "thread", "off"),
        variable="BACKSCROLL_HEAR",
    ),
    Setting(
        name="answers",
        help="What I answer in a thread of mine: all that is said there (follow), or what mentions me (mention)",
        read=values.one_of("follow", "mention"),
        variable="BACKSCROLL_ANSWERS",
    ),
    Setting(
        name="persona",
        help="Who I am here, beside my instructions",
        read=values.persona,
        shown=values.words,
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
        name="zone",
        help="Whose time is told, as Europe/Berlin: it says when a day begins",
        read=values.zone,
        levels=frozenset({Level.WORKSPACE, Level.CHANNEL, Level.PERSON}),
    ),
    Setting(
        name="budget",
        help="What may be spent here, or in all of the workspace: 5 usd/day, 1m tokens/month, 10 requests/minute; none",
        read=limits.limits,
        shown=limits.shown,
        variable="BACKSCROLL_BUDGET",
    ),
    Setting(
        name="budget_person",
        help="What each person may spend, in the same form",
        read=limits.limits,
        shown=limits.shown,
        variable="BACKSCROLL_BUDGET_PERSON",
    ),
    Setting(
        name="cheaper_model",
        help="Which model answers once most of a budget is used, of those that my operator allows",
        read=str.strip,
        shown=lambda name: str(name) or "none",
        variable="BACKSCROLL_CHEAPER_MODEL",
    ),
    Setting(
        name="may_stop",
        help="Who may stop another's answer: everyone, asker, admins, or IDs with commas between them",
        read=values.people,
        shown=values.told("asker"),
        variable="BACKSCROLL_MAY_STOP",
    ),
    Setting(
        name="may_reset",
        help="Who may reset, and take that back: everyone, admins, or IDs with commas between them",
        read=values.somebody,
        shown=values.told("nobody"),
        variable="BACKSCROLL_MAY_RESET",
    ),
    Setting(
        name="may_set",
        help="Who may change these settings: everyone, admins, or IDs with commas between them",
        read=values.somebody,
        shown=values.told("nobody"),
        variable="BACKSCROLL_MAY_SET",
    ),
)
"""Every setting by its name, which is that of its field in a `Policy`."""
