"""Blocks as Slack's own written form of a message (see `markup`): pure functions from what people see to its words.

Only what holds words is read; docs.slack.dev/reference/block-kit/blocks.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from bots.slack.markup import escaped
from bots.slack.payloads import Payload


def written(blocks: Iterable[object] | None) -> str:
    """The words of blocks, one block after the other."""
    return "\n".join(words for block in parts(blocks) if (words := _block(block)))


def parts(found: Iterable[object] | None) -> Sequence[Payload]:
    """The parts of a list that have parts of their own."""
    return [one for one in found or () if isinstance(one, Mapping)]


def _block(block: Payload) -> str:
    match block.get("type"):
        case "markdown":
            return escaped(str(block.get("text") or ""))
        case "rich_text":
            return "\n".join(_RICH[kind](one) for one in parts(block.get("elements")) if (kind := _kind(one)) in _RICH)
        case "image" | "video":
            return _text(block.get("title")) or escaped(str(block.get("alt_text") or ""))
        case "table":
            return "\n".join(" | ".join(map(_cell, parts(row))) for row in block.get("rows") or ())
        case "section" | "header" | "context":
            fields = (*parts(block.get("fields")), *parts(block.get("elements")))
            return "\n".join(filter(None, (_text(block.get("text")), *map(_text, fields))))
    return ""


def _cell(cell: Payload) -> str:
    return _block(cell) if _kind(cell) == "rich_text" else escaped(str(cell.get("text") or ""))


def _text(found: object) -> str:
    """A text object. Slack reads marks in `mrkdwn` alone, and escapes the other kind as well."""
    return str(found.get("text") or "") if isinstance(found, Mapping) else ""


def _kind(part: Payload) -> str:
    return str(part.get("type"))


def _inline(part: Payload) -> str:
    return "".join(_element(element) for element in parts(part.get("elements")))


def _element(element: Payload) -> str:
    match element.get("type"):
        case "text":
            return _styled(element, escaped(str(element.get("text") or "")))
        case "link":
            label = escaped(str(element.get("text") or ""))
            return f"<{element.get('url')}|{label}>" if label else f"<{element.get('url')}>"
        case "user":
            return f"<@{element.get('user_id')}>"
        case "usergroup":
            return f"<!subteam^{element.get('usergroup_id')}>"
        case "channel":
            return f"<#{element.get('channel_id')}>"
        case "broadcast":
            return f"<!{element.get('range')}>"
        case "emoji":
            return f":{element.get('name')}:"
        case "date":
            return f"<!date^{element.get('timestamp')}^|{escaped(str(element.get('fallback') or ''))}>"
    return ""


def _styled(element: Payload, words: str) -> str:
    style = element.get("style")
    return f"`{words}`" if isinstance(style, Mapping) and style.get("code") else words


def _preformatted(part: Payload) -> str:
    return f"```\n{_inline(part)}\n```"


def _quote(part: Payload) -> str:
    return "\n".join(f"&gt; {line}" for line in _inline(part).split("\n"))


def _list(part: Payload) -> str:
    indent, is_ordered = part.get("indent"), part.get("style") == "ordered"
    margin = "  " * (indent if isinstance(indent, int) and 0 < indent < 10 else 0)
    return "\n".join(margin + line for line in _items(part, is_ordered=is_ordered))


def _items(part: Payload, *, is_ordered: bool) -> Iterator[str]:
    for number, item in enumerate(parts(part.get("elements")), 1):
        yield f"{number}. {_inline(item)}" if is_ordered else f"- {_inline(item)}"


_RICH: dict[str, Callable[[Payload], str]] = {
    "rich_text_section": _inline,
    "rich_text_list": _list,
    "rich_text_preformatted": _preformatted,
    "rich_text_quote": _quote,
}
