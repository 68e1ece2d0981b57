"""Standard Markdown in Discord's dialect: what Discord does not draw is written so that it can be read.

Discord draws no tables, no images, no formulas and no headings below the third level, and shows a preview of what a
link leads to, which nobody wants of a message. Code is never touched: a fence
that is still open at the end of the text is code to the end. Of fences, Discord knows three backticks alone, and three
backticks end them wherever they stand.

It runs on the event loop, over whatever a model was talked into saying. So every pattern either is tried at one place
alone, or stops at the character that the next try would begin with: none reads the same stretch again and again.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from unicodedata import category, east_asian_width

from bots.discord import formulas

_LANGUAGE = re.compile(r"[A-Za-z0-9_+\-.#]+")
_SIGNS = re.compile(r"([!-/:-@\[-`{-~])")
_FENCE = re.compile(r"\s*(?P<mark>`{3,}|~{3,})(?P<info>.*)")
_HEADING = re.compile(r" {0,3}#{4,6}(?=[ \t])")
_TASK = re.compile(r"(?P<bullet>[\s>]*(?:[-*+]|\d{1,9}[.)])[ \t]+)\[(?P<done>[ xX])\](?=[ \t])")
_TICKS = re.compile(r"`+")
_IMAGE = re.compile(r"!\[(?P<what>[^\[\]\n]*)\]\((?P<where>[^\s()<>]+(?:\([^\s()]*\)[^\s()]*)?)(?:\s+\"[^\"\n]*\")?\)")
_RULE = re.compile(r":?-+:?")
_BAR = re.compile(r"(?<!\\)\|")
_LINK = re.compile(r"\[(?P<what>[^\[\]]+)\]\((?P<where>[^()\s]+)\)")
_MESSAGE = re.compile(r"(?<=\]\()https://discord\.com/channels/(?:@me|\d{1,20})/\d{1,20}/\d{1,20}(?=\))")
_EMPHASIS = re.compile(r"(\*\*|__|~~)(?=\S)((?:(?!\1).)+)(?<=\S)\1")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)

_CELLS, _ROOM = 3_000, 30_000
"""The most cells, and characters, of a table that is drawn: one wide cell widens every row. A larger one is left."""


def render(text: str) -> str:
    """The same text as Discord shows it."""
    lines = text.split("\n")
    done: list[str] = []
    at = 0
    while at < len(lines):
        end = _fence_end(lines, at)
        if end is not None:
            done += _block(lines[at:end])
        elif (end := formulas.block_end(lines, at)) is not None:
            done += formulas.block(lines[at:end])
        elif (end := _table_end(lines, at)) is not None:
            done += _table(lines[at:end])
        else:
            end = at + 1
            done.append(_line(lines[at]))
        at = end
    return "\n".join(done)


def width(text: str) -> int:
    """How many columns of a fixed-width font it takes: wide East Asian characters two, combining marks none."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def _fence_end(lines: Sequence[str], at: int) -> int | None:
    """The line after the code that begins here, if code begins here."""
    opening = _fence(lines[at])
    if opening is None or (opening["mark"][0] == "`" and "`" in opening["info"]):
        return None
    for number in range(at + 1, len(lines)):
        if _closes(lines[number], opening):
            return number + 1
    return len(lines)


def _block(lines: Sequence[str]) -> Sequence[str]:
    """Code between lines of three backticks. A line with three of them in it is shown by itself, as plain words."""
    opening = _fence(lines[0])
    if opening is None:
        return lines
    closed = len(lines) > 1 and _closes(lines[-1], opening)
    body = lines[1:-1] if closed else lines[1:]
    language, *more = opening["info"].split() or [""]
    drawn = opening["mark"] == "```" and not more and (not language or _LANGUAGE.fullmatch(language))
    if drawn and not any("```" in line for line in body):
        return lines
    indent = lines[0][: opening.start("mark")]
    head = f"{indent}```{language if _LANGUAGE.fullmatch(language) else ''}"
    return _fenced(body, head, f"{indent}```", closed=closed)


def _fenced(body: Sequence[str], head: str, tail: str, *, closed: bool) -> Sequence[str]:
    """The lines of code in blocks, none of which is blank, with those between them that no block can hold."""
    done: list[str] = []
    inside, blank = False, list[str]()
    for line in body:
        if "```" in line:
            done += [*([tail] if inside else blank), _SIGNS.sub(r"\\\1", line)]
            inside, blank = False, []
        elif inside:
            done.append(line)
        elif line.strip():
            done += [head, *blank, line]
            inside, blank = True, []
        else:
            blank.append(line)
    return [*done, tail] if inside and closed else done or [head, *blank, *([tail] if closed else ())]


