"""Reading an answer as it comes, in either API's events, up to the proof that it is finished."""

import asyncio
from abc import ABC, abstractmethod

import openai
import structlog

from core.errors import ModelInterrupted, ModelRefused, WindowTooLong
from core.llm import Finish, Usage
from core.openai.complaints import heard_from, judge
from core.openai.fields import at, count, text

log = structlog.get_logger()

Events = openai.AsyncStream[object]

TAIL = 3.0
"""Seconds that we wait for the rest of a stream (usage, the end) once the API has said that the answer is finished."""


class Reading(ABC):
    """What has been read of one answer. Servers leave fields out or null them as they like, so none is relied on."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.started = False
        self.spoken = False
        self.usage: Usage | None = None
        self.end: str | None = None

    def take(self, event: object) -> str:
        """Reads one event and returns the text in it."""
        self.started = True
        piece = self._read(event)
        self.spoken = self.spoken or bool(piece.strip())
        return piece

    @abstractmethod
    def _read(self, event: object) -> str: ...

    def finish(self) -> Finish:
        """The proof that the answer is complete, or why it is none.

        An answer that a content filter stopped midway is on screen already: it stands, and counts as cut.
        No text at its limit means that the request left no room (or reasoning ate it): a smaller window may help.
        """
        filtered, full = self.end == "content_filter", self.end in {"length", "max_output_tokens", "model_length"}
        if self.end is None or self.end in {"error", "abort"}:
            raise ModelInterrupted("The answer broke off before the server said that it was finished.")
        if not self.spoken and filtered:
            raise ModelRefused("The provider's content filter held the answer back.")
        if not self.spoken and full:
            raise WindowTooLong("The model had no room left to say anything.")
        if not self.spoken:
            raise ModelInterrupted("The model finished without saying anything: an empty answer.")
        return Finish(model=self.model, usage=self.usage, cut=filtered or full)

    def _note(self, whole: object, shown: str, written: str) -> None:
        self.model = text(whole, "model") or self.model
        usage = at(whole, "usage")
        if at(usage, shown) is not None:
            self.usage = Usage(
                shown=count(usage, shown),
                written=count(usage, written),
                cached=count(usage, f"{shown}_details", "cached_tokens"),
                reasoning=count(usage, f"{written}_details", "reasoning_tokens"),
            )


class ChatReading(Reading):
    """Chat Completions: finished when a choice has a finish_reason."""

    def _read(self, event: object) -> str:
        self._note(event, "prompt_tokens", "completion_tokens")
        choices = at(event, "choices")
        piece = ""
        for choice in choices if isinstance(choices, list) else ():
            piece += text(choice, "delta", "content") + text(choice, "delta", "refusal")
            self.end = text(choice, "finish_reason") or self.end
        return piece


class ResponsesReading(Reading):
    """Responses: finished at response.completed or response.incomplete."""

    part: object = None

    def _read(self, event: object) -> str:
        match text(event, "type"):
            case "response.output_text.delta" | "response.refusal.delta":
                part, self.part = self.part, at(event, "output_index")
                gap = "\n\n" if self.spoken and part != self.part else ""
                return gap + text(event, "delta")
            case "response.completed" | "response.incomplete" as end:
                whole = at(event, "response")
                self._note(whole, "input_tokens", "output_tokens")
                reason = text(whole, "incomplete_details", "reason")
                self.end = "stop" if end == "response.completed" else reason or "max_output_tokens"
            case "response.failed":
                raise judge(heard_from(at(event, "response", "error")))
            case "error":
                raise judge(heard_from(event))
        return ""


async def next_event(events: Events, reading: Reading, limit: float) -> object:
    """The next event; None at the end. Once the answer is finished, whatever befalls the rest of it is no matter."""
    now = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(limit if reading.end is None else min(limit, now + TAIL)):
            return await anext(events, None)
    except (openai.OpenAIError, ValueError, TimeoutError) as error:
        if reading.end is None:
            raise
        log.info("model_tail_lost", error=type(error).__name__)
        return None
