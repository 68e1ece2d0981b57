"""Reading an answer as it comes, in either API's frames or as one body, up to the proof that it is finished.

Lenient about form, strict about completeness: an answer is whole when the server's own dialect says so (a reason why it
ended, `[DONE]`, `response.completed`, a whole body), never otherwise.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping

from core.errors import EmptyAnswer, ModelInterrupted, ModelRefused, WindowTooLong
from core.model.llm import Afresh, Cut, Finish, Piece, Usage
from core.model.openai.complaints import heard_from
from core.model.openai.fields import at, count, text
from core.model.openai.frames import END
from core.model.openai.judging import judge
from core.model.openai.marks import Cleaner

FILTERED = {
    "content_filter",
    "safety",
    "recitation",
    "blocklist",
    "prohibited_content",
    "spii",
    "sensitive",
    "refusal",
    "guardrail_intervened",
    "content_filtered",
}
"""How OpenAI, Gemini, Zhipu, Anthropic and Bedrock say that a filter has ended the answer."""

FULL = {"length", "max_output_tokens", "max_tokens", "model_length", "model_context_window_exceeded"}
NONE = {"", "null", "none"}
"""No reason yet, as text too."""

BROKEN = {
    "error",
    "error_finish",
    "abort",
    "cancelled",
    "insufficient_system_resource",
    "network_error",
    "engine_overloaded",
}
"""Reasons that are none: vLLM, DeepSeek, Zhipu and others say so when they fail midway."""


_BEATS = {"ping", "heartbeat", "keepalive", "keep-alive"}  # types of frames that say nothing
_BLANK = 16  # tokens that may be blanks and template marks alone
_MOST = 100_000_000  # tokens of one request
_NAME = 200  # characters of a model's name


def complaint_in(frame: object) -> object:
    """What is said to be wrong in a frame: its `error`, that of a choice (OpenRouter), or all of a frame that is one.

    Such are `{"object": "error", …}` (vLLM), an `error_code` (FastChat), a `base_resp` (MiniMax), or what has words and
    nothing of an answer (`detail`, `errors`, `code` and `msg`). Many servers send `[DONE]` after it.
    """
    choices = at(frame, "choices")
    for place in (frame, *(choices if isinstance(choices, list) else ())):
        if wrong := at(place, "error"):
            return wrong if isinstance(wrong, Mapping) else place
    if at(frame, "object") == "error":
        return frame
    if choices is not None or at(frame, "type") is not None or at(frame, "output") is not None:
        return None
    worded = count(frame, "code") and (text(frame, "msg") or text(frame, "message"))
    coded = count(frame, "error_code") or count(frame, "base_resp", "status_code")
    return frame if worded or coded or at(frame, "detail") or at(frame, "errors") else None


def is_beat(frame: object) -> bool:
    """Whether it says no more than that the line stands, as a comment does: gateways say so of a dead server, too."""
    return not frame or text(frame, "type") in _BEATS or (at(frame, "choices") == [] and at(frame, "usage") is None)


class Reading(ABC):
    """What has been read of one answer. Servers leave fields out or null them as they like, so none is relied on."""

    done: str | None = None
    """The end that `[DONE]` proves: none in a dialect that has a better proof."""

    def __init__(self, model: str, *, in_thought: bool = False) -> None:
        self.model = model
        self.started = False
        self.spoken = False
        self.reasoned = False
        self.unseen = 0  # characters of thought
        self.usage: Usage | None = None
        self.end: str | None = None
        self.cleaner = Cleaner(in_thought=in_thought)
        self._half = ""

    @property
    def thinks(self) -> bool:
        """Whether the model has thought before it answered. What was billed, and is no word, was a thought."""
        used = self.usage or Usage(shown=0, written=0)
        hidden = not self.spoken and used.written > _BLANK
        return self.reasoned or used.reasoning > 0 or hidden or self.cleaner.thought

    @property
    def rests(self) -> bool:
        """Whether nothing but the rest of a finished answer is to come: some tell a reason before they have begun."""
        return self.end is not None and (self.spoken or self.reasoned)

    @property
    def finished(self) -> bool:
        """Whether the server has said that the answer is whole."""
        return self.end is not None and self.end not in BROKEN

    def take(self, frame: object) -> Iterator[str | Afresh]:
        """Reads one frame, and yields the text in it. Raises ModelError for what the server calls an error.

        An error that follows the proof of a whole answer is passed over.
        """
        self.started = True
        if frame == END:
            self.end = self.end or self.done
            return
        if wrong := complaint_in(frame):
            if self.finished:
                return
            raise judge(heard_from(wrong))
        piece = self._whole("".join(self._read(frame)))
        seen = self.cleaner.take(piece)
        self.unseen += max(0, len(piece) - len(seen))
        yield from self._cleaned(seen)

    def finish(self) -> Iterator[Piece]:
        """What was held back, and the proof that the answer is complete, or why it is none.

        An answer that a content filter stopped midway is on screen already: it stands, and counts as cut.
        """
        end = self.end
        if end is None or not self.finished:
            raise ModelInterrupted("The answer broke off before the server said that it was finished.")
        yield from self._cleaned(self.cleaner.take(self._half.encode("utf-8", "replace").decode()))
        yield from self._cleaned(self.cleaner.end(cut=end in FULL))
        if not self.spoken:
            if self.usage is not None:
                yield self.usage
            raise self._nothing(end)
        cut: Cut | None = "filter" if end in FILTERED else "length" if end in FULL else None
        told = self.usage if self.usage is not None and self.usage.written else None  # it has written something
        yield Finish(model=self.model, usage=told, cut=cut)

    def _nothing(self, end: str) -> Exception:
        """Why there is no word. At its limit without a thought, the request has left no room: a smaller one may."""
        if end in FILTERED:
            return ModelRefused("The provider's content filter held the answer back.")
        if end in FULL and not self.thinks:
            return WindowTooLong("The model had no room left to say anything.", answered=True)
        why = "spent it on thinking" if end in FULL else "finished without saying anything"
        return EmptyAnswer(f"The answer is complete, and empty: the model {why}.", thought=end in FULL)

    def _cleaned(self, piece: str) -> Iterator[str | Afresh]:
        if self.cleaner.afresh:
            self.cleaner.afresh = self.spoken = False
            yield Afresh()
        if piece:
            self.spoken = self.spoken or bool(piece.strip())
            yield piece

    def _whole(self, piece: str) -> str:
        """Characters whose two halves (UTF-16) come in two frames, put together."""
        if not piece:
            return ""
        piece, self._half = self._half + piece, ""
        if "\ud800" <= piece[-1] <= "\udbff":
            piece, self._half = piece[:-1], piece[-1]
        if piece.isascii():
            return piece
        return piece.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    @abstractmethod
    def _read(self, frame: object) -> Iterable[str]:
        """The pieces of text in a frame; notes what else it says."""

    def _ended(self, reason: str) -> None:
        if reason.lower() not in NONE:
            self.end = reason.lower()

    def _note(self, whole: object, shown: str, written: str) -> None:
        named = text(whole, "model")
        if named.isprintable() and len(named) <= _NAME:
            self.model = named or self.model
        self.usage = _used(at(whole, "usage"), shown, written) or self.usage


def _used(usage: object, shown: str, written: str) -> Usage | None:
    """What was billed; None where that is not told, or can't be so. Gemini counts its thoughts into the total alone."""
    read, said = count(usage, shown), count(usage, written)
    hidden = max(0, count(usage, "total_tokens") - read - said)
    cached, kept = (count(usage, f"{shown}_details", name) for name in ("cached_tokens", "cache_write_tokens"))
    if not (0 < read <= _MOST and said + hidden <= _MOST and cached + kept <= read):
        return None
    return Usage(
        shown=read,
        written=said + hidden,
        cached=cached,
        cache_written=kept,
        reasoning=hidden or min(said, count(usage, f"{written}_details", "reasoning_tokens")),
    )


