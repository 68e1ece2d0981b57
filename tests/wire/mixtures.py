"""Streams by chance: what servers and proxies send around an answer, mixed, cut at any byte and sent in any chunks.

`Mixture(number)` is always the same for a number. It has the `chunks` of the body, whether the connection is `dropped`
after them instead of closed, the `text` of the whole answer, and the `verdict` on what has arrived: `whole`, `half`, or
`either` where the bytes of the proof are all there and only what should stand behind them is not.
For chat, whole is what has come to a finish_reason that is no failure, or to [DONE] after words, or is one JSON body;
for Responses what has come to response.completed or response.incomplete, or is one JSON body. What comes after that,
be it garbage, changes nothing.
"""

import json
from collections.abc import Iterator
from random import Random
from typing import Literal

Verdict = Literal["whole", "half", "either"]

SEED = "20261129"
WORDS = ("the", "ferry", "leaves", "six–forty", "明日は運休", "🦀", "👩\u200d🚀", "naïve", "-", ":", "\n\n", "")
TRAPS = ('{"json":', "[1]}", "data:", "[DONE]", "`code`", "\u2028", "\\n\\n", "null")
NOISE = (
    ": keep-alive\n\n",
    ":\n\n",
    "retry: 3000\n\n",
    "event: ping\n\n",
    "event: ping\ndata:\n\n",
    "id: 7\n\n",
    "data:\n\n",
    "\n",
    "id: 8\nretry: 10\n",
    "unknown: field\n\n",
)
"""What a stream may hold beside an answer, by the rules of server-sent events."""

AFTER = (
    'data: {"choices": [{"del\n\n',
    "data: \ufffd nonsense\n\n",
    'event: error\ndata: {"error": {"message": "late"}}\n\n',
)
"""What may come when all has been said."""


class Mixture:
    """One stream."""

    def __init__(self, number: int) -> None:
        self.chance = Random(f"{SEED}/{number}")
        self.api: Literal["chat", "responses"] = self.chance.choice(("chat", "chat", "responses"))
        words = self.chance.choices(WORDS + TRAPS, k=self.chance.randint(1, 8))
        self.text = " ".join(words).strip() or "yes"
        self.type = self.chance.choice(("text/event-stream", "text/event-stream; charset=utf-8", "application/json"))
        self.limited = False
        self._newline = self.chance.choice(("\n", "\n", "\r\n", "\r"))
        self._body, self._one_piece = b"", False
        self._proof: tuple[int, int] | None = None  # where the proof is complete without its blank line, and with it
        self._write()
        self._cut()

    def __str__(self) -> str:
        return f"{self.verdict}, {'dropped' if self.dropped else 'closed'}: {b''.join(self.chunks)!r}"

    def _write(self) -> None:
        wire = (Chat if self.api == "chat" else Responses)(self.text, self.chance)
        if self.chance.random() < 0.1:
            self._body = json.dumps(wire.body(), ensure_ascii=self.chance.random() < 0.5).encode()
            self._proof = (len(self._body), len(self._body))
            self._one_piece = True
            self._body += self.chance.choice((b"", b"\n"))
            return
        self._body = self.chance.choice((b"", b"", b"", "\ufeff".encode()))
        for part in wire.frames():
            self._add(part)
            if self.chance.random() < 0.4:
                self._add(self.chance.choice(NOISE))
        ends = wire.ends()
        self.limited = wire.limited
        self._add("".join(ends[:-1]))
        before = len(self._body)
        self._add(ends[-1])
        if wire.proves:
            self._proof = (before + len(self._wired(ends[-1]).rstrip()), len(self._body))
            for part in self.chance.choices(("", wire.usage(), "data: [DONE]\n\n", *NOISE, *AFTER), k=3):
                self._add(part)

    def _wired(self, text: str) -> bytes:
        return text.replace("\n", self._newline).encode()

    def _add(self, text: str) -> None:
        self._body += self._wired(text)

    def _cut(self) -> None:
        """Cuts the body at any byte, at times, and what is left into chunks."""
        self.dropped = self.chance.random() < 0.2
        if self.chance.random() < 0.5:
            self._body = self._body[: self.chance.randint(0, len(self._body))]
        self.verdict: Verdict = "half"
        if self._proof is not None and len(self._body) >= self._proof[0]:
            unsure = len(self._body) < self._proof[1] or (self._one_piece and self.dropped)
            self.verdict = "either" if unsure else "whole"
        cuts = sorted(self.chance.choices(range(len(self._body) + 1), k=self.chance.randint(0, 8)))
        self.chunks = [self._body[one:other] for one, other in zip([0, *cuts], [*cuts, None], strict=True)]


