"""Cuts a long Markdown text into messages, so that each reads well by itself.

A piece is decided by what fits into it and the one character after: nothing further is looked at. So the text may grow
while it is shown, and all pieces but the last stay as they are.
"""

from bisect import bisect_left
from collections.abc import Iterator
from enum import IntEnum
from re import Pattern
from re import compile as pattern
from typing import NamedTuple

from core.delivery.graphemes import is_harmless, is_whole

_BREAK = pattern(r"\r?\n")
_SPACE = pattern(r"\s*")
_BLANK = pattern(r"[^\S\n]*\n")
_OPENER = pattern(r"([ \t]*)(`{3,}|~{3,})(.*)")
_CLOSER = pattern(r"([ \t]*)(`{3,}|~{3,})[ \t]*(?:\r?\n|\Z)")
_ITEM = pattern(r"[ \t]*(?:[-+*]|\d{1,9}[.)])[ \t]")
_BLOCK = pattern(r"[ \t]*(?:(?:[-+*]|\d{1,9}[.)])[ \t]|#{1,6}[ \t]|>|\||`{3}|~{3})")
_ROW = pattern(r" {0,3}\|")
_LEAD = pattern(r" {0,3}#{1,6}[ \t]|.*:[ \t]*\Z")  # a heading, or "as follows:" – parted from what it leads, it is odd

_SENTENCE = pattern(r"[.!?…]['\"”’)\]*_]*([ \t]+)(?![`~]{3})|[。！？]()(?![`~]{3}|[」』）”’])")
_WORD = pattern(r"([ \t\u3000]+)(?![`~]{3}|[-+*#>|]|\d{1,9}[.)][ \t])")
_SPAN = pattern(
    r"(?<!`)(?P<tick>`+)(?!`)[^\n]{0,300}?(?:(?<!`)(?P=tick)(?!`)|\Z)"  # inline code
    r"|!?\[[^\[\]\n]{0,300}(?:\](?:\([^()\s]{0,500}(?:\([^()\s]{0,100}\)[^()\s]{0,100})?(?:\s\"[^\"\n]{0,100}\")?"
    r"(?:\)|\Z))|\]?\Z)"  # a link
    r"|<[^<>\s][^<>\n]{0,200}(?:>|\Z)|<\Z"  # a mention, a link, a tag
    r"|https?://[^\s<>]+"
    r"|(?<![\w.+-])[\w.+-]{0,64}@\w+"
    r"|\*\*[^*\n]{1,200}(?:\*\*|\Z)"
    r"|(?<![`~])(?:`{2,}|~{2,})"
)

_STEPS = 200
"""How far back a cut between two graphemes is looked for."""

_INDENT = 40
"""The deepest indentation that a piece may begin with."""


class _Fence(NamedTuple):
    """An open code fence. `head` opens it again in the next piece, `tail` closes it in this one.

    Both are empty where the limit has no room for them: the code then goes out bare.
    """

    indent: int
    mark: str
    head: str
    tail: str

    def closed_by(self, indent: str, mark: str) -> bool:
        """Whether such a line ends it: the same characters, as many at least, not indented as code is."""
        return mark.startswith(self.mark) and len(indent) <= max(3, self.indent)


class _Place(NamedTuple):
    """Where the rest begins, and amid what: an open fence, a list; `fresh` where a line begins."""

    at: int = 0
    fence: _Fence | None = None
    listed: bool = False
    fresh: bool = True

    @property
    def head(self) -> str:
        return self.fence.head if self.fence else ""

    @property
    def tail(self) -> str:
        return self.fence.tail if self.fence else ""


class _Rank(IntEnum):
    """How good a border between two lines is to cut at, best first."""

    PARAGRAPH = 0
    BLOCK = 1
    LINE = 2
    INNER = 3  # between two lines of code, two rows of a table
    LEAD = 4  # after a heading or a line that ends with a colon
    NEVER = 5  # after the line that opens a fence; between blank lines


class _Cut(NamedTuple):
    """The piece ends at `end`; the rest begins at `rest.at`, and what lies between is dropped."""

    end: int
    rest: _Place
    rank: _Rank = _Rank.LINE


class _Done(NamedTuple):
    """A piece, where the rest begins, and how far the text was read for it."""

    piece: str
    rest: _Place
    read: int


