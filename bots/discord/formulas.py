"""Formulas in LaTeX, which Discord does not draw: written as code, so that nothing in them is taken for a mark.

Dollars are more often money, or a shell's: only what reads like mathematics is a formula. Each pattern stops where the
next try would begin, so that no text is read again and again.
"""

import re
from collections.abc import Sequence

_INSIDE = r"(?:[^`\\\n]|\\[^()\[\]`\n]){1,500}"
_FORMULA = re.compile(
    r"\$\$(?P<display>[^$`\n]{1,500})\$\$"
    rf"|(?<![\w\\])\\\((?P<round>{_INSIDE})\\\)"
    rf"|(?<!\\)\\\[(?P<square>{_INSIDE})\\\]"
    r"|(?<![\w$\\/=])\$(?P<dollar>[^\s$`](?:[^$`\n]{0,200}[^\s$`])?)\$(?![\w${(])"
)
_SIGNS = re.compile(r"[\\^_={}<>]")
_WORD = re.compile(r"[^\W\d_]{3}")
_CLOSERS = {"$$": "$$", "\\[": "\\]"}
_LINES = 60
"""The most lines of one formula."""


def inline(text: str) -> str:
    """The text, outside of code, with the formulas within its lines as code."""
    return _FORMULA.sub(_as_code, text) if "$" in text or "\\(" in text or "\\[" in text else text


def _as_code(found: re.Match[str]) -> str:
    words = found[found.lastgroup or 0]
    reads = _SIGNS.search(words) or not (found.lastgroup == "square" or _WORD.search(words))
    return f"`{words.strip()}`" if reads and words.strip() else found[0]


def block_end(lines: Sequence[str], at: int) -> int | None:
    """The line after the formula of several lines that begins here, if one does."""
    closer = _CLOSERS.get(lines[at].lstrip()[:2])
    if closer is None or closer in lines[at].lstrip()[2:]:
        return None
    for number in range(at + 1, min(at + _LINES, len(lines))):
        if "`" in lines[number] or not lines[number].strip() or lines[number].lstrip().startswith("\\["):
            return None
        if lines[number].rstrip(" \t.,;").endswith(closer):
            return number + 1
    return None


def block(lines: Sequence[str]) -> Sequence[str]:
    """A formula of several lines as a block of code."""
    indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    first = lines[0].strip()[2:]
    last = lines[-1].rstrip(" \t.,;")[:-2]
    body = [line for line in (first, *lines[1:-1], last) if line.strip()]
    return [f"{indent}```latex", *body, f"{indent}```"] if body else lines
