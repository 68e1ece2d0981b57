"""What a server tells of its model is asked at the start and every day: its size, and the day on which it ends."""

import pytest

from core.model.openai import OpenAIModel
from tests.wire.openai import KEY, MODEL, OpenAIServer


@pytest.mark.parametrize(
    "day", ["2026-12-11", "2026-12-11T00:00:00Z", 1_796_947_200], ids=["a day", "an instant", "seconds"]
)
async def test_the_day_on_which_a_model_ends_is_told_with_the_remedy(day: object) -> None:
    async with OpenAIServer() as server:
        server.described = {"shutdown_date": day}
        model = OpenAIModel(api_key=KEY, model=MODEL, base_url=server.url)
        (warning,) = await model.look()
        findings = await model.examine()
        await model.close()

    assert (
        warning == f"{MODEL} is shut down by its provider on 2026-12-11. Set OPENAI_MODEL to another one before that."
    )
    assert [finding.ok for finding in findings] == [True, False]
    assert findings[1].detail == warning


@pytest.mark.parametrize("day", [None, "soon", -1e30, [], "2026", "2999-01-01"])
async def test_a_model_of_which_no_end_is_told_or_none_that_is_near_has_none(day: object) -> None:
    async with OpenAIServer() as server:
        server.described = {"shutdown_date": day} if day is not None else {}
        model = OpenAIModel(api_key=KEY, model=MODEL, base_url=server.url)
        assert await model.look() == []
        await model.close()


async def test_the_size_is_known_before_anything_is_refused() -> None:
    async with OpenAIServer() as server:
        server.described = {"max_model_len": 4_096}
        model = OpenAIModel(api_key=KEY, model=MODEL, base_url=server.url)
        await model.look()
        (finding,) = await model.examine()
        await model.close()

    assert model.context == 4_096
    assert "a context of 4,096 tokens" in finding.detail


async def test_a_server_that_tells_nothing_is_no_error() -> None:
    async with OpenAIServer() as server:
        server.missing = {"models"}
        model = OpenAIModel(api_key=KEY, model=MODEL, base_url=server.url)
        assert await model.look() == []
        await model.close()
    nowhere = OpenAIModel(api_key=KEY, model=MODEL, base_url="http://127.0.0.1:9/v1")
    assert await nowhere.look() == []
    await nowhere.close()
