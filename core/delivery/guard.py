"""Keeps what the model writes from calling people, and says how much of a growing text is safe to show.

The text is a model's, and so in the end anybody's: a message that the bot reads can ask it to write `<!channel>`.
Where a platform has no switch for it (`Adapter.rings`), the forms that it acts on are broken with U+200B, which shows
nothing and is not removed. Those are Slack's `<!here>` and `<@U1>`, however they are spelt; a bare `@here` rings
nobody there, and stays as it is: it may be the name of a package.

Code is left whole, as people copy it into their shells. Platforms differ in what they take for code, and what one of
them does not is alive: so it counts here only where there can be no doubt, after which any other sign of code, of a
quote or of HTML ends that until the paragraph or the text is over.

Every rule looks only to the right, and only a little, or at what has been decided before: `settled` holds back what
the rules cannot decide yet.
"""

from bisect import bisect_right
from collections.abc import Sequence
from re import Match
from re import compile as pattern

BREAK = "\u200b"
"""ZERO WIDTH SPACE. The rules never skip it, so that a guarded text stays as it is."""

_HELD = 80
"""`settled` never holds back more characters than this; an undecided mention is shorter."""

# Characters that show nothing and that a renderer may drop: soft hyphen, joiners, direction marks, selectors, controls.
_HIDDEN = (
    r"\x00-\x08\x0e-\x1b\x7f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200c-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff"
)
_GAP = rf"[\s\\{_HIDDEN}]{{0,4}}"
_TIGHT = rf"[\\{_HIDDEN}]{{0,4}}"


def _sign(plain: str, name: str, code: int) -> str:
    """One ASCII sign in every spelling that HTML and Markdown decode to it, escaped twice over at most."""
    return rf"(?:{plain}|&(?:amp;){{0,2}}(?i:{name}|#0{{0,5}}{code}|#x0{{0,4}}{code:x});?)"


_LESS = _sign("<", "lt", 60)
_BANG = _sign("!", "excl", 33)
_AT = _sign("@", "commat", 64)
_LETTER = r"(?i:[a-z]|&(?:amp;){0,2}#(?:0{0,5}(?:6[5-9]|[78]\d|9[07-9]|1[01]\d|12[0-2])|x0{0,4}[4-7][0-9a-f]))"

_LIVE = pattern(
    rf"{_LESS}(?="
    # Slack's commands: <!here>, <!subteam^S1|@team>, <!anything|label>; declarations of HTML and XML are none.
    rf"{_TIGHT}{_BANG}(?:(?!(?i:doctype|element|entity|attlist|notation)){_LETTER}|[\\{_HIDDEN}])"
    rf"|{_GAP}{_BANG}{_GAP}(?i:channel|here|everyone|group|subteam)"
    # People: <@U1>, <@W1>, <@1>, <@!1>; roles: <@&1>. Java's List<@NonNull T> is none.
    rf"|{_GAP}{_AT}{_GAP}(?:[!&]?{_GAP}[0-9]|!?[UW][A-Z0-9>|]))"
)

_ENTITY = r"&(?:amp;){0,2}(?:[A-Za-z]{0,6}|#[0-9]{0,7}|#[xX][0-9A-Fa-f]{0,6})"
_UNDECIDED = pattern(
    rf"(?:{_LESS}{_GAP}(?:{_ENTITY}"
    rf"|{_BANG}{_GAP}(?:{_ENTITY}|[A-Za-z]{{0,9}})"
    rf"|{_AT}{_GAP}(?:{_ENTITY}|!?[0-9A-Za-z]{{0,32}}|[!&]{_GAP}))?"
    rf"|{_ENTITY}|\\|[\ud800-\udbff])\Z"
)
_FENCE = pattern(r"[ \t]*(?:`{1,2}|`{3,}[^`\n]*|~{1,2}|~{3,}[^\n]*)\Z")


_OPENS = pattern(r"```(?!`)[^`]*\Z")
_CLOSES = pattern(r" {0,3}`{3,}[ \t]*\Z")
_DOUBT = pattern(r"[\s>*+\-\d.)]*(?:```|~~~)|[\s>*+\-\d.)]*<[!?/A-Za-z]")
"""Lines that may begin code, or something in which code does not count."""

_SPAN = pattern(r"(?<![`\\])`(?!`)[^`|]{1,70}`(?!`)")
_OPEN = pattern(r"(?<![`\\])`[^`|]{0,70}`?\Z")


def guard(text: str, may_mention: str | None = None) -> str:
    """The text with every mention outside of code broken, but for `<@ID>` and `<@!ID>` of the one in `may_mention`.

    Idempotent.
    """
    if not ("@" in text or "!" in text or "&" in text):
        return text
    welcome = (f"<@{may_mention}>", f"<@!{may_mention}>") if may_mention else ()
    code = _code(text) if "`" in text else []

    def broken(found: Match[str]) -> str:
        within = bisect_right(code, (found.start(), len(text))) - 1
        spared = within >= 0 and found.start() < code[within][1]
        return found[0] if spared or text.startswith(welcome, found.start()) else found[0] + BREAK

    return _LIVE.sub(broken, text)


def _code(text: str) -> Sequence[tuple[int, int]]:
    """Where code begins and ends beyond doubt: blocks between lines of three backticks, and spans within a line."""
    found: list[tuple[int, int]] = []
    at, inside, clean = 0, False, True
    for line in text.partition("\r")[0].split("\n"):
        if inside and not _CLOSES.match(line):
            found.append((at, at + len(line)))
        elif inside or _OPENS.match(line):
            inside, clean = not inside, True
        elif _DOUBT.match(line):
            break
        else:
            spans, clean = _spans(line, clean=clean)
            found += [(at + start, at + end) for start, end in spans]
        at += len(line) + 1
    return found


def _spans(line: str, *, clean: bool) -> tuple[Sequence[tuple[int, int]], bool]:
    """The spans of code in a line, and whether the next line is as free of doubt: it always is after a blank one."""
    found: list[tuple[int, int]] = []
    at = 0
    for span in _SPAN.finditer(line):
        before = line[at : span.start()]
        clean = clean and _is_clear(before)
        if not clean:
            break
        found.append(span.span())
        at = span.end()
    rest = line[at:]
    return found, not line.strip() or (clean and _is_clear(rest))


def _is_clear(words: str) -> bool:
    """Whether these words leave neither code nor a tag open."""
    return "`" not in words and words.rfind("<") <= words.rfind(">")


def settled(text: str) -> str:
    """The part of a growing text that is safe to show: whatever follows, its guarded form stays a beginning.

    Held back, for at most 80 characters, is an end that could become a mention or the line that opens a fence:
    `<!chan`, `&lt`, a backslash, half a surrogate pair, "```py" before its line ends, code that is still open and has
    a mention in it.
    """
    start = max(0, len(text) - _HELD)
    undecided = _UNDECIDED.search(text, start)
    cut = undecided.start() if undecided else len(text)
    line = text.rfind("\n", start) + 1
    if (line or not start) and _FENCE.match(text[line:]):
        cut = min(cut, line)
    return text[: _unopened(text, cut)]


def _unopened(text: str, cut: int) -> int:
    """Where code begins that has a mention in it and may still turn out to be none; else `cut`."""
    at = text.rfind("\n", 0, cut) + 1
    for span in _SPAN.finditer(text, at, cut):
        at = span.end() if span.end() < cut else at
    found = _OPEN.search(text, at, cut) if "`" in text[at:cut] else None
    return found.start() if found is not None and _LIVE.search(text, found.start(), cut) else cut
