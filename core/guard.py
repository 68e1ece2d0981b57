"""Keeps what the model writes from calling people, and says how much of a growing text is safe to show.

The text is a model's, and so in the end anybody's: a message that the bot reads can ask it to write `<!channel>`.
The forms that Slack and Discord act on are broken with U+200B, which shows nothing and which neither platform removes.
Platforms offer a switch as well (`allowed_mentions`, no `link_names`); this holds where there is none, as in Slack's
Markdown, and when one is forgotten. Code is no shelter: whether mentions live there differs by platform and by block.

Every rule looks only to the right, and only a little: `settled` holds back what the rules cannot decide yet,
and a split text is as safe as a whole one (`core.markdown` keeps words that follow an `@` whole).
"""

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


def _word(word: str) -> str:
    return rf"[{_HIDDEN}]{{0,2}}".join(word)


_LESS = _sign("<", "lt", 60)
_BANG = _sign("!", "excl", 33)
_AT = _sign("@", "commat", 64)
_LETTER = r"(?i:[a-z]|&(?:amp;){0,2}#(?:0{0,5}(?:6[5-9]|[78]\d|9[07-9]|1[01]\d|12[0-2])|x0{0,4}[4-7][0-9a-f]))"
_EVERYONE = rf"[{_HIDDEN}]{{0,2}}(?i:{'|'.join(map(_word, ('everyone', 'here', 'channel')))})"
_ADDRESS = r"\w.+-"  # before an @, these make it an e-mail address

_LIVE = pattern(
    rf"{_LESS}(?="
    # Slack's commands: <!here>, <!subteam^S1|@team>, <!anything|label>; declarations of HTML and XML are none.
    rf"{_TIGHT}{_BANG}(?:(?!(?i:doctype|element|entity|attlist|notation)){_LETTER}|[\\{_HIDDEN}])"
    rf"|{_GAP}{_BANG}{_GAP}(?i:channel|here|everyone|group|subteam)"
    # People: <@U1>, <@W1>, <@1>, <@!1>; roles: <@&1>. Java's List<@NonNull T> is none.
    rf"|{_GAP}{_AT}{_GAP}(?:[!&]?{_GAP}[0-9]|!?[UW][A-Z0-9>|]))"
    rf"|(?<![{_ADDRESS}]){_AT}(?={_EVERYONE}(?!\w))"
)

_ENTITY = r"&(?:amp;){0,2}(?:[A-Za-z]{0,6}|#[0-9]{0,7}|#[xX][0-9A-Fa-f]{0,6})"
_UNDECIDED = pattern(
    rf"(?:{_LESS}{_GAP}(?:{_ENTITY}"
    rf"|{_BANG}{_GAP}(?:{_ENTITY}|[A-Za-z]{{0,9}})"
    rf"|{_AT}{_GAP}(?:{_ENTITY}|!?[0-9A-Za-z]{{0,32}}|[!&]{_GAP}))?"
    rf"|(?<![{_ADDRESS}]){_AT}[A-Za-z{_HIDDEN}]{{0,24}}"
    rf"|{_ENTITY}|\\|[\ud800-\udbff])\Z"
)
_FENCE = pattern(r"[ \t]*(?:`{1,2}|`{3,}[^`\n]*|~{1,2}|~{3,}[^\n]*)\Z")


def guard(text: str, may_mention: str | None = None) -> str:
    """The text with every mention broken, but for `<@ID>` and `<@!ID>` of the one person in `may_mention`.

    Idempotent. `@here` and its like are broken as whole words in any case, not in `me@here.org` or `@here_we_go`.
    """
    welcome = (f"<@{may_mention}>", f"<@!{may_mention}>") if may_mention else ()

    def broken(found: Match[str]) -> str:
        return found[0] if text.startswith(welcome, found.start()) else found[0] + BREAK

    return _LIVE.sub(broken, text) if "@" in text or "!" in text or "&" in text else text


def settled(text: str) -> str:
    """The part of a growing text that is safe to show: whatever follows, its guarded form stays a beginning.

    Held back, for at most 80 characters, is an end that could become a mention or the line that opens a fence:
    `<!chan`, `@every`, `&lt`, a backslash, half a surrogate pair, "```py" before its line ends.
    """
    start = max(0, len(text) - _HELD)
    undecided = _UNDECIDED.search(text, start)
    cut = undecided.start() if undecided else len(text)
    line = text.rfind("\n", start) + 1
    if (line or not start) and _FENCE.match(text[line:]):
        cut = min(cut, line)
    return text[:cut]
