"""What a server says is wrong, sorted into our errors.

Their messages never quote the server, because servers quote what people wrote; only `words_of` does, for the doctor.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import openai

from core.errors import (
    ModelError,
    ModelInterrupted,
    ModelMisconfigured,
    ModelRefused,
    ModelStalled,
    ModelUnavailable,
    OutOfCredit,
    RequestNotTaken,
    WindowTooLong,
)
from core.model.openai import wordings
from core.model.openai.fields import text


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What a server says is wrong, read whole. No status means that it said so in the middle of an answer.

    `names` are its codes and types, `params` what it points at, `words` all else that it says, `size`
    the context's tokens where they are told. `again` is its own word on whether the same request may succeed later.
    """

    status: int | None
    names: tuple[str, ...]
    params: tuple[str, ...]
    words: str = field(repr=False)
    size: int | None
    retry_after: float | None
    again: bool | None


def heard_from(error: object) -> Complaint:
    """Reads a complaint from what the client library raises, or from an event in the middle of an answer.

    Servers put it where they like: `error.message`, `error`, `detail`, a list of such, fields beside them.
    """
    early = error if isinstance(error, openai.APIStatusError) else None
    status, headers = (early.status_code, early.response.headers) if early else (None, {})
    leaves = list(_leaves(_said(error)))
    if status is None:  # behind a 200 that had been sent too early, or by a server that sends no other
        status = next((leaf for key, leaf in leaves if key in _NAMED and leaf in _OF_SETTINGS), None)
    words = " ".join(str(leaf) for key, leaf in leaves if isinstance(leaf, str) and key not in {*_NAMED, *_POINTED})
    return Complaint(
        status=status,
        names=tuple(str(leaf) for name in _NAMED for key, leaf in leaves if key == name),
        params=tuple(str(leaf) for key, leaf in leaves if key in _POINTED),
        words=words,
        size=_size(leaves, words),
        retry_after=_wait(status, headers, words),
        again={"true": True, "false": False}.get(headers.get("x-should-retry", "")),
    )


_NAMED = ("code", "error_code", "type", "error_type", "status")  # the more telling ones first
_POINTED = {"param", "loc"}
_OF_SETTINGS = {401, 402, 403, 404}


def _said(error: object) -> object:
    """The complaint as the server wrote it."""
    if isinstance(error, openai.APIStatusError):
        with suppress(ValueError):
            return json.loads(error.response.content)
        return error.response.text
    return error.body if isinstance(error, openai.APIError) and error.body is not None else error


