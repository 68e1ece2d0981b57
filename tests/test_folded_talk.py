"""A conversation that outgrows its window is folded by the running program, beside its answers."""

import asyncio
import re

from core.memory.checkpoints.shown import EXPLAINED
from core.timings import Timings
from tests.script import SECONDS
from tests.stage import Stage
from tests.talk import Running
from tests.wire.console import ConsoleStage
from tests.wire.openai import OpenAIServer, Request

TALK = "and so we talked about this and that for long. " * 20


def asked_to_fold(request: Request) -> re.Match[str] | None:
    return re.search(r"Write the record of (-?\d+)-", request.texts[-1][1])


def answer(request: Request) -> str:
    """A record where one is asked for, else a word."""
    asked = asked_to_fold(request)
    return "Noted." if asked is None else f"# facts\n- Ada keeps the key in the blue box ({asked[1]})"


async def ask(stage: Stage, server: OpenAIServer, text: str) -> str:
    """All that the model is shown for the answer, which is on screen by then."""
    before = len(stage.shown())
    await stage.say(text)
    await stage.until(lambda: [one.text for one in stage.shown() if one.done] == ["Noted."] * (before + 1))
    request = [request for request in server.requests if asked_to_fold(request) is None][-1]
    return "\n".join(text for _, text in request.texts)


async def test_what_was_said_long_ago_is_in_later_requests_as_a_record(url: str) -> None:
    async with (
        OpenAIServer(answer=answer) as server,
        ConsoleStage() as stage,
        Running(url, server, stage, timings=Timings(fold=0.05), backscroll_context_tokens=6_000),
    ):
        shown = await ask(stage, server, "The key is in the blue box.")
        async with asyncio.timeout(2 * SECONDS):
            while "[[record of turns" not in shown:
                shown = await ask(stage, server, TALK)

        assert "The key is in the blue box." not in shown
        assert EXPLAINED not in server.requests[0].instructions, "nobody reads of records before there are any"
        assert server.requests[-1].instructions == f"{server.requests[0].instructions}\n\n{EXPLAINED}"
        assert "Ada keeps the key in the blue box (1)" in shown
        shown = await ask(stage, server, "Where is it?")
        assert "Ada keeps the key in the blue box (1)" in shown, "and it stays"
