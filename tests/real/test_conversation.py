"""The kit itself, with a loopback server in the model's place: it needs no package of its own for that."""

from contextlib import aclosing
from pathlib import Path

from tests.real.conversation import Room, converse
from tests.real.questions import drawn
from tests.real.tap import Tap
from tests.real.verdict import Told, judge
from tests.wire.openai import WRONG_KEY, OpenAIServer, Status
from tests.wire.slack import SlackStage

TOO_LONG = Status(
    status=400,
    code=400,
    type="exceed_context_size_error",
    message="request (2918 tokens) exceeds the available context size (2048 tokens), try increasing it",
)


async def words(text: str) -> int:
    return len(text.split())


async def test_a_conversation_is_told_as_people_and_the_model_s_server_saw_it(tmp_path: Path) -> None:
    """An answer, one after a window that was too long, and an honest sentence."""
    next_faults: dict[int, Status] = {1: TOO_LONG, 2: WRONG_KEY}
    told: list[Told] = []
    async with (
        OpenAIServer(answer=lambda request: "A cup of tea.") as model,
        SlackStage() as stage,
        Tap(model.url.removesuffix("/v1")) as tap,
    ):
        environment = model.environment() | {"OPENAI_BASE_URL": f"{tap.url}/v1"}
        room = Room(stage=stage, tap=tap, count=words, folder=tmp_path, environment=environment)
        async with aclosing(converse(room, drawn(seed=1, number=3, characters=300))) as answers:
            async for one in answers:
                told.append(one)
                model.faults.extend(fault for number, fault in next_faults.items() if number == one.number)

    assert [one.author for one in told] == ["ada", "ben", "ada"]
    assert [one.why for one in told] == [None, None, "ModelMisconfigured"]
    assert told[0].texts == told[1].texts == ("A cup of tea.",)
    assert told[0].tokens == 4
    assert [request.too_long for request in told[1].requests] == [True, False]
    assert told[1].requests[-1].finish == "stop"
    assert told[1].requests[-1].shown
    assert judge(told, ceiling=100) == []
