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
from core.model.openai.fields import text

CREDIT = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient balance"}
CREDIT_WORDS = re.compile(
    r"credit balance is too low|insufficient (account )?(balance|credits?|funds)|balance is insufficient"
    r"|(all available|any|more) credits|account is in good standing|overdue (account|payment)|余额不足",
    re.IGNORECASE,
)
"""How Anthropic, DeepSeek, SiliconFlow, xAI, OpenRouter, DashScope and Zhipu say so, under any status."""

REFUSED = {
    "content_filter",
    "content_policy_violation",
    "image_content_policy_violation",
    "invalid_prompt",
    "bio_policy",
    "data_inspection_failed",
    "misalignment_policy_violation",
    "responsibleaipolicyviolation",
}
REFUSED_WORDS = re.compile(
    r"content exists risk|content.(management|moderation|filter|policy)|(usage|safety) polic|flagged"
    r"|inappropriate content|prohibited content|sensitive (words|content)|safety (system|setting|filter)"
    r"|敏感|不安全|违规|不合规",
    re.IGNORECASE,
)
"""How DeepSeek, Azure, OpenRouter, Qwen, Zhipu and Gemini refuse to answer this, where no code tells."""

TOO_LONG = {"context_length_exceeded", "exceed_context_size_error", "request_too_large", "string_above_max_length"}
TOO_LONG_WORDS = re.compile(
    r"context.(length|window|size)|(maximum|max) (context|model|prompt|input|sequence)"
    r"|maximum (allowed )?(length|number of (\w+ )?tokens)|range of input length|model token limit"
    r"|(prompt|input|inputs|request|message)s? (is |are )?(too long|too large|longer than|exceeds?)"
    r"|(token|input) (count|length)[^.]{0,40}exceed|too many (input )?tokens(?!, please wait)|context the overflows"
    r"|max_seq_len|tokens \+ .max_new_tokens|must have less than \d+ tokens|reduce the length"
    r"|上下文.{0,8}(长度|窗口)|(输入|提示词|内容|文本|prompt)[^。]{0,8}(超长|过长|太长)|kontext(länge|fenster|größe)",
    re.IGNORECASE,
)
"""How OpenAI, llama.cpp, vLLM, SGLang, TGI, Ollama, LM Studio, Mistral, xAI, DashScope, SiliconFlow and gateways say
that it is too long.
"""

ANSWER_WORDS = re.compile(
    r"(?<!\+ .)max(?:imum)?[_ ](?:(?:completion|output|new)_)?tokens\W{1,3}(?:for \S+ )?"
    r"(?:must be|should be|you requested exceeds?|\d+ > \d+|is too large(?!.{0,40}maximum context))",
    re.IGNORECASE,
)
"""How Groq, Anthropic, Bedrock, OpenAI and TGI say that it is the answer which may not be so long, not the request."""

TOO_LARGE_WORDS = re.compile(r"request (is )?too large", re.IGNORECASE)
"""How OpenAI says that one request is more than a minute's limit: it passes at no time. The rest of 429 does."""

SIZE_WORDS = re.compile(
    r"(?:maximum (?:allowed )?(?:context|model|prompt|input|sequence) (?:length|window|size)"
    r"|context (?:length|window|size)|max_model_len|max_seq_len|max_total_tokens|n_ctx|max size"
    r"|maximum number of tokens(?: allowed)?|tokens? limit|maximum of|limit(?:ed)? (?:of|to|is))"
    r"(?:(?!exceed)[^0-9]){0,32}?(\d[\d,]{2,9})\b"
    r"|(?:上下文.{0,8}(?:长度|窗口)|kontext(?:länge|fenster|größe))[^0-9]{0,16}?(\d{3,9})"
    r"|input length should be \[\d+, ?(\d{3,9})"
    r"|<= ?`?(\d{3,9})|less than (\d{3,9}) tokens|(\d{3,9}) maximum context|> ?(\d{3,9}) maximum",
    re.IGNORECASE,
)
"""Where such words name the size of the context, in tokens."""

SIZES = ("n_ctx", "max_model_len", "max_context_length", "context_length")
"""Keys under which a refusal may name it: llama.cpp, vLLM, Mistral, OpenRouter."""

OTHER_API_WORDS = re.compile(
    r"(only supported|not (accessible|supported|available)) (in|via|with|on) (the )?/?(v1/)?"
    r"(responses|chat/completions)",
    re.IGNORECASE,
)
"""How OpenAI and GitHub Copilot say that a model has but the other API, whatever the status."""

UNWANTED_WORDS = re.compile(
    r"unsupported|unknown|unrecogni[sz]ed|unexpected|not (supported|permitted|allowed|available)|extra|invalid"
    r"|must be verified|does not support|forbidden|no such|not implemented",
    re.IGNORECASE,
)
TEMPLATE_WORDS = re.compile(
    r"alternat|consecutive|successive|interleav|in a row|same role"
    r"|roles?\b.{0,40}\b(must|should|not supported|expected|invalid|unexpected|only)"
    r"|(only|unexpected|invalid|unknown|unsupported) .{0,40}roles?\b|(first|last) message|after (the|a) .{0,20}message"
    r"|(start|begin)s? with (a |the )?.?user|jinja|template (error|exception)"
    r"|(system|developer) (role|message|prompt|instruction)s?",
    re.IGNORECASE,
)
"""How chat templates refuse the order of messages, or who speaks them (vLLM, TGI, llama.cpp, SGLang, LM Studio), and
Bedrock and Gemini, who have none.
"""

