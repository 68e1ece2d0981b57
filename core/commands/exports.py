"""Exports: what is stored of somebody, or of a session, as lines of JSON for programs and as Markdown for people."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta

from core.commands.orders import Desk
from core.seam.mentions import plain
from core.seam.messages import Author, Quote
from core.session import Kind, Preferences, Role, SessionKey, Turn
from core.store import Connection, exporting, preferences, segments
from core.store.exporting import Passage, Spending

Item = Mapping[str, object]
"""One thing that is stored, as a line of JSON tells it: `type` says what it is."""

_LONGEST = 12_000
"""Characters of an export in chat: about as much as anybody scrolls through."""

_SHOWN_NO_MORE = "\n\n_This is the beginning. For all of it ask whoever runs me: {}_"
_KINDS = {
    Kind.SAID: "message",
    Kind.OVERHEARD: "overheard",
    Kind.COMMAND: "command",
    Kind.ANSWER: "answer",
    Kind.SUMMARY: "summary",
    Kind.NOTICE: "notice",
}


def turn(key: SessionKey, one: Turn) -> Item:
    """What was said in one turn."""
    is_ours = one.role is Role.ASSISTANT or one.kind is Kind.NOTICE
    return _known(
        type=_KINDS[one.kind],
        session=key.address.id,
        seq=one.seq,
        at=_moment(one.at),
        edited_at=None if one.edited_at is None else _moment(one.edited_at),
        by="assistant" if is_ours else "person",
        **_author(None if is_ours else one.author),
        message=one.message,
        command=one.verb,
        text=one.text,
        points_at=[_quote(quote) for quote in one.quotes] or None,
    )


def quoted(key: SessionKey, seq: int, quote: Quote) -> Item:
    """What another's message quotes."""
    return {"type": "quoted", "session": key.address.id, "seq": seq, **_quote(quote)}


def passage(key: SessionKey, one: Passage) -> Item:
    """A text in place of turns."""
    place = {"session": key.address.id, "first": one.first, "last": one.last}
    return {"type": "record", "kind": one.kind.name.lower(), **place, "text": one.words}


def preferred(workspace: str, wishes: Preferences) -> Item | None:
    """What somebody prefers; None for nothing."""
    told = {name: value for name, value in asdict(wishes).items() if value is not None}
    return {"type": "preferences", "workspace": workspace, **told} if told else None


def spending(workspace: str, one: Spending) -> Item:
    """What was paid for somebody on one day."""
    day = date(1970, 1, 1) + timedelta(days=one.day)
    facts = {**one._asdict(), "day": day.isoformat(), "channel": one.channel or None}
    return _known(type="usage", workspace=workspace, **facts)


def line(record: Item) -> str:
    """As one line of JSON, whatever its reader takes for the end of one, without what would command a terminal."""
    return json.dumps(record, ensure_ascii=False).translate(_CONTROLS)


_CONTROLS = {one: f"\\u{one:04x}" for one in (*range(0x7F, 0xA0), 0x2028, 0x2029)}
"""Those that JSON would leave as they are."""


def markdown(record: Item) -> str:
    """As Markdown: a line that says what it is, and the words as a quote: none of them passes for such a line."""
    said = {name: value for name, value in record.items() if name not in _HEADED or _is_wish(record, name)}
    words = str(said.pop("text", ""))
    facts = "".join(f"\n- {name}: {_plain(value)}" for name, value in said.items() if name != "points_at")
    points: object = said.get("points_at")
    pointed = "".join(f"\n\n{_pointed(one)}" for one in points) if isinstance(points, list) else ""
    return f"{_heading(record)}{facts}{_block(words)}{pointed}"


_HEADED = ("type", "session", "seq", "at", "edited_at", "by", "author", "name", "message", "command")


def _is_wish(record: Item, name: str) -> bool:
    """Whether it is how somebody wishes to be called, and not what whoever said this is called."""
    return name == "name" and record["type"] == "preferences"


def _heading(record: Item) -> str:
    kind = str(record["type"])
    who = "I" if record.get("by") == "assistant" else _named(record)
    what = f"{kind} `{_plain(record['command'])}`" if record.get("command") else kind
    parts = (what, f"by **{who}**" if who else "", f"at {record['at']}" if "at" in record else "")
    place = f"(`{record['session']}`)" if "session" in record else ""
    return " ".join(one for one in (*parts, place) if one)


def _named(record: Item) -> str:
    """Whoever has such a name, it makes no link, and nobody is called by it."""
    names = (record.get("author"),) if _is_wish(record, "name") else (record.get("name"), record.get("author"))
    return next((name for one in names if (name := plain(str(one or "")))), "")


def _pointed(one: Mapping[str, object]) -> str:
    title = f" {plain(str(one['title']))}" if one.get("title") else ""
    return f"{one['kind']}{title}:{_block(str(one.get('text', '')))}"


def _block(words: str) -> str:
    return "\n\n" + "\n".join(f"> {line}".rstrip() for line in words.splitlines()) if words else ""


def _plain(value: object) -> str:
    return " ".join(str(value).replace("`", "'").replace("*", "\\*").split())


def said(connection: Connection, desk: Desk) -> str:
    """What is stored of the asker in this session, or of all of it, as Markdown for a message: the beginning of it.

    No more than of this session, since not every platform can show it to the asker alone; and of what others have said,
    nothing of before everybody could see the place.
    """
    everybody = desk.order.arguments.get("what") == "session"
    option = f"--session {desk.key.address.id}"
    if not everybody:
        address = desk.key.address
        option = f"--user {address.platform}:{address.workspace}:{desk.asker.id}"
    found = _cut(_records(connection, desk, everybody=everybody), f"`backscroll export {option}`")
    subject = "of this session" if everybody else "of you in this session"
    return f"This is what I have stored {subject}.\n\n{found}" if found else f"I have stored nothing {subject}."


def _records(connection: Connection, desk: Desk, *, everybody: bool) -> Iterable[Item]:
    author = None if everybody else desk.asker.id
    if author is not None:
        wishes = preferred(desk.key.address.workspace, preferences.of(connection, desk.key, author))
        yield from () if wishes is None else (wishes,)
    after = (segments.opened(connection, desk.key), max(Role)) if everybody else exporting.FIRST
    while page := exporting.said(connection, desk.key, after, author=author):
        yield from (turn(desk.key, one) for one in page if one.seq != desk.turn.seq)
        after = (page[-1].seq, page[-1].role)


def _cut(records: Iterable[Item], how: str) -> str:
    """As many of them as a message has room for."""
    told, length = list[str](), 0
    for record in records:
        one = markdown(record)
        length += len(one)
        if length > _LONGEST:
            return "\n\n".join(told) + _SHOWN_NO_MORE.format(how)
        told.append(one)
    return "\n\n".join(told)


def _known(**facts: object) -> Item:
    return {name: value for name, value in facts.items() if value is not None}


def _author(author: Author | None) -> dict[str, object]:
    return {} if author is None else {"author": author.id, "name": author.name}


def _quote(quote: Quote) -> dict[str, object]:
    at = None if quote.at is None else _moment(quote.at)
    who = {} if quote.author is None or quote.author.is_self else _author(quote.author)
    told = _known(kind=quote.kind, **who, at=at, title=quote.title or None, message=quote.message, text=quote.text)
    return dict(told)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
