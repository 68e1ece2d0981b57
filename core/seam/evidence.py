"""Evidence: what is kept of an event that an adapter could not read, for whoever looks at it later."""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from re import ASCII
from re import compile as pattern
from typing import TypeGuard

from core.errors import where
from core.seam.messages import Rejected

UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading raises over a payload that has another shape than it should have."""

LONGEST = 20_000
"""Characters that are kept of one event."""

_SECRETS = frozenset({"token", "response_url", "trigger_id", "ticket"})
_ID = pattern(r"[\w.:@+/=-]{1,128}", ASCII)


def rejected(platform: str, payload: object, error: Exception, *, name: str = "id") -> Rejected:
    """The event, known by what it has under this name, and why it could not be read.

    Of what the error says, which may quote what people wrote, only the name is told of what the event does not have.
    """
    known = payload.get(name) if isinstance(payload, Mapping) else None
    text = _text(payload)
    return Rejected(
        platform=platform,
        id=known if is_id(known) else sha256(text.encode()).hexdigest()[:24],
        reason=" ".join(filter(None, (type(error).__name__, _missing(error, payload), where(error)))),
        payload=kept(text),
    )


def is_id(name: object) -> TypeGuard[str]:
    """Whether this may be an ID, of whatever kind: it is short, and on one line."""
    return isinstance(name, str) and _ID.fullmatch(name) is not None


def kept(payload: str) -> str:
    """The event, which is JSON, without what answers in our name, however deep that is in it; of a long one, the
    beginning."""
    whole = json.dumps(json.loads(payload, object_hook=_without_secrets))
    return whole if len(whole) <= LONGEST else json.dumps({"beginning": whole[:LONGEST]})


def _missing(error: Exception, payload: object) -> str:
    name = error.args[0] if isinstance(error, KeyError) and error.args else None
    return name if is_id(name) and not any(name in words for words in _words(payload)) else ""


def _words(payload: object) -> Iterator[str]:
    """All texts in the event, without the names of its parts."""
    rest = [payload]
    while rest:
        match rest.pop():
            case str(words):
                yield words
            case list(found):
                rest += found
            case dict(found):
                rest += found.values()


def _text(payload: object) -> str:
    try:
        return json.dumps(payload, sort_keys=True, default=repr)
    except RecursionError:
        return json.dumps("nested too deeply")


def _without_secrets(part: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in part.items() if name not in _SECRETS}