OF_TEMPLATES = re.compile(r"\broles?\b|template|jinja|user/assistant|(user|assistant|system) messages?", re.IGNORECASE)
"""What such words are about, where they come as a server's failure, which may have other reasons."""

INSTRUCTIONS_WORDS = re.compile(r"system|developer", re.IGNORECASE)
"""How such a refusal names the role that has no place."""

LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
"""Our fields for the longest answer."""

SPELT = {
    "reasoning": r"\breasoning|\bthink(ing)?\b",
    "reasoning_effort": r"\breasoning[_ ]?effort\b|\bthink(ing)?\b",
    "stream": r"support\w*[^.]{0,30}\bstream|\bstream(ing)?\b.{0,20}(support|not )|verified to stream",
}
"""Fields that servers name in their own words: xAI, Ollama, Bedrock. A stream that fails is named by many."""

ECHOED = {"input", "messages", "prompt", "instructions", "ctx", "url", "flagged_input"}
"""Keys under which a server repeats what it was sent: people's words, which say nothing of what is wrong."""

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DURATION = re.compile(r"(\d{1,9}(?:\.\d+)?) ?(ms|[dhms])")
WAIT_WORDS = re.compile(rf"(?:try again|retry) (?:in|after) ((?:{DURATION.pattern})+)(?:econds?)?\b", re.IGNORECASE)
"""OpenAI says so in `response.failed` with rate_limit_exceeded, Azure and Gemini wherever there is no header."""


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
            if name not in ECHOED:
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
    told = [leaf for key, leaf in leaves if key in SIZES and isinstance(leaf, int)]
    if not told and (found := SIZE_WORDS.search(words)):
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
    if heard.status == 402 or names & CREDIT or CREDIT_WORDS.search(heard.words):
        return OutOfCredit("The model's account is out of credit. Add some where OPENAI_API_KEY is from.")
    by_words = heard.status in {None, 400, 403, 422} and REFUSED_WORDS.search(heard.words)
    if heard.status in {401, 403} and not heard.again and not names & REFUSED and not by_words:
        return ModelMisconfigured(_remedy(heard, named))
    if _is_too_long(heard, names):
        return WindowTooLong(f"The request is too long for the model ({named}).", context=heard.size)
    if names & REFUSED or by_words:
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
    if heard.status in {502, 503, 504, 529} or ANSWER_WORDS.search(heard.words):
        return False
    words = TOO_LARGE_WORDS if heard.status == 429 else TOO_LONG_WORDS
    return heard.status == 413 or not TOO_LONG.isdisjoint(names) or words.search(heard.words) is not None


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
    if heard.status in {405, 501} or OTHER_API_WORDS.search(heard.words):
        return True
    if {"model_not_found", "DeploymentNotFound"} & set(heard.names) or "model" in heard.params:
        return False
    words = re.sub(r"/\S*", "", heard.words)  # a path that is echoed may hold both words
    return heard.status == 404 and "model" not in words and model not in words


def unwanted(heard: Complaint, fields: Mapping[str, object]) -> str | None:
    """Which of our fields the server will not have. Its message may name the remedy too: the first name counts."""
    if not _is_about_the_request(heard):
        return None
    if ANSWER_WORDS.search(heard.words):
        return next((name for name in LIMITS if name in fields), None)
    for name in heard.params:
        if name in fields:
            return name
        if (top := name.partition(".")[0]) in fields:  # `reasoning.effort`
            return top
    said, words = " ".join((*heard.names, heard.words)), ADDRESSES.sub("", heard.words)
    certain = heard.status in {400, 422}  # what is an identifier of ours is then named for a reason
    told = [name for name in fields if (certain and "_" in name) or UNWANTED_WORDS.search(said)]
    named = {
        name: found.start() for name in told if (found := re.search(_as_a_name(name, certain=certain), words, re.I))
    }
    return min(named, key=named.__getitem__, default=None)


PAGE = re.compile(r"\s*<[!?a-z]", re.IGNORECASE)
ADDRESSES = re.compile(r"https?://\S+")


def _as_a_name(field: str, *, certain: bool) -> str:
    """How a field is named. Where it is a word of any language's (`stream`, `store`), that must be seen to be meant."""
    spelt = SPELT.get(field, "") if certain else ""
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
    if not _is_about_the_request(heard) or TEMPLATE_WORDS.search(said) is None:
        return False
    return heard.status != 500 or OF_TEMPLATES.search(said) is not None


def _wait(status: int | None, headers: Mapping[str, str], words: str) -> float | None:
    """Seconds to wait, however the server says it; a date is taken relative to the server's own clock."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if re.fullmatch(r"\d{1,9}(\.\d+)?", value := headers.get(name, "").strip()):
            return float(value) * unit
    if "retry-after" in headers and "date" in headers:
        with suppress(ValueError, TypeError):
            wait = parsedate_to_datetime(headers["retry-after"]) - parsedate_to_datetime(headers["date"])
            return max(0.0, wait.total_seconds())
    if found := WAIT_WORDS.search(words):
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
    if not re.fullmatch(rf"({DURATION.pattern})+", duration):
        return None
    return sum(float(number) * UNITS[unit] for number, unit in DURATION.findall(duration))


def words_of(error: object, key: str) -> str:
    """What the server itself said, for the doctor alone; servers may repeat the key."""
    words = heard_from(error).words if isinstance(error, openai.APIStatusError) else text(error, "message")
    plain = " ".join(words.replace(key, "…").split())
    return f' It says: "{plain[:300]}"' if plain else ""