THINKING = ("reasoning_content", "reasoning", "thinking")
"""Where a chat message has its thoughts, beside its content."""


class ChatReading(Reading):
    """Chat Completions: finished when a choice has a finish_reason, at `[DONE]`, or with a whole message."""

    done = "stop"
    _pieces = False  # whether it comes in pieces: a whole message is the same once more then (MiniMax, Perplexity)
    _early = False  # whether it tells a reason why it has ended, and goes on (Open WebUI, gateways to Gemini)
    _only: object = None  # the index of the choice that is read: some send several answers, asked for one

    def _read(self, frame: object) -> Iterator[str]:
        self._note(frame, "prompt_tokens", "completion_tokens")
        choices = at(frame, "choices")
        for choice in choices if isinstance(choices, list) else ():
            delta, message = at(choice, "delta"), at(choice, "message")
            if self._is_another(at(choice, "index")):
                continue
            self._pieces |= bool(at(delta, "content"))
            said = delta or (None if self._pieces else message)  # some repeat the whole at the end
            thought = next(filter(None, (text(said, name) for name in THINKING)), "")
            self.reasoned |= bool(thought)
            self.unseen += len(thought)
            words = [*_parts(at(said, "content")), text(said, "refusal")]
            yield from words
            reason = text(choice, "finish_reason")
            if message is not None and delta is None:
                self._ended(reason or "stop")
            else:
                over_thought = reason == "stop" and thought and not any(words)  # nobody stops there
                self._told("" if over_thought else reason, more=bool(thought) or any(words))

    def _is_another(self, index: object) -> bool:
        """Whether it is of another answer than the first."""
        self._only = index if self._only is None else self._only
        return index is not None and index != self._only

    def _told(self, reason: str, *, more: bool) -> None:
        """A reason with more of the answer behind it was none: only one without words counts from then on."""
        if more and self.end is not None:
            self._early, self.end = True, None
        if not (more and self._early):
            self._ended(reason)


