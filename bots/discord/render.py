"""Standard Markdown in Discord's dialect: what Discord does not draw is written so that it can be read.

Discord draws no tables, no images and no headings below the third level. Code is never touched: a fence that is still
open at the end of the text is code to the end.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from unicodedata import category, east_asian_width

_FENCE = re.compile(r"\s*(?P<mark>`{3,}|~{3,})(?P<info>.*)")
_HEADING = re.compile(r" {0,3}#{4,6}[ \t]+(?P<text>.*?)(?:[ \t]+#+)?[ \t]*")
_TASK = re.compile(r"(?P<bullet>\s*(?:[-*+]|\d{1,9}[.)])[ \t]+)\[(?P<done>[ xX])\](?=[ \t])")
_CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")
_IMAGE = re.compile(r"!\[(?P<what>[^\[\]\n]*)\]\((?P<where>[^\s()<>]+(?:\([^\s()]*\)[^\s()]*)?)(?:\s+\"[^\"\n]*\")?\)")
_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*")
_BAR = re.compile(r"(?<!\\)\|")
_LINK = re.compile(r"\[(?P<what>[^\[\]]+)\]\((?P<where>[^()\s]+)\)")
_EMPHASIS = re.compile(r"(\*\*|__|~~)(?=\S)(.+?)(?<=\S)\1")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


def render(text: str) -> str:
    """The same text as Discord shows it."""
    lines = text.split("\n")
    done: list[str] = []
    at = 0
    while at < len(lines):
        end = _fence_end(lines, at)
        if end is not None:
            done += lines[at:end]
        elif (end := _table_end(lines, at)) is not None:
            done += _table(lines[at:end])
        else:
            end = at + 1
            done.append(_line(lines[at]))
        at = end
    return "\n".join(done)


def width(text: str) -> int:
    """How many columns of a fixed-width font it takes: wide East Asian characters two, combining marks none."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def _fence_end(lines: Sequence[str], at: int) -> int | None:
    """The line after the code that begins here, if code begins here."""
    opening = _FENCE.fullmatch(lines[at])
    if opening is None or (opening["mark"][0] == "`" and "`" in opening["info"]):
        return None
    for number in range(at + 1, len(lines)):
        closing = _FENCE.fullmatch(lines[number])
        if closing and closing["mark"].startswith(opening["mark"]) and not closing["info"].strip():
            return number + 1
    return len(lines)


def _table_end(lines: Sequence[str], at: int) -> int | None:
    """The line after the table that begins here: a header, a rule with as many cells, and rows."""
    if at + 1 >= len(lines) or "|" not in lines[at] or "-" not in lines[at + 1]:
        return None
    if not _RULE.fullmatch(lines[at + 1]) or len(_cells(lines[at])) != len(_cells(lines[at + 1])):
        return None
    end = at + 2
    while end < len(lines) and "|" in lines[end] and _FENCE.fullmatch(lines[end]) is None:
        end += 1
    return end


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    wide: int
    left: bool
    right: bool

    def fit(self, cell: str) -> str:
        room = self.wide - width(cell)
        before = room // 2 if self.left and self.right else room if self.right else 0
        return " " * before + cell + " " * (room - before)


def _table(lines: Sequence[str]) -> Iterator[str]:
    header, rule, *rows = (_cells(line) for line in lines)
    shown = [[_plain(cell) for cell in (*row, *[""] * len(header))[: len(header)]] for row in (header, *rows)]
    columns = [
        _Column(wide=max(1, *map(width, cells)), left=mark.startswith(":"), right=mark.endswith(":"))
        for mark, cells in zip(rule, zip(*shown, strict=True), strict=True)
    ]
    body = ["  ".join(column.fit(cell) for column, cell in zip(columns, row, strict=True)).rstrip() for row in shown]
    yield "```"
    yield body[0]
    yield "  ".join("-" * column.wide for column in columns)
    yield from body[1:]
    yield "```"


def _cells(line: str) -> list[str]:
    line = line.strip().removeprefix("|")
    if line.endswith("|") and not line.endswith("\\|"):
        line = line[:-1]
    return [cell.strip().replace("\\|", "|") for cell in _BAR.split(line)]


def _plain(cell: str) -> str:
    """A cell as it can be read where no Markdown is drawn; it must not end the code around it."""
    cell = _BREAK.sub(" ", cell)
    cell = _LINK.sub(r"\g<what> (\g<where>)", _IMAGE.sub(r"\g<what> (\g<where>)", cell))
    return _EMPHASIS.sub(r"\2", cell).replace("`", "").strip()


def _line(line: str) -> str:
    heading = _HEADING.fullmatch(line)
    if heading is not None and heading["text"]:
        return f"**{_inline(heading['text'].replace('**', ''))}**"
    return _inline(_TASK.sub(lambda task: task["bullet"] + ("☐" if task["done"] == " " else "☑"), line, count=1))


def _inline(line: str) -> str:
    """Everything outside code spans."""
    done, at = "", 0
    for code in _CODE.finditer(line):
        done += _images(line[at : code.start()]) + code[0]
        at = code.end()
    return done + _images(line[at:])


def _images(text: str) -> str:
    return _IMAGE.sub(lambda image: f"[{image['what'].strip() or 'image'}]({image['where']})", text)
