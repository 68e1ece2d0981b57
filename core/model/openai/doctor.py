"""The doctor's questions to a model's server: whether it knows key and model, and gives one short answer."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import openai

from core.errors import ModelError, ModelUnavailable, WindowTooLong
from core.model.llm import Message, Piece, Prompt
from core.model.openai.complaints import heard_from, words_of
from core.model.openai.judging import endpoint_missing, sorted_errors
from core.model.openai.sending import ADAPTS
from core.seam.adapter import Finding

EXAMINE = 30.0
"""Seconds that the doctor waits to be told of the model; for its answer it waits as long as a turn."""

ENOUGH = 100
"""Pieces of an answer after which the doctor hangs up: small models may never come to an end."""

QUESTION = Prompt(
    instructions="Answer in one word.",
    messages=(Message(role="user", text="Say: ready"),),
    tokens=16,
    conversation="doctor",
)

Stream = Callable[[Prompt], AsyncGenerator[Piece, None]]


async def complaint(
    client: openai.AsyncOpenAI, model: str, stream: Stream, most: Callable[[Prompt], int | None]
) -> Finding | None:
    """What is wrong, if anything is. `stream` asks as a turn does; `most` is the longest answer that it asks for."""
    try:
        with sorted_errors(ModelUnavailable):
            await _know(client, model)
            await _answer(stream, most)
    except ModelError as error:
        what, _, remedy = str(error).removesuffix(".").partition(". ")
        detail = f"{what}.{words_of(error.__context__, client.api_key)}"
        remedy = f"{remedy or 'Try again later, or check OPENAI_BASE_URL'}."
        return Finding(subject="model", ok=False, detail=detail, remedy=remedy)
    return None


async def _know(client: openai.AsyncOpenAI, model: str) -> None:
    """The question that costs nothing and says best what is wrong, where it may be asked."""
    try:
        async with asyncio.timeout(EXAMINE):
            await client.models.retrieve(model)
    except openai.APIStatusError as error:
        may_not = isinstance(error, openai.PermissionDeniedError)  # a key may be for answers alone
        if not may_not and not endpoint_missing(heard_from(error), model):
            raise


async def _answer(stream: Stream, most: Callable[[Prompt], int | None]) -> None:
    """The question that decides."""
    for left in reversed(range(ADAPTS)):
        room = most(QUESTION)
        try:
            await _hear(stream(QUESTION))
        except WindowTooLong:
            if left == 0 or most(QUESTION) == room:
                raise  # there is nothing that a turn would make smaller
        else:
            return


async def _hear(answer: AsyncGenerator[Piece, None]) -> None:
    heard = 0
    async with aclosing(answer) as pieces:
        async for _ in pieces:
            heard += 1
            if heard == ENOUGH:
                return
