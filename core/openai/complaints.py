"""What a server says is wrong, sorted into our errors.

Their messages never quote the server, because servers quote what people wrote; only `words_of` does, for the doctor.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
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
    WindowTooLong,
)
from core.openai.fields import text

CREDIT = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
REFUSED = {
    "content_filter",
    "content_policy_violation",
    "image_content_policy_violation",
    "invalid_prompt",
    "bio_policy",
    "misalignment_policy_violation",
    "ResponsibleAIPolicyViolation",
}
TOO_LONG = {"context_length_exceeded", "exceed_context_size_error", "request_too_large", "string_above_max_length"}
TOO_LONG_WORDS = re.compile(
    r"context.(length|window|size)|maximum (context|model|prompt) length|maximum number of tokens"
    r"|(prompt|input) (is )?too long|request too large|context the overflows|tokens \+ .max_new_tokens",
    re.IGNORECASE,
)
"""How OpenAI, llama.cpp, vLLM, Ollama, LM Studio, TGI, xAI and gateways say that a request is too long."""

UNWANTED_WORDS = re.compile(
    r"unsupported|unknown|unrecognized|unexpected|not (supported|permitted|allowed)|extra", re.I
)
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DURATION = re.compile(r"(\d{1,9}(?:\.\d+)?) ?(ms|[dhms])")
WAIT_WORDS = re.compile(rf"try again in ((?:{DURATION.pattern})+)\b", re.IGNORECASE)
"""OpenAI says so in `response.failed` with rate_limit_exceeded, where there is no header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What a server says is wrong. No status means that it said so in the middle of an answer.

    `again` is its own word on whether the same request may succeed later, where it gives one.
    """

    status: int | None
    code: str
    type: str
    param: str
    message: str
    retry_after: float | None
    again: bool | None


def heard_from(error: object) -> Complaint:
    """Reads a complaint from what the client library raises, or from an event in the middle of an answer."""
    early = error if isinstance(error, openai.APIStatusError) else None
    status, headers = (early.status_code, early.response.headers) if early else (None, {})
    message = text(error, "message")
    return Complaint(
        status=status,
        code=text(error, "code"),
        type=text(error, "type"),
        param=text(error, "param"),
        message=message,
        retry_after=_wait(status, headers, message),
        again={"true": True, "false": False}.get(headers.get("x-should-retry", "")),
    )


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
    named = ", ".join(filter(None, [str(heard.status or ""), heard.code or heard.type, heard.param]))
    names = {heard.code, heard.type}
    if heard.status == 402 or names & CREDIT:
        return OutOfCredit("The model's account is out of credit. Add some where OPENAI_API_KEY is from.")
    if heard.status == 413 or names & TOO_LONG or TOO_LONG_WORDS.search(heard.message):
        return WindowTooLong(f"The request is too long for the model ({named}).")
    if names & REFUSED:
        return ModelRefused(f"The provider will not answer this ({named}).")
    passes = heard.status is None or heard.status in {408, 409, 425, 429} or heard.status >= 500
    if passes and heard.again is False and heard.retry_after is None:
        return ModelRefused(f"The model's server says that trying again is no use ({named}).")
    if passes or heard.again:
        kind = ModelInterrupted if heard.status is None else ModelUnavailable
        return kind(f"The model's server can't answer now ({named}).", retry_after=heard.retry_after)
    return ModelMisconfigured(_remedy(heard, named))


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
    if heard.status in {405, 501}:
        return True
    if heard.code in {"model_not_found", "DeploymentNotFound"} or heard.param == "model":
        return False
    words = re.sub(r"/\S*", "", heard.message)  # a path that is echoed may hold both words
    return heard.status == 404 and "model" not in words and model not in words


def unwanted(heard: Complaint, fields: Mapping[str, object]) -> str | None:
    """Which of our fields the server will not have. Its message may name the remedy too: the first name counts."""
    if not UNWANTED_WORDS.search(f"{heard.code} {heard.type} {heard.message}"):
        return None
    if heard.param in fields:
        return heard.param
    named = {name: heard.message.find(name) for name in fields if name in heard.message}
    return min(named, key=named.__getitem__, default=None)


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
    words = text(error, "body", "message") or text(error, "message")
    plain = " ".join(words.replace(key, "…").split())
    return f' It says: "{plain[:300]}"' if plain else ""
