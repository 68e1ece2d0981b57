"""The model behind one method, with any server: each is a file in `tests/manners/`, played on loopback."""

import asyncio
from contextlib import aclosing

import pytest

from core.errors import ModelInterrupted, ModelRefused, ModelUnavailable, OutOfCredit, WindowTooLong
from core.model.llm import Finish, Message, Prompt, Usage
from core.model.openai import OpenAIModel
from tests.wire.manners import ANSWER, FILES, SHOWN, WRITTEN, Breaks, MannersServer, having, manner
from tests.wire.openai import KEY, MODEL

OVERHEARD = Message(role="user", text="[Ben Miller 2026-11-29 06:01 UTC] anybody on the pier yet?")
QUESTION = Message(role="user", text="[Ada 2026-11-29 06:02 UTC] when does the ferry leave?")
EARLIER = Message(role="assistant", text="Good morning, both of you.")
AGAIN = Message(role="user", text="[Ada 2026-11-29 06:03 UTC] and on Sunday?")


def prompt(*messages):
    return Prompt(instructions="Be brief, and never guess.", messages=messages, tokens=60, conversation="c-1")


FIRST = prompt(OVERHEARD, QUESTION)
SECOND = prompt(OVERHEARD, QUESTION, Message(role="assistant", text=ANSWER), OVERHEARD, AGAIN)


@pytest.fixture(params=FILES)
def name(request):
    return request.param


@pytest.fixture
async def server(name):
    async with MannersServer(manner(name)) as server:
        yield server


@pytest.fixture
async def model(server):
    manner = server.manner
    model = OpenAIModel(
        api_key=KEY,
        model=MODEL,
        base_url=server.url,
        api=manner.setting,
        answer_tokens=500,
        effort=manner.effort,
        official_hosts=(".127.0.0.1",) if manner.official else (),
    )
    yield model
    await model.close()


async def ask(model, prompt=FIRST):
    """What is on screen in the end, and the Finish. What is neither words nor Finish says that all so far is void."""
    words, finish = "", None
    async with aclosing(model.stream(prompt)) as stream:
        async for piece in stream:
            assert finish is None, "nothing comes after the Finish"
            if isinstance(piece, str):
                words += piece
            elif isinstance(piece, Finish):
                finish = piece
            else:
                words = ""
    assert finish is not None
    return words.strip(), finish


def shown_in_order(request, prompt):
    """Whether the model is shown all of this, word for word, in its order."""
    place = 0
    for text in (prompt.instructions, *(message.text for message in prompt.messages)):
        place = request.words.find(text, place)
        if place < 0:
            return False
        place += len(text)
    return True


async def test_a_question_is_answered(server, model):
    """B1, B2, B4, B5, B6: whatever it costs in refusals, and each of them once."""
    words, finish = await ask(model)
    assert words == ANSWER
    assert not finish.cut
    *refused, last = server.requests
    assert shown_in_order(last, FIRST)
    assert not any(request.answered for request in refused)
    assert len(refused) <= len(server.manner.refuses) + 1, "one refusal for each, and one for the other API"
    assert finish.usage == (Usage(shown=SHOWN, written=WRITTEN) if last.billed else None)
    assert model.context is None, "nothing was too long"


async def test_a_second_question_costs_one_request_whatever_had_to_be_learnt(server, model):
    """B1: and it carries the earlier turns, which the server takes in the form that was learnt."""
    await ask(model)
    before = len(server.requests)
    words, _ = await ask(model, SECOND)
    (request,) = server.requests[before:]
    assert (words, shown_in_order(request, SECOND)) == (ANSWER, True)


async def test_a_window_that_begins_with_an_answer_is_taken_too(server, model):
    """B1 (autogen#3597): the window moves on, and what it begins with is not always a question."""
    cut = prompt(EARLIER, OVERHEARD, QUESTION)
    words, _ = await ask(model, cut)
    assert (words, shown_in_order(server.requests[-1], cut)) == (ANSWER, True)