def _closes(line: str, opening: re.Match[str]) -> bool:
    closing = _fence(line)
    return bool(closing and closing["mark"].startswith(opening["mark"]) and not closing["info"].strip())


def _fence(line: str) -> re.Match[str] | None:
    return _FENCE.fullmatch(line) if "```" in line or "~~~" in line else None


def _table_end(lines: Sequence[str], at: int) -> int | None:
    """The line after the table that begins here: a header, a rule with as many cells, and rows."""
    if at + 1 >= len(lines) or "|" not in lines[at] or "-" not in lines[at + 1]:
        return None
    rule = _cells(lines[at + 1])
    if not all(map(_RULE.fullmatch, rule)) or len(_cells(lines[at])) != len(rule):
        return None
    end = at + 2
    while end < len(lines) and "|" in lines[end] and _fence(lines[end]) is None:
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


def _table(lines: Sequence[str]) -> Sequence[str]:
    if len(_cells(lines[0])) * len(lines) > _CELLS:
        return lines
    header, rule, *rows = map(_cells, lines)
    shown = [[_plain(cell) for cell in (*row, *[""] * len(header))[: len(header)]] for row in (header, *rows)]
    columns = [
        _Column(wide=max(1, *map(width, cells)), left=mark.startswith(":"), right=mark.endswith(":"))
        for mark, cells in zip(rule, zip(*shown, strict=True), strict=True)
    ]
    if sum(column.wide for column in columns) * len(lines) > _ROOM:
        return lines
    body = ["  ".join(column.fit(cell) for column, cell in zip(columns, row, strict=True)).rstrip() for row in shown]
    return ["```", body[0], "  ".join("-" * column.wide for column in columns), *body[1:], "```"]


def _cells(line: str) -> list[str]:
    line = line.strip().removeprefix("|")
    if line.endswith("|") and not line.endswith("\\|"):
        line = line[:-1]
    return [cell.strip().replace("\\|", "|") for cell in _BAR.split(line)]


def _plain(cell: str) -> str:
    """A cell as it can be read where no Markdown is drawn; it must not end the code around it."""
    if "<" in cell:
        cell = _BREAK.sub(" ", cell)
    if "](" in cell:
        cell = _LINK.sub(r"\g<what> (\g<where>)", _IMAGE.sub(r"\g<what> (\g<where>)", cell))
    return _EMPHASIS.sub(r"\2", cell).replace("`", "").strip()


def _line(line: str) -> str:
    heading = _HEADING.match(line) if "####" in line else None
    title = _title(line[heading.end() :]) if heading else ""
    if title:
        return f"**{_inline(title.replace('**', ''))}**"
    task = _TASK.match(line) if "[" in line else None
    if task is not None:
        line = task["bullet"] + ("☐" if task["done"] == " " else "☑") + line[task.end() :]
    return _inline(line)


def _title(text: str) -> str:
    """A heading's text without the `#` that may close it, which stand apart."""
    text = text.strip(" \t")
    opened = text.rstrip("#")
    return opened.rstrip(" \t") if opened.endswith((" ", "\t")) else text


def _inline(line: str) -> str:
    """Everything outside code spans."""
    if not any(sign in line for sign in ("![", "$", "\\", "/channels/")):
        return line
    done, at = "", 0
    for start, end in _code(line):
        done += _words(line[at:start]) + line[start:end]
        at = end
    return done + _words(line[at:])


def _words(text: str) -> str:
    return formulas.inline(_MESSAGE.sub(r"<\g<0>>", _images(text)))


def _code(line: str) -> Iterator[tuple[int, int]]:
    """Where the code spans of a line are: from one run of backticks to the next that is as long."""
    runs = [run.span() for run in _TICKS.finditer(line)]
    following, closing = dict[int, int](), [0] * len(runs)
    for number in reversed(range(len(runs))):
        start, end = runs[number]
        closing[number] = following.get(end - start, 0)
        following[end - start] = number
    number = 0
    while number < len(runs):
        if last := closing[number]:
            yield runs[number][0], runs[last][1]
        number = max(number, last) + 1


def _images(text: str) -> str:
    return _IMAGE.sub(lambda image: f"[{image['what'].strip() or 'image'}]({image['where']})", text)