class Chat:
    """An answer as chunks of Chat Completions."""

    FINAL = ("stop", "stop", "stop", "length", "content_filter", "eos", "tool_calls")
    FAILED = ("error", "abort", "insufficient_system_resource")

    def __init__(self, text: str, chance: Random) -> None:
        self.text, self.chance = text, chance
        self.proves = True
        self.limited = False

    def body(self) -> dict:
        """All of it in one piece."""
        choice = {"index": 0, "message": {"role": "assistant", "content": self.text}}
        return {"object": "chat.completion", "choices": [choice | self.chance.choice(({}, {"finish_reason": "stop"}))]}

    def frames(self) -> Iterator[str]:
        """The frames up to the last word."""
        yield from self.chance.sample([self.frame([]), self.chunk({"role": "assistant"}), self.chunk({})], k=2)
        for piece in cut(self.text, self.chance):
            if self.chance.random() < 0.3:
                yield self.aside()
            content = [{"type": "text", "text": piece}] if self.chance.random() < 0.1 else piece
            yield self.chunk({"content": content})

    def aside(self) -> str:
        """A frame that holds no word of the answer."""
        thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
        deltas = ({"content": None}, {"content": "", "reasoning_content": "hm"}, {"content": [thinking]}, None)
        if self.chance.random() < 0.6:
            return self.chunk(self.chance.choice(deltas))
        annotation = {"index": 0, "content_filter_results": {}, "finish_reason": None}
        return self.frame(self.chance.choice(([], None, [annotation])))

    def ends(self) -> list[str]:
        """What follows the last word; the last of it is the proof, if it `proves` anything."""
        reason = self.chance.choice(self.FINAL)
        failed = self.chance.choice(self.FAILED)
        kind = self.chance.choice(("reason", "reason", "done", "nothing", "failed", "error"))
        self.proves = kind in {"reason", "done"}
        self.limited = kind == "reason" and reason in {"length", "content_filter"}
        match kind:
            case "reason":
                return [self.chunk(self.chance.choice(({}, {"content": None}, None)), reason)]
            case "done":
                return [self.chance.choice(("", self.usage())), "data: [DONE]\n\n"]
            case "nothing":
                return [self.chance.choice(("", self.usage()))]
            case "failed":
                return [self.chunk({}, failed), self.chance.choice(("", "data: [DONE]\n\n"))]
            case _:
                error = {"error": {"message": "The engine died.", "code": 500}}
                return [f"data: {json.dumps(error)}\n\n", self.chance.choice(("", "data: [DONE]\n\n"))]

    def usage(self) -> str:
        """The bill."""
        return self.frame([], usage={"prompt_tokens": 3, "completion_tokens": 2})

    def chunk(self, delta: dict | None, reason: str | None = None) -> str:
        silence = self.chance.choice(({}, {"finish_reason": None}, {"finish_reason": ""}))
        return self.frame([{"index": 0, "delta": delta} | ({"finish_reason": reason} if reason else silence)])

    def frame(self, choices: list | None, **more: object) -> str:
        return framed({"id": "c", "object": "chat.completion.chunk", "choices": choices} | more, self.chance)


class Responses:
    """An answer as events of the Responses API."""

    def __init__(self, text: str, chance: Random) -> None:
        self.text, self.chance = text, chance
        self.proves = True
        self.limited = False

    def body(self) -> dict:
        """All of it in one piece."""
        return self.response("completed")

    def response(self, status: str, **more: object) -> dict:
        part = {"type": "output_text", "text": self.text, "annotations": []}
        message = {"type": "message", "role": "assistant", "content": [part]}
        return {"id": "r", "object": "response", "status": status, "output": [message]} | more

    def frames(self) -> Iterator[str]:
        """The frames up to the last word."""
        yield self.event("created", response={"id": "r", "object": "response", "status": "in_progress", "output": []})
        for piece in cut(self.text, self.chance):
            if self.chance.random() < 0.2:
                yield self.event("reasoning_summary_text.delta", delta="hm")
            yield self.event("output_text.delta", output_index=1, delta=piece)
        if self.chance.random() < 0.5:
            yield self.event("output_text.done", output_index=1, text=self.text)

    def ends(self) -> list[str]:
        """What follows the last word; the last of it is the proof, if it `proves` anything."""
        kind = self.chance.choice(("completed", "completed", "incomplete", "nothing", "failed", "error"))
        self.proves = kind in {"completed", "incomplete"}
        self.limited = kind == "incomplete"
        error = {"code": "server_error", "message": "The engine died."}
        match kind:
            case "completed":
                return [self.event(kind, response=self.response(kind))]
            case "incomplete":
                reason = self.chance.choice(("max_output_tokens", "content_filter"))
                return [self.event(kind, response=self.response(kind, incomplete_details={"reason": reason}))]
            case "failed":
                return [self.event(kind, response=self.response(kind, error=error))]
            case "error":
                return [framed({"type": "error", **error, "param": None}, self.chance, event="error")]
            case _:
                return [self.chance.choice(("", "data: [DONE]\n\n"))]

    def usage(self) -> str:
        """The bill is in the proof."""
        return ""

    def event(self, kind: str, **more: object) -> str:
        return framed({"type": f"response.{kind}", **more}, self.chance, event=f"response.{kind}")


def cut(text: str, chance: Random) -> Iterator[str]:
    """A text in pieces, each of a few characters."""
    while text:
        size = chance.randint(1, 12)
        yield text[:size]
        text = text[size:]


def framed(data: dict, chance: Random, *, event: str | None = None) -> str:
    """A frame, as freely as the rules of server-sent events let it be written; at times over several lines."""
    text = json.dumps(data, ensure_ascii=chance.random() < 0.5, indent=1 if chance.random() < 0.1 else None)
    name = f"event: {event}\n" if event is not None and chance.random() < 0.8 else chance.choice(("", "", "id: 5\n"))
    space = chance.choice((" ", " ", ""))
    return name + "".join(f"data:{space}{line}\n" for line in text.split("\n")) + "\n"
