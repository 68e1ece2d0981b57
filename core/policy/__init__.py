"""The policy: the effective settings of one session, each with the level that it comes from."""

from core.policy.admission import DIRECT_CHANNELS, Named, Names
from core.policy.limits import Limit, Limits, Period, Unit
from core.policy.policy import LOST, NOTHING, Overrides, Policy, edited, is_set
from core.policy.table import (
    ANSWER_TOKENS,
    CONTEXT_TOKENS,
    REASONING,
    SETTINGS,
    Answers,
    Hearing,
    Level,
    Memory,
    Setting,
)
from core.policy.values import ADMINS, MEMBERS, People, Wrong

__all__ = [
    "ADMINS",
    "ANSWER_TOKENS",
    "CONTEXT_TOKENS",
    "DIRECT_CHANNELS",
    "LOST",
    "MEMBERS",
    "NOTHING",
    "REASONING",
    "SETTINGS",
    "Answers",
    "Hearing",
    "Level",
    "Limit",
    "Limits",
    "Memory",
    "Named",
    "Names",
    "Overrides",
    "People",
    "Period",
    "Policy",
    "Setting",
    "Unit",
    "Wrong",
    "edited",
    "is_set",
]