@pytest.mark.parametrize("name", having("long"), indirect=True)
async def test_a_request_that_is_too_long_is_known_as_that(server, model):
    server.scene = "long"
    with pytest.raises(WindowTooLong):
        await ask(model)
    assert [request.answered for request in server.requests].count(True) == 1, "it is for the turn to try again"


@pytest.mark.parametrize(
    "name", [name for name in having("long") if manner(name).scenes["long"].size_said], indirect=True
)
async def test_the_size_of_the_context_is_known_where_the_refusal_names_it(server, model):
    """B7: the next window fits."""
    server.scene = "long"
    with pytest.raises(WindowTooLong):
        await ask(model)
    assert model.context == server.manner.context


@pytest.mark.parametrize("name", [name for name in FILES if manner(name).listed], indirect=True)
async def test_the_size_of_the_context_is_known_beforehand_where_the_server_tells_it(server, model):
    """B7: vLLM, SGLang, llama.cpp, LM Studio, TGI and Mistral each say it in another place."""
    await model.look()
    assert model.context == server.manner.context


@pytest.mark.parametrize("name", having("filtered"), indirect=True)
async def test_what_the_provider_will_not_answer_is_known_as_that(server, model):
    """B8: however it says so, with a code or with words alone, before a stream or in it."""
    server.scene = "filtered"
    with pytest.raises(ModelRefused):
        await ask(model)
    assert [request.answered for request in server.requests].count(True) == 1, "the same would be refused again"


@pytest.mark.parametrize("name", having("credit"), indirect=True)
async def test_an_account_without_credit_is_known_as_that(server, model):
    """Whatever its status: nothing but money helps, and people are told so at once."""
    server.scene = "credit"
    with pytest.raises(OutOfCredit):
        await ask(model)
    assert [request.answered for request in server.requests].count(True) == 1


@pytest.mark.parametrize("name", having("filtered_midway"), indirect=True)
async def test_an_answer_that_the_filter_ends_midway_stands_and_counts_as_cut(server, model):
    """B12."""
    server.scene = "filtered_midway"
    words, finish = await ask(model)
    assert words == ANSWER
    assert finish.cut


async def test_closing_the_stream_ends_the_request(server, model):
    server.hold = True
    stream = model.stream(FIRST)
    asked = asyncio.create_task(anext(stream))
    if server.manner.stream is None:  # nothing comes before all of it
        await server.until(lambda: server.requests and server.requests[-1].answered)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
    else:
        await asked
    await stream.aclose()
    await server.until(lambda: server.requests[-1].gone)


@pytest.mark.parametrize("name", having("cut"), indirect=True)
async def test_an_answer_that_has_reached_its_limit_is_told_apart(server, model):
    server.scene = "cut"
    words, finish = await ask(model)
    assert words == ANSWER
    assert finish.cut


BREAKS = {
    "politely": Breaks(after=2, politely=True),
    "politely, when only the end is missing": Breaks(after=None, politely=True),
    "with the connection": Breaks(after=2, politely=False),
}


@pytest.mark.parametrize("breaks", BREAKS.values(), ids=BREAKS)
async def test_an_answer_that_breaks_off_is_never_taken_for_a_whole_one(server, model, breaks):
    """B2: before the end that this server's own dialect has."""
    server.breaks = breaks
    with pytest.raises(ModelInterrupted):
        await ask(model)


@pytest.mark.parametrize("name", having("trouble"), indirect=True)
async def test_a_server_that_fails_is_one_that_may_answer_later(server, model):
    server.scene = "trouble"
    with pytest.raises(ModelUnavailable):
        await ask(model)
    assert [request.answered for request in server.requests].count(True) == 1, "it is for the turn to try again"


@pytest.mark.parametrize("name", having("trouble_midway"), indirect=True)
async def test_a_server_that_fails_midway_has_not_answered(server, model):
    server.scene = "trouble_midway"
    with pytest.raises(ModelUnavailable):
        await ask(model)


async def test_the_doctor_finds_such_a_server_in_order(server, model):
    (finding,) = await model.examine()
    assert finding.ok, finding.detail
