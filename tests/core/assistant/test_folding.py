"""Old turns become checkpoints beside the answers: nothing is forgotten, nobody waits, memory follows the screen."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from core.events import Folded, FoldRefused
from core.model.llm import Finish, Prompt
from core.schema import calls
from core.store import Database
from tests.core.memory.checkpoints.folder import folded
from tests.script import House, ScriptedModel, TranscriptAdapter, rows
from tests.values import message

BUDGET = 6_000
TALK = "so we talked and talked about this and that " * 16


class FoldingModel(ScriptedModel):
    """A model that writes down the facts that people tell when it is to fold, and echoes otherwise."""

    def __init__(self, *script: str) -> None:
        super().__init__(*script)
        self.asked_to_fold: list[Prompt] = []
        self.writes: Callable[[Prompt], str] = lambda prompt: folded(prompt, is_fact)
        self.hold: asyncio.Event | None = None

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | Finish, None]:
        if prompt.cause is None or prompt.cause.purpose != "fold":
            async for piece in super().stream(prompt):
                yield piece
            return
        self.asked_to_fold.append(prompt)
        self.change()
        if self.hold is not None:
            await self.hold.wait()
        yield self.writes(prompt)
        yield Finish(model=self.name)


def is_fact(words: str) -> bool:
    return "fact" in words and "You said" not in words


def folding_house(database: Database, **facts) -> House:
    return House(database, FoldingModel(), TranscriptAdapter(), budget=BUDGET, **facts)


def model_of(running: House) -> FoldingModel:
    assert isinstance(running.model, FoldingModel)
    return running.model


async def talk(running: House, first: int, last: int, *, look: bool = True) -> Sequence[str]:
    """Exchanges with these numbers, some with a fact; what is due is folded after each. Returns the facts."""
    told = [number for number in range(first, last + 1) if number % 5 == 1]
    for number in range(first, last + 1):
        await running.say(message(f"fact{number} is so\n{TALK}" if number in told else TALK))
        await running.over()
        if look:
            await running.folding.look()
    return [f"fact{number} is so" for number in told]


def request(running: House) -> str:
    """The whole of the newest request for an answer."""
    prompt = running.model.prompts[-1]
    return "\n".join([prompt.instructions, *(one.text for one in prompt.messages)])


async def test_every_fact_is_in_the_next_request_as_it_was_said_or_in_a_checkpoint(database: Database) -> None:
    async with folding_house(database) as running:
        facts = await talk(running, 1, 40)
        await running.say(message("What was it?"))
        await running.over()

        assert [fact for fact in facts if fact not in request(running)] == []
        assert all(prompt.tokens <= BUDGET for prompt in running.model.prompts)
        assert sum(isinstance(one, Folded) for one in running.told) >= 3
        assert not any(isinstance(one, FoldRefused) for one in running.told)
        assert {row.purpose for row in await rows(database, calls)} <= {"fold", "answer"}