def split(text: str, limit: int) -> list[str]:
    """Pieces of at most `limit` characters, none of them blank; none at all for blank text.

    Cuts at a blank line, else before a list item or the like, else at a line, a sentence, a word, else anywhere
    between two graphemes. A better border is not taken where it would leave the piece less than a third full, except
    before a table, which stays whole where it can. Code fences are closed and opened again. Nothing is lost but
    white space: at both ends of the text; where it is cut; in code, only the line break at a cut. A fence's own
    closing line may be ours instead of the text's. The last piece is not closed: it may still grow.

    Prefix-stable: for every n, all pieces but the last of `split(text[:n], limit)` begin `split(text, limit)`.
    """
    return Growing(limit).split(text)


class Growing:
    """A text that grows, cut as `split` does it: what was cut once is not looked at again while the text only grows."""

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"pieces of {limit} characters can't hold a text")
        self._limit, self._text = limit, ""
        self._done: list[_Done] = []

    def split(self, text: str) -> list[str]:
        """The pieces of the text as it is now."""
        end = len(text.rstrip())
        while self._done and not (end >= (read := self._done[-1].read) and text.startswith(self._text[:read])):
            self._done.pop()  # it was decided by something else
        self._text = text
        place = _skip(text, self._done[-1].rest if self._done else _Place(), self._limit)
        while place.at < end:
            room = self._limit - len(place.head)
            if end - place.at <= room:
                return [one.piece for one in self._done] + [place.head + text[place.at : end]]
            self._done.append(_take(text, room, self._limit, place))
            place = _skip(text, self._done[-1].rest, self._limit)
        return [one.piece for one in self._done]


def _take(text: str, room: int, limit: int, place: _Place) -> _Done:
    """The next piece, of a text that is longer than that."""
    window = text[place.at : place.at + room + 1]
    cut = _cut(window, room, limit, place)
    body = window[: cut.end]
    piece = place.head + (body + cut.rest.tail if cut.rest.tail else body.rstrip())
    return _Done(piece, cut.rest._replace(at=place.at + cut.rest.at), place.at + room + 1)


