"""Sending a request: by the API that a server has, in a form that it takes.

What a server will not have is learnt from its refusals (`lessons`), which cost nothing.
"""

import asyncio

import openai
import structlog

from core.errors import ModelMisconfigured
from core.model.llm import Prompt
from core.model.openai import asking, lessons
from core.model.openai.asking import Wanted
from core.model.openai.clients import WHOLE
from core.model.openai.complaints import Complaint, heard_from
from core.model.openai.fields import at
from core.model.openai.frames import Frames
from core.model.openai.judging import endpoint_missing
from core.model.openai.learning import Learning
from core.model.openai.manners import API
from core.model.openai.server import Server

log = structlog.get_logger()

PATHS: dict[API, str] = {"responses": "/responses", "chat": "/chat/completions"}

ADAPTS = 8
"""How often one request is changed to a server's liking before its refusal counts."""


class Sending:
    """Sends requests to one server. `first_seconds` is how long the first piece of an answer may take."""

    def __init__(self, server: Server, learning: Learning, wanted: Wanted, *, first_seconds: float) -> None:
        self._server = server
        self._learning = learning
        self._wanted = wanted
        self._first = first_seconds

    @property
    def first_api(self) -> API:
        """The API to ask by, as far as is known."""
        server = self._server
        return server.api or self._learning.known.api or ("responses" if server.official else "chat")

    async def open(self, client: openai.AsyncOpenAI, prompt: Prompt, limit: float) -> tuple[API, Frames]:
        """Sends the request by the API that is known to work, or by the other one where the server lacks the first.

        `limit` is when the first piece must be there, by the loop's clock.
        """
        first = self.first_api
        other: API = "chat" if first == "responses" else "responses"
        for api in (first,) if self._server.api else (first, other):
            try:
                events = await self._send(client, api, prompt, limit)
            except openai.APIStatusError as error:
                if not endpoint_missing(heard_from(error), self._server.model):
                    raise
                log.info("model_api_missing", api=api, host=self._server.host, status=error.status_code)
                continue
            if api != first:
                self._learning.learn(api=api)
            return api, events
        raise self._neither()

    def _neither(self) -> ModelMisconfigured:
        if self._server.api:
            setting = f"OPENAI_API is {self._server.api}, which the server does not have. Set it to auto"
        else:
            setting = "The server has neither of OpenAI's APIs. Set OPENAI_BASE_URL to where it has (…/v1)"
        return ModelMisconfigured(f"{setting}, or check OPENAI_MODEL.")

    async def _send(self, client: openai.AsyncOpenAI, api: API, prompt: Prompt, limit: float) -> Frames:
        """Sends the request; what the server will not have of it is left out, or said in another form, from then on.

        Some servers have begun a stream by the time that they refuse, and say so in its first frame.
        """
        for left in reversed(range(ADAPTS)):
            manners, official = self._learning.known, self._server.official
            marks = asking.marks(prompt, manners, official=official)
            extra = asking.fields(api, prompt, manners, self._wanted, official=official)
            body = asking.body(api, self._server.model, prompt, manners, marks) | extra
            extra |= {asking.BREAKPOINT: marks} if marks else {}
            try:
                async with asyncio.timeout_at(limit if manners.streams else limit - self._first + WHOLE):
                    events, frame = await _post(client, api, body)
            except openai.APIStatusError as error:
                news = self._learning.known != manners  # another answer has learnt meanwhile: perhaps this very thing
                if left == 0 or not (news or self._adapt(heard_from(error), extra)):
                    raise
            else:
                if left == 0 or not at(frame, "error") or not self._adapt(heard_from(frame), extra):
                    return events  # its reader says what is wrong
                await events.close()
        raise AssertionError("the last refusal is raised")

    def _adapt(self, heard: Complaint, extra: dict[str, object]) -> bool:
        """Learns from a refusal what the server will not have; False where it is about something else."""
        news = lessons.of_refusal(heard, extra, self._learning.known)
        if news:
            log.info("model_manners", host=self._server.host, **{name: str(value) for name, value in news.items()})
            self._learning.learn(**news)
        return bool(news)


async def _post(client: openai.AsyncOpenAI, api: API, body: dict[str, object]) -> tuple[Frames, object]:
    """The answer's frames, and the first of them.

    It goes past the SDK's typed methods: they walk through every message by its type and back, in 35 ms for a
    window of 90 messages, and make each event an object, in two thirds of what a piece costs (openai 3.54).
    """
    events = await client.post(PATHS[api], cast_to=object, body=body, stream=True, stream_cls=Frames)
    return events, await events.first()
