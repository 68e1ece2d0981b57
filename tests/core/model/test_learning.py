"""What a server turned out to be like is learnt once, kept with the database, and forgotten with the setting."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from core.errors import ModelUnavailable, WindowTooLong
from core.model.llm import Message, Prompt
from core.model.openai import OpenAIModel
from core.model.openai.complaints import Complaint
from core.model.openai.manners import Manners, context_of, read
from core.store import Database
from tests.core.model.recollection import Recollection
from tests.wire.openai import API, KEY, MODEL, OpenAIServer, Request, Status

QUESTION = Prompt(instructions="Be brief.", messages=(Message(role="user", text="hi"),), tokens=5_000, conversation="c")
TALK = replace(
    QUESTION,
    messages=tuple(Message(role=role, text=text) for role, text in [("user", "a"), ("user", "b"), ("assistant", "c")])
    + QUESTION.messages,
)


async def ask(model: OpenAIModel, prompt: Prompt = QUESTION) -> str:
    return "".join([piece async for piece in model.stream(prompt) if isinstance(piece, str)])


def test_what_is_known_is_kept_and_read_again() -> None:
    known = Manners(api="chat", refused=frozenset({"store", "b"}), streams=False, turns=True, context=4_096)

    assert read(known.written()) == known
    assert read('{"newer": 1}') == Manners()
    assert Manners().written() == "{}"


async def test_what_one_process_has_learnt_the_next_one_knows(database: Database) -> None:
    async with OpenAIServer() as server:
        server.unsupported = {"stream_options"}
        for _ in range(2):
            model = OpenAIModel(api_key=KEY, model=MODEL, base_url=server.url)
            await model.recall(Recollection(database))
            await ask(model)
            await model.close()
        other = OpenAIModel(api_key=KEY, model=MODEL, base_url=server.url, api="chat")
        await other.recall(Recollection(database))
        await ask(other)
        await other.close()

    asked = ["stream_options" in request.body for request in server.requests]
    assert asked == [True, False, False, True, False], "another setting starts anew"


async def test_what_one_process_learns_the_others_know_while_they_run(database: Database) -> None:
    async with OpenAIServer() as server:
        here, there = (OpenAIModel(api_key=KEY, model=MODEL, base_url=server.url) for _ in range(2))
        for one in (here, there):
            await one.recall(Recollection(database))
        server.faults.append(Status(status=400, message=SMALL))
        with pytest.raises(WindowTooLong):
            await ask(here)
        assert (here.context, there.context) == (4_096, None)
        await here.close()  # by which it is kept

        await there.recall(Recollection(database))
        assert there.context == 4_096
        await there.close()


SMALL = "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens."
ALTERNATE = "Conversation roles must alternate user/assistant/user/assistant/..."
NO_SYSTEM = "System role not supported"


async def told(server: OpenAIServer, *words: str, status: int = 400) -> list[tuple[str, str]]:
    """The messages that the server takes after it has refused with these words, one after the other."""
    model = OpenAIModel(api_key=KEY, model=MODEL, base_url=server.url)
    server.faults += [Status(status=status, message=one) for one in words]
    await ask(model, TALK)
    await ask(model, TALK)
    await model.close()
    assert len(server.requests) == len(words) + 2, "learnt for good"
    return [(one["role"], one["content"]) for one in server.requests[-1].body["messages"]]


@pytest.mark.parametrize("status", [400, 500])
async def test_roles_take_turns_where_the_template_wants_it(status: int) -> None:
    """B1."""
    async with OpenAIServer() as server:
        messages = await told(server, ALTERNATE, status=status)

    assert messages == [("system", "Be brief."), ("user", "a\n\nb"), ("assistant", "c"), ("user", "hi")]


async def test_a_conversation_begins_with_a_person_where_the_server_wants_it() -> None:
    """B1, the kind (dify#12340, Roo-Code#4147): the window of a long session begins with whatever is the oldest."""
    refusal = "A conversation must start with a user message. Try again with one that starts with a user message."
    cut = replace(TALK, messages=TALK.messages[2:])
    async with OpenAIServer() as server:
        server.weather = lambda r: Status(status=400, message=refusal) if r.texts[0][0] != "user" else None
        model = OpenAIModel(api_key=KEY, model=MODEL, base_url=server.url)
        await ask(model, cut)
        await model.close()

    assert [role for role, _ in server.requests[-1].texts] == ["user", "assistant", "user"]


async def test_instructions_open_the_conversation_where_there_is_no_role_for_them() -> None:
    """B1, the kind: whatever a chat template refuses."""
    async with OpenAIServer() as server:
        messages = await told(server, NO_SYSTEM)

    assert messages[:2] == [("user", "Be brief."), ("user", "a")]


async def test_both_may_be_refused() -> None:
    async with OpenAIServer() as server:
        messages = await told(server, NO_SYSTEM, ALTERNATE)

    assert messages == [("user", "Be brief.\n\na\n\nb"), ("assistant", "c"), ("user", "hi")]


def out_of_turn(request: Request) -> bool:
    return any(one == other for (one, _), (other, _) in pairwise(request.texts))


async def test_what_another_answer_has_learnt_meanwhile_is_not_learnt_twice() -> None:
    """Two that are refused for the same reason at once: the second need not look for another one."""
    async with OpenAIServer() as server:
        model = OpenAIModel(api_key=KEY, model=MODEL, base_url=server.url)
        server.weather = lambda request: Status(status=400, message=ALTERNATE) if out_of_turn(request) else None
        await asyncio.gather(ask(model, TALK), ask(model, TALK))
        await ask(model, TALK)
        await model.close()

    assert [one["role"] for one in server.requests[-1].body["messages"]] == ["system", "user", "assistant", "user"]


async def test_a_server_that_does_not_stream_is_asked_for_the_whole() -> None:
    """B6."""
    refusal = Status(
        status=400,
        code="unsupported_value",
        param="stream",
        message="Your organization must be verified to stream this model.",
    )
    async with OpenAIServer() as server:
        server.faults.append(refusal)
        model = OpenAIModel(api_key=KEY, model=MODEL, base_url=server.url)
        assert await ask(model)
        await model.close()

    assert [request.body["stream"] for request in server.requests] == [True, False]
    assert "stream_options" not in server.requests[1].body


async def test_a_server_that_speaks_of_a_broken_stream_still_streams() -> None:
    """It is away, and nothing is learnt from that."""
    async with OpenAIServer() as server:
        server.faults.append(Status(status=500, message="unexpected end of stream"))
        model = OpenAIModel(api_key=KEY, model=MODEL, base_url=server.url)
        with pytest.raises(ModelUnavailable):
            await ask(model)
        await ask(model)
        await model.close()

    assert [request.body["stream"] for request in server.requests] == [True, True]


class Kept:
    """What an earlier process has learnt of a server that does not stream."""

    async def recall(self, _server: str, _model: str) -> str:
        return Manners(streams=False).written()

    async def keep(self, server: str, model: str, manners: str) -> None:
        raise AssertionError("nothing is new")


async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An answer in one piece: its headers at once, then an empty line to keep the connection open, then all of it."""
    await reader.readuntil(b"\r\n\r\n")
    body = b'\n{"choices":[{"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}'
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
    writer.write(body[:1])
    await asyncio.sleep(0.05)
    writer.write(body[1:])
    await writer.drain()
    writer.close()


async def test_an_answer_in_one_piece_may_take_longer_than_the_first_piece_of_a_stream() -> None:
    """DeepSeek, SGLang and others send the headers at once, and the answer when they have it."""
    async with await asyncio.start_server(slowly, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        model = OpenAIModel(api_key=KEY, model=MODEL, base_url=url, first_seconds=0.001)
        await model.recall(Kept())
        assert await ask(model) == "hello"
        await model.close()


@pytest.mark.parametrize(
    ("words", "context"),
    [
        ("This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.", 4096),
        ("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 4000", 2048),
        ("prompt is too long: 210000 tokens > 200000 maximum", 200_000),
        ("Input length 5000 exceeds the maximum allowed input length of 4096 tokens.", 4096),
        (
            "'max_tokens' is too large: 9000. This model's maximum context length is 8192 tokens (9000 > 8192 - 27).",
            8192,
        ),
        ("the request exceeds the available context size, try increasing it", 4_500),
    ],
)
async def test_the_context_is_learnt_from_the_refusal(words: str, context: int) -> None:
    """B7: as the server says, or so that half of what was sent has room."""
    async with OpenAIServer() as server:
        server.faults.append(Status(status=400, message=words))
        model = OpenAIModel(api_key=KEY, model=MODEL, base_url=server.url, answer_tokens=4_000)
        with pytest.raises(WindowTooLong):
            await ask(model)
        await ask(model)
        await model.close()

    assert model.context == context
    assert server.requests[1].body["max_tokens"] == min(4_000, context // 4)


@pytest.mark.parametrize(
    "words",
    [
        "max_tokens for `llama-3.1-8b-instant` must be less than or equal to 8000",
        "max_tokens: 32000 > 4096, which is the maximum allowed number of output tokens for claude-3-opus-20240229",
        "The maximum tokens you requested exceeds the model limit of 4096. Try again with a lower value.",
        "max_tokens is too large: 32000. This model supports at most 16384 completion tokens.",
        "too many tokens: max tokens must be less than or equal to 4096, the maximum output length for this model",
        "Input validation error: `max_new_tokens` must be <= 192. Given: 4000",
    ],
)
async def test_a_limit_of_the_answer_is_none_of_the_context(words: str) -> None:
    """Groq, Anthropic, Bedrock, OpenAI, Cohere and TGI: the answer has the server's own limit then."""
    async with OpenAIServer() as server:
        server.weather = lambda request: Status(status=400, message=words) if _limited(request.body) else None
        model = OpenAIModel(api_key=KEY, model=MODEL, base_url=server.url, answer_tokens=4_000)
        assert await ask(model)
        await model.close()

    assert model.context is None
    assert not _limited(server.requests[-1].body)


def _limited(body: dict[str, object]) -> bool:
    return not body.keys().isdisjoint({"max_tokens", "max_completion_tokens"})


@pytest.mark.parametrize(
    "described",
    [
        {"max_model_len": 4096},
        {"meta": {"n_ctx": 4096, "n_ctx_train": 8192}},
        {"default_generation_settings": {"n_ctx": 4096}},
        {"loaded_context_length": 4096, "max_context_length": 8192},
        {"context_length": 4096},
        {"max_total_tokens": 4096},
    ],
)
def test_servers_tell_their_context_in_different_places(described: dict[str, object]) -> None:
    assert context_of(described) == 4096


def test_a_complaint_does_not_print_what_it_quotes() -> None:
    heard = Complaint(status=400, names=(), params=(), words="sesame", size=None, retry_after=None, again=None)

    assert "sesame" not in repr(heard)


EFFORTS = {
    "openai": "Unsupported value: '{}' is not supported with the 'gpt-5-pro' model. Supported values are: 'high'.",
    "groq": "`reasoning_effort` must be one of `high` or `default`",
    "vllm": "Invalid reasoning effort: {}, expected one of ['high', 'max']",
}


def effort_of(request: Request) -> str | None:
    return request.body.get("reasoning_effort") or (request.body.get("reasoning") or {}).get("effort")


@pytest.mark.parametrize("api", ["responses", "chat"])
@pytest.mark.parametrize("words", EFFORTS.values(), ids=EFFORTS)
async def test_an_effort_that_a_model_does_not_have_takes_no_other_with_it(words: str, api: API) -> None:
    """anomalyco/opencode#3474, #4451, egoist/chatwise-releases#1257: folds ask for low, channels for what is set."""

    def refuses(request: Request) -> Status | None:
        told = Status(status=400, message=words.format(effort_of(request)), param="reasoning.effort")
        return None if effort_of(request) in {None, "high"} else told

    async with OpenAIServer() as server:
        server.weather = refuses
        model = OpenAIModel(api_key=KEY, model=MODEL, base_url=server.url, api=api)
        for effort in ("high", "low", "low", "high"):
            await ask(model, replace(QUESTION, effort=effort))
        await model.close()

    assert [effort_of(request) for request in server.requests] == ["high", "low", None, None, "high"]
