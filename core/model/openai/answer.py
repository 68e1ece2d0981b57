"""One answer as it comes: piece by piece, with a limit for each silence."""

import asyncio
from collections.abc import AsyncGenerator

import openai
import structlog

from core.errors import ModelInterrupted, ModelMisconfigured
from core.model.llm import Piece, Unseen
from core.model.openai.frames import Frames
from core.model.openai.judging import sorted_errors
from core.model.openai.reading import Reading, is_beat

log = structlog.get_logger()

_TOLD_EVERY = 400  # characters of thought

TAIL = 3.0
"""Seconds that we wait for the rest of a stream (usage, the end) once the API has said that the answer is finished."""


async def pieces(
    events: Frames, reading: Reading, *, limit: float, silence_seconds: float, longest_thought: float
) -> AsyncGenerator[Piece, None]:
    """The pieces, and at the end the Finish. The first frame must come before `limit`, by the loop's clock."""
    told = 0
    with sorted_errors(ModelInterrupted):
        while (frame := await _next(events, reading, limit)) is not None:
            for piece in reading.take(frame):
                yield piece
            if reading.unseen >= told + _TOLD_EVERY:
                told = reading.unseen
                yield Unseen(told)
            if reading.unseen > longest_thought:
                reading.end = "length"  # it may never stop
                break
            await asyncio.sleep(0)  # what has come in a heap must not keep the other answers waiting
            now = asyncio.get_running_loop().time()
            if reading.rests:
                limit = min(limit, now + TAIL)  # whatever comes meanwhile
            elif not is_beat(frame):
                limit = now + silence_seconds
    if not reading.started and "html" in events.response.headers.get("content-type", ""):
        raise ModelMisconfigured("The server answers with a web page. Set OPENAI_BASE_URL to its API (…/v1).")
    for last in reading.finish():
        yield last


async def _next(events: Frames, reading: Reading, limit: float) -> object:
    """The next frame; None at the end. Once the answer is finished, whatever befalls the rest is no matter."""
    try:
        async with asyncio.timeout_at(limit):
            return await anext(events, None)
    except (openai.OpenAIError, ValueError, TimeoutError) as error:
        if not reading.rests:
            raise
        log.info("model_tail_lost", error=type(error).__name__)
        return None
