"""What a server says is wrong, sorted into our errors, and what of our request it is about.

The errors' messages never quote the server, because servers quote what people wrote.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import openai

from core.errors import (
    ModelError,
    ModelFailed,
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
from core.model.openai.complaints import Complaint, heard_from


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
        return ModelFailed(f"The model's server says that trying again is no use ({named}).")
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
        for part in (name, *name.split(".")):  # `reasoning.effort`, `input[2].content[0].prompt_cache_breakpoint`
            if part in fields:
                return part
        if name.endswith(".effort"):  # of the other API, which a gateway speaks
            return next((one for one in wordings.EFFORT if one in fields), None)
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