def _leaves(value: object, key: str = "") -> Iterator[tuple[str, str | int]]:
    """Every word and number that is said, with the key that leads to it."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in wordings.ECHOED:
                yield from _leaves(inner, name)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner, key)
    elif isinstance(value, str) and value[:1] in "{[" and (nested := _parsed(value)) is not None:
        yield from _leaves(nested, key)
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield key, value
    elif isinstance(value, Exception):
        yield "message", str(value)


def _parsed(text: str) -> object:
    """What gateways quote of the server behind them as text."""
    with suppress(ValueError):
        return json.loads(text)
    return None


def _size(leaves: Iterable[tuple[str, str | int]], words: str) -> int | None:
    told = [leaf for key, leaf in leaves if key in wordings.SIZES and isinstance(leaf, int)]
    if not told and (found := wordings.SIZE_WORDS.search(words)):
        told = [int(next(filter(None, found.groups())).replace(",", ""))]
    return told[0] if told and _SMALLEST <= told[0] <= _LARGEST else None


_SMALLEST, _LARGEST = 256, 100_000_000  # tokens that a context can have


@contextmanager
def sorted_errors(broken: type[ModelUnavailable]) -> Iterator[None]:
    """Turns what the client library raises into our errors; a lost connection is `broken`.

    The causes are kept out of tracebacks on purpose: they quote what the server said.
    """
    try:
        yield
    except (TimeoutError, openai.APITimeoutError):
        raise ModelStalled("The model's server has been silent for too long.") from None
    except openai.APIConnectionError:
        raise broken("The connection to the model's server failed. Check OPENAI_BASE_URL if this stays.") from None
    except openai.APIError as error:
        raise judge(heard_from(error)) from None
    except ValueError:  # JSONDecodeError and UnicodeDecodeError; the library lets them through
        raise ModelInterrupted("The model's server sent something unreadable.") from None


def judge(heard: Complaint) -> ModelError:
    """Our error for what the server complains of; the message names the setting and the remedy where there is one."""
    named = _in_short(heard)
    names = {name.lower() for name in heard.names}
    if heard.status == 402 or names & wordings.CREDIT or wordings.CREDIT_WORDS.search(heard.words):
        return OutOfCredit("The model's account is out of credit. Add some where OPENAI_API_KEY is from.")
    by_words = heard.status in {None, 400, 403, 422} and wordings.REFUSED_WORDS.search(heard.words)
    if heard.status in {401, 403} and not heard.again and not names & wordings.REFUSED and not by_words:
        return ModelMisconfigured(_remedy(heard, named))
    if _is_too_long(heard, names):
        return WindowTooLong(f"The request is too long for the model ({named}).", context=heard.size)
    if names & wordings.REFUSED or by_words:
        return ModelRefused(f"The provider will not answer this ({named}).")
    passes = heard.status is None or heard.status in {408, 409, 425, 429} or heard.status >= 500
    if passes and heard.again is False and heard.retry_after is None:
        return ModelRefused(f"The model's server says that trying again is no use ({named}).")
    if passes or heard.again:
        kind = ModelInterrupted if heard.status is None else ModelUnavailable
        return kind(f"The model's server can't answer now ({named}).", retry_after=heard.retry_after)
    return (RequestNotTaken if heard.status in {400, 422} else ModelMisconfigured)(_remedy(heard, named))


def _is_too_long(heard: Complaint, names: Collection[str]) -> bool:
    """Whether it is the request; not that the answer may be so long, nor that a server has too much to do."""
    if heard.status in {502, 503, 504, 529} or wordings.ANSWER_WORDS.search(heard.words):
        return False
    words = wordings.TOO_LARGE_WORDS if heard.status == 429 else wordings.TOO_LONG_WORDS
    return heard.status == 413 or not wordings.TOO_LONG.isdisjoint(names) or words.search(heard.words) is not None


def _in_short(heard: Complaint) -> str:
    """The complaint in a few words of ours: servers quote what people wrote, but not as a code or a field's name."""
    codes = [name for name in heard.names if not name.isdigit()]
    short = [name for name in (*codes[:1], *heard.params[:2]) if re.fullmatch(r"[\w.-]{1,60}", name)]
    return ", ".join(filter(None, [str(heard.status or ""), *short]))


def _remedy(heard: Complaint, named: str) -> str:
    match heard.status:
        case 401:
            return f"The model's server does not accept the key ({named}). Set OPENAI_API_KEY to a valid one."
        case 403:
            return f"The key may not do this ({named}). Check what OPENAI_API_KEY may use, and OPENAI_MODEL."
        case 404:
            return f"The server does not know the model ({named}). Set OPENAI_MODEL to one that it has."
        case _:
            return (
                f"The server does not take the request ({named}). Check OPENAI_MODEL, OPENAI_BASE_URL and OPENAI_API."
            )


def endpoint_missing(heard: Complaint, model: str) -> bool:
    """Whether the server lacks the endpoint, not the model: both are 404, and few servers give the latter a code."""
    if heard.status in {405, 501} or wordings.OTHER_API_WORDS.search(heard.words):
        return True
    if {"model_not_found", "DeploymentNotFound"} & set(heard.names) or "model" in heard.params:
        return False
    words = re.sub(r"/\S*", "", heard.words)  # a path that is echoed may hold both words
    return heard.status == 404 and "model" not in words and model not in words


