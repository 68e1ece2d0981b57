"""What stands before a question is the same byte for byte in every later request, whoever makes it and when."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from core.model.openai import OpenAIModel
from core.seam.messages import Audience, Inbound, Quote
from core.store import connect
from tests.everything import everything
from tests.script import House, ScriptedModel, TranscriptAdapter
from tests.values import ADA, BEN, HERE
from tests.wire.openai import KEY, MODEL, OpenAIServer, Request

AT = 1_700_000_000.0
LONG = "The deploy is at six, on Monday, by Ben, from his own machine, as ever. " * 20


def said(number: int, text: str, **facts: object) -> Inbound:
    known: dict[str, object] = {"address": HERE, "author": (ADA, BEN)[number % 2], "audience": Audience.BOT}
    return Inbound(**(known | {"id": f"m{number}", "text": text, "at": AT + 40 * number} | facts))  # type: ignore[arg-type]


def aside(number: int, text: str) -> Inbound:
    return said(number, text, audience=Audience.OTHERS)


def answer(request: Request) -> str:
    """With a phrase that somebody has quoted before it was ever said."""
    return LONG if "question-3" in request.last else f"Noted, {len(request.texts)}."


class Replica(House):
    """One process's life, with a real client of the model's server, which may pass for OpenAI's own."""

    @classmethod
    @asynccontextmanager
    async def at(
        cls, url: str, server: OpenAIServer, api: str, screen: TranscriptAdapter, official: Sequence[str]
    ) -> AsyncIterator["Replica"]:
        database = connect(url)
        model = OpenAIModel(api_key=KEY, model=MODEL, base_url=server.url, api=api, official_hosts=official)  # type: ignore[arg-type]
        async with cls(database, ScriptedModel(), screen) as running:
            running.mind.model = model
            yield running
        await model.close()
        await database.close()

    async def ask(self, *events: Inbound) -> None:
        await self.say(*events)
        await self.over()


async def talked(url: str, api: str, official: Sequence[str] = ()) -> list[Request]:
    """The requests of a conversation over two processes' lives and a third beside them."""
    screen = TranscriptAdapter()
    screen.past = [said(1, "Who deploys?"), said(2, "Ben does.")]
    async with OpenAIServer(answer=answer) as server:
        async with Replica.at(url, server, api, screen, official) as first:
            await first.ask(said(3, "question-0: who?"))
            await first.ask(said(4, "question-1: and when?"))
            await first.say(aside(5, "lunch?"), aside(6, "soon"))
            server.hold()
            early = Quote(kind="replies to", text=LONG, author=ADA.__class__(id="B", name="Bot", is_self=True), at=AT)
            await first.say(said(7, "question-2: is that so?", quotes=(early,)))
            await server.until(lambda: len(server.requests) == 3)
            await first.say(said(8, "question-3: what was it again?"), aside(9, "said while both wait"))
            server.release()
            await first.over()
        async with (
            Replica.at(url, server, api, screen, official) as second,
            Replica.at(url, server, api, screen, official) as third,
        ):
            await second.ask(said(10, "question-4: Äpfel 🦀?"))
            await third.ask(aside(11, "pizza"), said(12, "question-5: or pears?"))
            await second.ask(said(13, "question-6: thanks"))
    return server.requests


@pytest.fixture(params=["responses", "chat"])
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_each_request_begins_with_the_one_before_it_up_to_its_question(url: str, api: str) -> None:
    requests = await talked(url, api)

    assert len(requests) == 7
    for number, (before, after) in enumerate(pairwise(requests)):
        prefix, found, _ = before.raw.partition(f"question-{number}".encode())
        assert found
        assert after.raw.startswith(prefix), number


async def test_both_databases_give_the_same_requests(make_url: Callable[[str], str], api: str) -> None:
    """But for the longest answer: which of two processes answers is open, and each learns for itself of the model."""
    one, other = [await talked(make_url(dialect), api) for dialect in ("sqlite", "postgresql")]

    longest = re.compile(rb'"max_[a-z_]+":\d+')
    assert [longest.sub(b"", request.raw) for request in one] == [longest.sub(b"", request.raw) for request in other]


async def test_openai_looks_for_each_conversation_where_it_has_kept_it(
    make_url: Callable[[str], str], api: str
) -> None:
    """At the end of the request before, which was its question, whatever was overheard since."""
    requests = await talked(make_url("sqlite"), api, official=(".127.0.0.1",))

    for before, after in pairwise(requests):
        assert before.texts[-1][1] in after.marks
        assert after.texts[: len(before.texts) - 1] == before.texts[:-1]


async def test_in_a_long_run_of_everything_each_change_of_it_has_its_name(make_url: Callable[[str], str]) -> None:
    """What an action must be called; `python -m tests.everything` prints the list."""
    run = await everything(make_url("sqlite"), actions=120, seed=8)

    assert [change for change in run.changes if len(change.names) < change.times] == []
    named = {
        action: {name for change in run.changes if change.action == action for name in change.names}
        for action in run.done
    }
    assert set().union(*named.values()) >= {"edit", "erasure", "fold", "model", "reset", "settings", "step", "undo"}
    assert named["fold"] <= {"fold", "step"}
    assert named["reset"] == {"reset"}
    assert named["undo"] <= {"undo", "step"}
    assert named["talk"] | named["late"] | named["overhear"] | named["time_out"] <= {"step", "late"}
    assert named["prefer"] == set(), "it goes with the newest message alone"
    assert run.done.keys() >= {"time_out", "restart", "replica", "summarize"}
