"""A model that takes in less than the budget allows: its size is learnt within one answer, and kept (B7)."""

import pytest

from core.model.openai import OpenAIModel
from core.store import Database
from tests.script import house
from tests.values import message
from tests.wire.openai import KEY, MODEL, End, Fault, OpenAIServer, Request, Status

SIZE = 4_096
TELLING = "This model's maximum context length is 4096 tokens. However, you requested more than that."
SILENT = "The input is too long."
WORDS = "We talked about the launch, the budget, and who brings what to the party on Friday. " * 5


def counted(request: Request) -> int:
    """By a vocabulary of its own: a token for every three characters and a half."""
    said = sum(len(text) for _, text in request.texts) + len(request.instructions)
    return int(said / 3.5) + 5 * len(request.texts)


def refuses(words: str):
    def weather(request: Request) -> Fault | None:
        answer = int(request.body.get("max_tokens", 0))
        return Status(status=400, message=words) if counted(request) + answer > SIZE else None

    return weather


@pytest.mark.parametrize("words", [TELLING, SILENT], ids=["telling", "silent"])
async def test_sixty_questions_get_sixty_answers_for_at_most_sixty_three_calls(database: Database, words: str) -> None:
    async with OpenAIServer(answer=lambda request: f"Noted, with {len(request.texts)} messages. {WORDS}") as server:
        server.weather = refuses(words)
        model = OpenAIModel(api_key=KEY, model=MODEL, base_url=server.url, answer_tokens=4_000)
        async with house(database, budget=24_000) as running:
            running.mind.model = model
            for number in range(60):
                await running.say(message(f"{number}: {WORDS}"))
                await running.adapter.until(lambda n=number: len(running.adapter.texts) == n + 1)
            await running.over()
        await model.close()

    assert all(text.startswith("Noted") for text in running.adapter.texts)
    assert len(server.requests) <= 63
    taken = [request for request in server.requests if counted(request) + request.body["max_tokens"] <= SIZE]
    assert len(taken) == 60
    assert len(taken[-1].texts) > 3, "at least half of what fits is shown"
    assert max(len(request.texts) for request in taken[-8:]) > 6, "and at times all of it"


async def test_a_size_that_is_told_once_the_model_is_loaded_is_asked_for_where_nothing_is_said(
    database: Database,
) -> None:
    """lmstudio-bug-tracker#2339: what is too long is answered with nothing. The size is told of loaded models alone."""
    async with OpenAIServer(answer=lambda request: f"Noted, with {len(request.texts)} messages. {WORDS}") as server:

        def weather(request: Request) -> Fault | None:
            server.described = {"max_context_length": 131_072, "loaded_context_length": SIZE}
            return End(text="") if counted(request) > SIZE else None

        server.described = {"max_context_length": 131_072}
        server.weather = weather
        model = OpenAIModel(api_key=KEY, model=MODEL, base_url=server.url, answer_tokens=4_000)
        await model.look()
        async with house(database, budget=24_000) as running:
            running.mind.model = model
            for number in range(40):
                await running.say(message(f"{number}: {WORDS}"))
                await running.adapter.until(lambda n=number: len(running.adapter.texts) == n + 1)
            await running.over()
        await model.close()

    assert [text for text in running.adapter.texts if not text.startswith("Noted")] == []
    assert len(server.requests) == 41