def _parts(content: object) -> Iterator[str]:
    """Text is text, or parts with a text; parts of another kind (Mistral's `thinking`) are no answer."""
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        if text(part, "type") in {"", "text", "output_text", "refusal"}:
            yield text(part, "text") or text(part, "refusal")


class ResponsesReading(Reading):
    """Responses: finished at response.completed or response.incomplete, or with a whole body."""

    part: object = None

    def _read(self, frame: object) -> Iterator[str]:
        match text(frame, "type"):
            case "response.output_text.delta" | "response.refusal.delta":
                part, self.part = self.part, at(frame, "output_index")
                yield "\n\n" if self.spoken and part != self.part else ""
                yield text(frame, "delta")
            case "response.completed":
                self._close(at(frame, "response"), "stop")
            case "response.incomplete":
                self._close(at(frame, "response"), "max_output_tokens")
            case "response.failed":
                raise judge(heard_from(at(frame, "response", "error")))
            case "error":
                raise judge(heard_from(frame))
            case kind if kind.startswith("response.reasoning"):
                self.reasoned = True
                self.unseen += len(text(frame, "delta"))
            case "" if text(frame, "object") == "response":
                yield from self._body(frame)

    def _body(self, whole: object) -> Iterator[str]:
        """An answer in one piece."""
        output = at(whole, "output")
        messages = [item for item in output if text(item, "type") == "message"] if isinstance(output, list) else []
        self.reasoned |= isinstance(output, list) and len(messages) < len(output)
        yield "\n\n".join("".join(_parts(at(item, "content"))) for item in messages)
        ends = {"completed": "stop", "incomplete": "max_output_tokens"}
        if end := ends.get(text(whole, "status")):
            self._close(whole, end)

    def _close(self, whole: object, end: str) -> None:
        self._note(whole, "input_tokens", "output_tokens")
        self._ended(text(whole, "incomplete_details", "reason") or end)
