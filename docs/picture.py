"""Draws the README's pictures, each a conversation that is really held (`docs/talks.py`).

    .venv/bin/python -m docs.picture

What is drawn is what people see: Markdown as a platform shows it, and no more.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterator, Mapping
from html import escape
from itertools import groupby
from pathlib import Path

from docs.talks import Held, Said, launch, month

PICTURES: Mapping[str, Callable[[], Coroutine[None, None, Held]]] = {"conversation": launch, "month": month}
"""By the name of the file."""

WIDTH, LINE, COLUMNS = 760, 20, 88
_LEFT, _GAP = 70, 8
_PEOPLE = {"ada": ("Ada", "#7c3aed"), "ben": ("Ben", "#0f766e"), "": ("Backscroll", "#1d4ed8")}
_FONTS = "-apple-system, Segoe UI, Helvetica, Arial, sans-serif"
_Looks = Mapping[str, str]
_Span = tuple[str, _Looks]
"""Words, and how they look: the attributes of their element."""

_CODE = {"font-family": "ui-monospace, Menlo, Consolas, monospace", "font-size": "12.5"}
_MARKS: Mapping[str, _Looks] = {
    "bold": {"font-weight": "700"},
    "italic": {"font-style": "italic", "fill": "#52525b"},
    "code": {**_CODE, "fill": "#be123c"},
    "link": {"fill": "#1d4ed8"},
    "mention": {"fill": "#1d4ed8"},
}
_MARKED = re.compile(
    r"\*\*(?P<bold>.+?)\*\*|`(?P<code>.+?)`|(?<!\w)_(?P<italic>\S.*?)_(?!\w)|\[(?P<link>[^\]]+)\]\([^()\s]+\)"
    r"|(?P<mention>@Backscroll)"
)


def draw(held: Held) -> str:
    """The conversation as SVG."""
    rows = list(_rows(held))
    height = rows[-1][0] + 28
    body = "\n".join(row for _, row in rows if row)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="{_FONTS}" font-size="14" fill="#1d1c1d">\n'
        f'<rect width="{WIDTH}" height="{height}" rx="10" fill="#ffffff" stroke="#d4d4d8"/>\n{body}\n</svg>\n'
    )


def _rows(held: Held) -> Iterator[tuple[int, str]]:
    """Each with where it stands; the last one is empty, and says where all of it ends."""
    top = 26
    for said, before in zip(held, [None, *held], strict=False):
        if isinstance(said, str):
            yield top + 8, f'<text x="{WIDTH // 2}" y="{top + 8}" text-anchor="middle" fill="#71717a">— {said} —</text>'
            top += 38
            continue
        if isinstance(before, Said) and before.who == said.who:
            top -= 36  # one person's messages stand together
        else:
            yield from ((top, row) for row in _head(said.who, top))
        if said.private:
            top += LINE
            yield top, f'<text x="{_LEFT}" y="{top}" fill="#71717a" font-size="12">Only visible to you</text>'
        for row in _body(said.text):
            top += LINE if row else _GAP
            yield top, row.format(x=_LEFT, y=top, above=top - 10)
        top += 36
    yield top - 36, ""


def _head(who: str, top: int) -> Iterator[str]:
    name, colour = _PEOPLE[who]
    app = "" if who else '<tspan dx="6" fill="#71717a" font-weight="400" font-size="11">APP</tspan>'
    yield f'<rect x="22" y="{top - 10}" width="34" height="34" rx="7" fill="{colour}"/>'
    yield f'<text x="39" y="{top + 13}" text-anchor="middle" fill="#fff" font-weight="600">{name[0]}</text>'
    yield f'<text x="{_LEFT}" y="{top + 2}" font-weight="700">{name}{app}</text>'


def _body(text: str) -> Iterator[str]:
    """A message's lines, each with its place left open; an empty one is a gap."""
    fence = ""
    for line in text.splitlines():
        if line.startswith("```"):
            fence = "" if fence else line
        elif fence == "```chart":
            yield _bar(*line.split("\t"), _most(text))
        elif fence:
            yield f'<text x="{{x}}" y="{{y}}" xml:space="preserve"{_attributes(_CODE)}>{_safe(line)}</text>'
        else:
            for words in _wrapped(_spans(*_shaped(line))):
                yield f'<text x="{{x}}" y="{{y}}">{_row(words)}</text>' if words else ""


def _most(text: str) -> float:
    """The longest bar of a message's chart."""
    return max(float(value) for value in re.findall(r"\t([\d.]+)$", text, re.MULTILINE))


def _bar(label: str, value: str, most: float) -> str:
    """One bar of a chart, with what it is about and how much."""
    width = max(2, round(360 * float(value) / most))
    return (
        f'<text x="{{x}}" y="{{y}}" fill="#52525b" font-size="12.5">{_safe(label)}</text>'
        f'<rect x="{_LEFT + 100}" y="{{above}}" width="{width}" height="12" rx="2" fill="#1d4ed8"/>'
        f'<text x="{_LEFT + 108 + width}" y="{{y}}" fill="#52525b" font-size="12.5">{float(value):,.0f}</text>'
    )


def _shaped(line: str) -> tuple[str, _Looks]:
    """A heading is bold, and a list has dots."""
    if heading := re.match(r"#+ ", line):
        return line[heading.end() :], _MARKS["bold"]
    return re.sub(r"^- ", "•  ", line), {}


def _spans(line: str, looks: _Looks) -> Iterator[_Span]:
    end = 0
    for found in _MARKED.finditer(line):
        yield line[end : found.start()], looks
        kind = found.lastgroup or ""
        inside, end = {**looks, **_MARKS[kind]}, found.end()
        yield from _spans(found[kind], inside) if kind == "italic" else [(found[kind], inside)]
    yield line[end:], looks


def _wrapped(spans: Iterator[_Span]) -> Iterator[list[_Span]]:
    """The line in lines of no more than so many characters, broken between words, however these look."""
    parts = [(part, looks) for words, looks in spans for part in re.findall(r"\s+|\S+", words)]
    row, length = list[_Span](), 0
    for is_space, alike in groupby(parts, key=lambda part: part[0].isspace()):
        word = list(alike)
        size = sum(len(part) for part, _ in word)
        if row and not is_space and length + size > COLUMNS:
            yield row
            row, length = [], 0
        row, length = row + word, length + size
    yield row


def _row(spans: list[_Span]) -> str:
    """Neighbours that look alike are one."""
    parts = groupby(spans, key=lambda span: span[1])
    return "".join(_drawn("".join(words for words, _ in alike), looks) for looks, alike in parts)


def _drawn(words: str, looks: _Looks) -> str:
    return f"<tspan{_attributes(looks)}>{_safe(words)}</tspan>" if looks else _safe(words)


def _attributes(looks: _Looks) -> str:
    return "".join(f' {name}="{value}"' for name, value in looks.items())


def _safe(words: str) -> str:
    return escape(words).replace("{", "{{").replace("}", "}}")


if __name__ == "__main__":
    for name, hold in PICTURES.items():
        picture = draw(asyncio.run(hold()))
        Path(__file__).with_name(f"{name}.svg").write_text(picture, encoding="utf-8")
