"""Graphemes: between which two characters a line may be cut, where there is no better place."""

from re import compile as pattern
from unicodedata import category

_CALL = pattern(r"(?:@[^\s@]{4,26}|<[!@]!?\w{0,32}|<)\Z")


def is_harmless(text: str, at: int) -> bool:
    """Whether a cut here leaves `me|@here.org`, `@here|ditary`, `<!DOC|TYPE` and `<@U|1>` whole."""
    if at >= len(text):
        return True
    if text[at] == "@":
        return not (text[at - 1].isalnum() or text[at - 1] in "_.+-<")
    return not (text[at] in "_>!" or text[at].isalnum()) or not _CALL.search(text, max(0, at - 40), at)


def is_whole(text: str, at: int) -> bool:
    """Whether a cut here leaves graphemes, escapes and runs of fence characters whole (an approximation of UAX 29)."""
    if at >= len(text):
        return True
    before, after = text[at - 1], text[at]
    if before in "\\\u200d" or after == "\u200d" or category(after) in {"Mn", "Me", "Mc"}:
        return False
    if "\U0001f3fb" <= after <= "\U0001f3ff" or "\U000e0020" <= after <= "\U000e007f" or "\u1160" <= after <= "\u11ff":
        return False
    if "\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff":
        return False
    if text.startswith(("```", "~~~"), at) or before == after == "`":
        return False
    return not (_is_flag(after) and _flags_before(text, at) % 2)


def _is_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _flags_before(text: str, at: int) -> int:
    begin = at
    while begin and _is_flag(text[begin - 1]):
        begin -= 1
    return at - begin
