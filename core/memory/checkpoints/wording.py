"""Wording: what a checkpoint must not say, and which lines of a talk tell decisions."""

from collections.abc import Callable
from re import Match
from re import compile as pattern

from core.memory.checkpoints.disguises import bare
from core.memory.checkpoints.identifiers import without
from core.memory.checkpoints.languages import LANGUAGES, UNSPACED, Language
from core.model import envelope

NEAR = 24
"""Characters between a weekday and the date that says which one."""

MARK = "record of turns"
"""In the marks around every checkpoint, and never in one."""


def _any(of: Callable[[Language], tuple[str, ...]]) -> str:
    """What says it, in any language."""
    return rf"(?:{'|'.join(one for language in LANGUAGES.values() for one in of(language))})"


_DECIDED = pattern(rf"\b{_any(lambda one: one.decided)}\b|决定|決定|결정|합의")
_RELATIVE = pattern(rf"\b{_any(lambda one: one.relative)}\b|{UNSPACED}")
_HIER = pattern(r"\bhier\b")  # yesterday in French, here in German and Dutch
_FRENCH = pattern(r"\b(?:est|une|le|la|les|pour|dans|qui|avec|que)\b")
_GERMANIC = pattern(r"\b(?:der|die|das|und|ist|ein|het|een|van|niet|zijn|wordt|wird)\b")
_WEEKDAY = pattern(rf"\b{_any(lambda one: one.weekdays)}\b")
_EVERY = pattern(rf"\b{_any(lambda one: one.every)} \Z")
_YEAR = pattern(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_BEGINS = r"(?:\A|[.:;!?(\[{\"“„‘'—–<>] ?| - )"
_ORDER = pattern(rf"{_BEGINS}{_any(lambda one: one.orders)}(?:\b|(?<=:))")
_ROLE = pattern(r"(?:\A|[.;!?>\])\"“„«]\s*)\W{0,3}(?:system|assistant|user|developer|human|ai|tool)\W{0,3}:")
_TEMPLATE = pattern(
    r"<\s*[|｜][^<>]{1,60}[|｜]\s*>|\[/?inst\]|<</?sys>>|</?s>|</?(?:start|end)_of_turn>|</?think(?:ing)?>"
)
_FORGED = pattern(rf"{MARK}|\[ ?\[ ?(?:end of )?(?:the )?turns -?\d")


def decides(words: str) -> bool:
    """Whether a line of what was said looks like a decision."""
    return _DECIDED.search(bare(words)) is not None


def is_relative(words: str) -> bool:
    """Whether a date in it is only known on the day when it was said: "tomorrow", or a weekday without its date."""
    plain = bare(words)
    spoken = without(plain)
    if _RELATIVE.search(spoken):
        return True
    if _HIER.search(spoken) and _FRENCH.search(spoken) and not _GERMANIC.search(spoken):
        return True
    return any(not _is_dated(plain, day) for day in _WEEKDAY.finditer(plain))


def _is_dated(plain: str, day: Match[str]) -> bool:
    """Whether the date stands beside a weekday, or it is every one of them, or the part of a name."""
    before, after = plain[max(0, day.start() - NEAR) : day.start()], plain[day.end() : day.end() + NEAR]
    if after[:1] in (".", "-", "/", "_", "@") and after[1:2].isalnum():
        return True
    return bool(_YEAR.search(before) or _YEAR.search(after) or _EVERY.search(before))


def orders(words: str) -> bool:
    """Whether it says what is to be done, to whoever reads it, instead of telling who asked for it."""
    plain = bare(words)
    return _ORDER.search(plain) is not None or _ROLE.search(plain) is not None


def forges(words: str) -> bool:
    """Whether it looks like a mark of ours, a speaker's brackets, or a mark of a model's own."""
    plain = bare(words)
    return any(one.search(plain) for one in (_FORGED, _TEMPLATE, envelope.FORM))


def defused(words: str) -> str:
    """The words of a turn, where a line in them that forges a mark has become "[…]".

    So a folder that copies what people write is not refused for what one of them wrote.
    """
    return "\n".join("[…]" if forges(one) else one for one in words.splitlines())