def _skip(text: str, place: _Place, limit: int) -> _Place:
    """Drops what need not be said after a cut: white space, and the end of a fence that is closed already."""
    if place.tail:
        if not place.fresh and (line := _BREAK.match(text, place.at)):
            place = place._replace(at=line.end(), fresh=True)
        closer = _CLOSER.match(text, place.at) if place.fresh else None
        if not (closer and place.fence and place.fence.closed_by(closer[1], closer[2])):
            return place
        place = place._replace(at=closer.end(), fence=None)
    space = _SPACE.match(text, place.at)
    begin = space.end() if space else place.at
    line_at = text.rfind("\n", place.at, begin) + 1
    fresh = place.fresh or line_at > 0
    indented = line_at or place.at
    keep = fresh and begin - indented <= min(_INDENT, limit // 2)
    return place._replace(at=indented if keep else begin, fresh=fresh)


def _cut(window: str, room: int, limit: int, place: _Place) -> _Cut:
    """Where the piece ends that begins with `window`, which is one character longer than what fits."""
    least = 1 if place.tail else len(window) - len(window.lstrip()) + 1
    floor = max(least, room // 3)
    borders: list[_Cut] = []
    table: _Cut | None = None
    for border in _borders(window, limit, place):
        rowed = border.rest.fence is None and _ROW.match(window, border.rest.at)
        table = (table or border) if rowed else None
        if border.end + len(border.rest.tail) <= room:
            borders.append(border)
    if table and table.rank is not _Rank.INNER:
        return table
    begin = borders[-1].rest if borders else place._replace(at=0)
    inside = _Inside(window, room, limit, begin)
    return (
        _best(borders, floor)
        or (_best(borders, least) if inside.rigid else None)
        or inside.gentle(floor)
        or _best(borders, least)
        or inside.gentle(least)
        or inside.hard(max(least, begin.at + 1))
        or borders[-1]
    )


def _best(borders: list[_Cut], floor: int) -> _Cut | None:
    """The last of the best borders from `floor` on."""
    fit = [border for border in borders if border.end >= floor and border.rank is not _Rank.NEVER]
    return min(reversed(fit), key=lambda border: border.rank, default=None)


def _borders(window: str, limit: int, place: _Place) -> Iterator[_Cut]:
    """All ends of whole lines, whether they fit or not."""
    before = place._replace(at=0)
    for found in _BREAK.finditer(window):
        line = window[before.at : found.start()]
        after = (_read(line, before, limit) if before.fresh else before)._replace(at=found.end(), fresh=True)
        yield _Cut(end=found.start(), rest=after, rank=_rank(line, before, after, window))
        before = after


def _read(line: str, place: _Place, limit: int) -> _Place:
    """What a whole line opens or closes. Deeper than three spaces, only a list has fences."""
    mark = _OPENER.match(line)
    if place.fence:
        ends = mark and not mark[3].strip() and place.fence.closed_by(mark[1], mark[2])
        return place._replace(fence=None) if ends else place
    if mark and not ("`" in mark[2] and "`" in mark[3]) and (len(mark[1]) <= 3 or place.listed):
        return place._replace(fence=_fence(mark[1], mark[2], mark[3].strip(), limit))
    if _ITEM.match(line):
        return place._replace(listed=True)
    return place._replace(listed=False) if line[:1].strip() else place


def _fence(indent: str, mark: str, info: str, limit: int) -> _Fence:
    """The fence, with as much of its info string as takes no more than half a piece."""
    tail = f"\n{indent}{mark}"
    for words in (info, info.split(maxsplit=1)[0] if info else ""):
        head = f"{indent}{mark}{words}\n"
        if len(head) + len(tail) <= limit // 2:
            return _Fence(indent=len(indent), mark=mark, head=head, tail=tail)
    head = f"{indent}{mark}\n"
    bare = len(head) + len(tail) >= limit
    return _Fence(indent=len(indent), mark=mark, head="" if bare else head, tail="" if bare else tail)


def _rank(line: str, before: _Place, after: _Place, window: str) -> _Rank:
    if after.fence:
        return _Rank.INNER if before.fence else _Rank.NEVER
    if not line.strip():
        return _Rank.NEVER
    if _ROW.match(line) and _ROW.match(window, after.at):
        return _Rank.INNER
    if not before.fence and _LEAD.match(line):
        return _Rank.LEAD
    if _BLANK.match(window, after.at):
        return _Rank.PARAGRAPH
    return _Rank.BLOCK if before.fence or _BLOCK.match(window, after.at) else _Rank.LINE


class _Inside:
    """The ways to cut inside the line that does not fit. Code keeps its white space, and its lines where it can."""

    def __init__(self, window: str, room: int, limit: int, place: _Place) -> None:
        end = window.find("\n", place.at)
        self.line = window[: end if end >= 0 else len(window)]
        opened = _read(self.line[place.at :], place, limit) if place.fresh else place
        self.place = opened._replace(fence=place.fence or opened.fence, fresh=False)
        self.rigid = bool(self.place.fence) or bool(_ROW.match(window, place.at))
        self.begin = place.at
        self.high = min(room - len(self.place.tail), len(self.line))
        self._spans = [found.span() for found in _SPAN.finditer(self.line, self.begin)]

    def gentle(self, floor: int) -> _Cut | None:
        """After a sentence, else after a word."""
        for kind in (_WORD,) if self.place.fence else (_SENTENCE, _WORD):
            for begin in (max(floor, self.high - _STEPS), floor):  # mostly there is one near the end
                if cut := self._last(kind, max(begin - 1, self.begin), floor):
                    return cut
        return None

    def _last(self, kind: Pattern[str], begin: int, floor: int) -> _Cut | None:
        last = None
        for found in kind.finditer(self.line, begin, self.high + 12):
            end = found.end() if self.place.tail else found.start(found.lastindex or 0)
            if floor <= end <= self.high and (self.place.fence or self._around(end) is None):
                last = _Cut(end=end, rest=self.place._replace(at=found.end()))
        return last

    def hard(self, floor: int) -> _Cut | None:
        """Anywhere: outside of links and the like, else between graphemes, else where no mention comes into being."""
        for whole, spare in ((is_whole, True), (is_whole, False), (is_harmless, False)):
            end, lowest = self.high, max(floor, self.high - _STEPS)
            while end >= (floor if spare else lowest):
                if spare and (start := self._around(end)) is not None:
                    end = start
                elif is_harmless(self.line, end) and whole(self.line, end):
                    return _Cut(end=end, rest=self.place._replace(at=end))
                else:
                    end -= 1
        return _Cut(end=self.high, rest=self.place._replace(at=self.high)) if self.high >= floor else None

    def _around(self, at: int) -> int | None:
        """Where the link or the like begins that a cut here would part."""
        index = bisect_left(self._spans, (at, 0)) - 1
        start, end = self._spans[index] if index >= 0 else (at, at)
        return start if start < at < end else None