def unwanted(heard: Complaint, fields: Mapping[str, object]) -> str | None:
    """Which of our fields the server will not have. Its message may name the remedy too: the first name counts."""
    if not _is_about_the_request(heard):
        return None
    if wordings.ANSWER_WORDS.search(heard.words):
        return next((name for name in wordings.LIMITS if name in fields), None)
    for name in heard.params:
        if name in fields:
            return name
        if (top := name.partition(".")[0]) in fields:  # `reasoning.effort`
            return top
    said, words = " ".join((*heard.names, heard.words)), ADDRESSES.sub("", heard.words)
    certain = heard.status in {400, 422}  # what is an identifier of ours is then named for a reason
    told = [name for name in fields if (certain and "_" in name) or wordings.UNWANTED_WORDS.search(said)]
    named = {
        name: found.start() for name in told if (found := re.search(_as_a_name(name, certain=certain), words, re.I))
    }
    return min(named, key=named.__getitem__, default=None)


PAGE = re.compile(r"\s*<[!?a-z]", re.IGNORECASE)
ADDRESSES = re.compile(r"https?://\S+")


def _as_a_name(field: str, *, certain: bool) -> str:
    """How a field is named. Where it is a word of any language's (`stream`, `store`), that must be seen to be meant."""
    spelt = wordings.SPELT.get(field, "") if certain else ""
    if "_" in field:
        return spelt or rf"\b{field.replace('_', '[_ ]?')}\b"
    behind = r"(parameter|field|argument|property|input)s?\b(( \w+){0,5}:)? "
    ahead = r" (is |are )?not (supported|implemented|allowed)"
    return rf"""{spelt + "|" if spelt else ""}['"`]{field}['"`=]|\bbody\.{field}\b|{behind}{field}\b|^{field}{ahead}"""


def _is_about_the_request(heard: Complaint) -> bool:
    """Whether the status may mean that, or there is none, in a stream that had begun. A page is a gateway's."""
    return heard.status in {None, 400, 403, 404, 422, 500, 501} and not PAGE.match(heard.words)


def template_refuses(heard: Complaint) -> bool:
    """Whether it is the order of the messages, or who speaks them, that the server will not have."""
    said = " ".join((*heard.names, heard.words))
    if not _is_about_the_request(heard) or wordings.TEMPLATE_WORDS.search(said) is None:
        return False
    return heard.status != 500 or wordings.OF_TEMPLATES.search(said) is not None


def _wait(status: int | None, headers: Mapping[str, str], words: str) -> float | None:
    """Seconds to wait, however the server says it; a date is taken relative to the server's own clock."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if re.fullmatch(r"\d{1,9}(\.\d+)?", value := headers.get(name, "").strip()):
            return float(value) * unit
    if "retry-after" in headers and "date" in headers:
        with suppress(ValueError, TypeError):
            wait = parsedate_to_datetime(headers["retry-after"]) - parsedate_to_datetime(headers["date"])
            return max(0.0, wait.total_seconds())
    if found := wordings.WAIT_WORDS.search(words):
        return _seconds(found[1].lower())
    return _reset(headers) if status == 429 else None


def _reset(headers: Mapping[str, str]) -> float | None:
    """Seconds until the limit that is used up is whole again; until the first one is, where the server says not which.

    `x-ratelimit-reset-requests: 1m2.5s` with `x-ratelimit-remaining-requests: 0`, and the same for tokens;
    developers.openai.com/api/docs/guides/rate-limits. Azure writes plain seconds.
    """
    resets = {kind: _seconds(headers.get(f"x-ratelimit-reset-{kind}", "")) for kind in ("requests", "tokens")}
    known = {kind: wait for kind, wait in resets.items() if wait is not None}
    used_up = [wait for kind, wait in known.items() if headers.get(f"x-ratelimit-remaining-{kind}") == "0"]
    return max(used_up, default=min(known.values(), default=None))


def _seconds(duration: str) -> float | None:
    """A duration as servers write it: `7m12.96s`, `28ms`, or plain seconds."""
    if re.fullmatch(r"\d{1,9}(\.\d+)?", duration):
        return float(duration)
    if not re.fullmatch(rf"({wordings.DURATION.pattern})+", duration):
        return None
    return sum(float(number) * wordings.UNITS[unit] for number, unit in wordings.DURATION.findall(duration))


def words_of(error: object, key: str) -> str:
    """What the server itself said, for the doctor alone; servers may repeat the key."""
    words = heard_from(error).words if isinstance(error, openai.APIStatusError) else text(error, "message")
    plain = " ".join(words.replace(key, "…").split())
    return f' It says: "{plain[:300]}"' if plain else ""
