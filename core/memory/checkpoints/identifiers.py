"""Identifiers: what has to be repeated exactly, or is worth nothing: links, paths, versions, tickets, amounts."""

from collections.abc import Iterable
from itertools import islice
from re import VERBOSE, escape
from re import compile as pattern

from core.memory.brevity import Count

AUDITED = 12
"""So many identifiers of decisions are looked for in a checkpoint: few, but exactly."""

QUARTER = 4
"""Identifiers take at most one part in so many of a checkpoint's tokens: uncapped, they fill it in a few rounds."""

_LONG = 12  # characters
_LONGEST = 300
"""Characters: nobody looks up what is longer by hand."""

_MONEY = "€$£¥₹₩₽₺฿"
_UNITS = (
    r"%|‰|°C|[kMGT]i?B|ms|kg|km|kW|MW|USD|EUR|GBP|CHF|JPY|BRL|CAD|AUD|INR|SEK|NOK|DKK|PLN|CZK|"
    r"[Dd]ollars?|[Ee]uros?|Euro"
)
_FORMS = pattern(
    rf"""
    (?P<link> (?:https?|ftp|ssh|git|s3|postgres(?:ql)?|redis|file|mailto)://?[^\s<>"'`|]{{2,2000}} )
    | (?P<code> `[^`\n]{{1,120}}` )
    | (?P<mail> (?<![\w.+-])[\w.+-]{{1,64}}@[\w-]{{1,63}}(?:\.[\w-]{{1,63}}){{1,4}} )
    | (?P<uuid> \b[0-9a-fA-F]{{8}}(?:-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}}\b )
    | (?P<path> (?<![\w/])(?:~|\.{{1,2}}|[A-Za-z]:)?(?:[/\\][\w.@+-]{{1,80}}){{2,20}}/?
        | (?<![\w./\\-])(?:[\w@+-]{{1,80}}/){{0,12}}[\w@+-]{{1,80}}\.[a-z]{{1,4}}\d?\b(?![./\w-]) )
    | (?P<ticket> \b[A-Z][A-Z0-9]{{1,9}}-\d{{1,7}}\b | (?<![\w#&])\#\d{{1,8}}\b )
    | (?P<money> [{_MONEY}]\s?\d[\d.,’']{{0,20}}(?<=\d)[kKmM]?\b
        | \b(?:\d{{1,3}}(?:[ ]\d{{3}}){{1,4}}|\d[\d.,’']{{0,20}})(?:(?<=\d)[kKmM])?\s?
            (?:[{_MONEY}]|(?:{_UNITS})(?!\w)) )
    | (?P<version> (?<![\w.])v?\d{{1,5}}(?:\.\d{{1,6}}){{1,3}}(?:-?(?:alpha|beta|rc|a|b|dev|post)\.?\d{{0,4}})?
        (?![\w.]{{0,20}}\d)\b | (?<!\w)v\d{{1,5}}\b )
    | (?P<date> \b\d{{4}}-\d\d-\d\d\b )
    | (?P<hash> \b(?=[0-9a-f]{{0,63}}\d)(?=[0-9a-f]{{0,63}}[a-f])[0-9a-f]{{7,64}}\b )
    | (?P<constant> \b[A-Z][A-Z0-9]{{1,30}}(?:_[A-Z0-9]{{1,30}}){{1,8}}\b )
    | (?P<flag> (?<![\w-])--[a-z][\w-]{{1,40}} )
    """,
    VERBOSE,
)
_CLOSERS = ".,;:!?)]}»”’\"'*_"


def identifiers(text: str) -> tuple[str, ...]:
    """Every identifier in the text, once, in its order, as it is written there; without what ends a sentence."""
    found = (_trimmed(one[0].strip("` ")) for one in _FORMS.finditer(text))
    return tuple(dict.fromkeys(one for one in found if 2 <= len(one) <= _LONGEST))


def without(text: str) -> str:
    """The text with a blank for each identifier: what is left are words."""
    return _FORMS.sub(" ", text)


def _trimmed(found: str) -> str:
    """Without the end of a sentence, and with a closing bracket only where it was opened."""
    while found and found[-1] in _CLOSERS and not (found[-1] == ")" and found.count("(") >= found.count(")")):
        found = found[:-1]
    return found.strip()


def holds(text: str, identifier: str) -> bool:
    """Whether the text has it exactly, not as a part of a longer one."""
    before = r"(?<![A-Za-z0-9_])(?<!\d[.,])" if identifier[0].isalnum() else ""
    after = r"(?![A-Za-z0-9_])(?![.,]\d)" if identifier[-1].isalnum() else ""
    longer = r"(?![/?#&=]\w)" if "/" in identifier else ""
    return pattern(f"{before}{escape(identifier)}{after}{longer}").search(text) is not None


def audited(decisions: Iterable[str], most: int, count: Count) -> tuple[str, ...]:
    """Which identifiers a checkpoint must have: the last of those in decisions, as long as they have room.

    A decision is a line of what was said; `most` is what the checkpoint may cost.
    """
    found = dict.fromkeys(one for words in reversed(list(decisions)) for one in reversed(identifiers(words)))
    kept = list(islice(found, AUDITED))
    while kept and count(" ".join(kept)) > most // QUARTER:
        kept.pop()
    return tuple(kept)


def crowd(text: str, most: int, count: Count) -> bool:
    """Whether the long ones among the identifiers take more than their part of what a checkpoint may cost."""
    long = [one for one in identifiers(text) if len(one) >= _LONG]
    return bool(long) and count(" ".join(long)) > most // QUARTER
