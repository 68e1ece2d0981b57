"""What a model writes beside its answer, and nobody is to see: thoughts, template marks, a copied envelope.

Servers should take these out and often don't: `<think>…</think>` in the text, a lone `</think>` where the template has
opened the thought, `<|im_end|>` at the end, gpt-oss's channels, the brackets that name a speaker. In code they are
what somebody talks about, and stay. What may be the beginning of a mark is held back until it is known.
"""

import re

from core.model import envelope

_WORDS = ("think", "thinking", "thought", "reasoning", "reflection")
THOUGHTS = {
    **{f"<{word}>": f"</{word}>" for word in _WORDS},
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
    "<seed:think>": "</seed:think>",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "<|channel|>analysis<|message|>": "<|end|>",
    "<|channel|>commentary<|message|>": "<|end|>",
    "<|channel>thought": "<channel|>",
}
"""What opens a thought, and what closes it: DeepSeek, Qwen, others; Magistral; Kimi; Seed; Cohere; gpt-oss; Gemma."""

CLOSING = frozenset(THOUGHTS.values()) - {"<|end|>"}
FRAMES = (
    "<|start|>assistant",
    "<|channel|>final<|message|>",
    "<|im_start|>assistant",
    "<|assistant|>",
    "<|start_header_id|>assistant<|end_header_id|>",
    "<|START_RESPONSE|>",
    "<|START_TEXT|>",
)
"""What opens an answer, and is none of it."""

ENDS = (
    "<|im_end|>",
    "<|im_start|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|start_header_id|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|END_RESPONSE|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<end_of_turn>",
    "<|end_of_turn|>",
    "<turn|>",
    "<seed:eos>",
    "<|END_RESPONSE|>",
    "<|END_TEXT|>",
    "<|END_OF_TURN_TOKEN|>",
    "<｜end▁of▁sentence｜>",
    "<|channel|>",
    "<channel|>",
    "[/INST]",
    "</s>",
)
"""What ends an answer, where nothing or another mark follows."""

_GOES_ON = "<|start|>assistant"
"""What follows an end mark where only a channel has ended, not the answer."""

_MARKS = sorted({*THOUGHTS, *CLOSING, *FRAMES, *ENDS}, key=lambda mark: (-len(mark), mark))
_MARK = re.compile("|".join(map(re.escape, _MARKS)))
_LONGEST = len(_MARKS[0])
_BITE = 1_000  # characters of a long piece that are held at once: each step costs as much as is held
_STARTS = re.compile(r"[<\[◁`~\n]")
_RUN = re.compile(r"`+|~+")


class _Code:
    """Where in its Markdown a text is: what stands in code, between ticks, is what somebody talks about."""

    def __init__(self) -> None:
        self.blank = True  # nothing but blanks on this line so far
        self._fence = self._span = ""

    @property
    def inside(self) -> bool:
        """Whether what comes next is code."""
        return bool(self._fence or self._span)

    def say(self, text: str) -> None:
        """More of this line."""
        self.blank = self.blank and not text.strip()

    def line_end(self) -> None:
        """A paragraph that ends here ends what no tick has closed."""
        if self.blank:
            self._span = ""
        self.blank = True

    def ticks(self, run: str) -> None:
        """A whole run of them: they open or close, or are part of the code."""
        if self._fence:
            if self.blank and run.startswith(self._fence):
                self._fence = ""
        elif self.blank and len(run) >= 3:
            self._fence = run
        elif run[0] == "`":
            self._span = "" if self._span == run else self._span or run

    def leave(self) -> None:
        """What seemed to be code was none."""
        self._fence = self._span = ""


class Cleaner:
    """Takes an answer piece by piece, and gives what of it is for people.

    An answer may begin `in_thought`. Afterwards `thought` says whether part of it was one, `unopened` whether nothing
    but its end told, and `afresh` whether the last piece has shown that all text before it was.
    """

    def __init__(self, *, in_thought: bool = False) -> None:
        self._held = ""
        self._closer = "</think>" if in_thought else ""
        self._guessed = "" if in_thought else None  # what is held for a thought that nobody has opened
        self._trim = self._over = False
        self._code = _Code()
        self.thought = self.unopened = in_thought
        self.afresh = False

    def take(self, piece: str) -> str:
        """What can be said of it now."""
        return self._run(piece, last=False)

    def end(self, *, cut: bool = False) -> str:
        """What was held back. A thought that nothing has closed is one to the end; but an answer that was only expected
        to begin in one has not, if it was not `cut` over it.
        """
        if self._closer and self._guessed is not None and not cut:
            self._held, self._closer = self._guessed + self._held, ""
            self.thought = self.unopened = False
        return self._run("", last=True)

    def _run(self, piece: str, *, last: bool) -> str:
        self.afresh = False
        out = list[str]()
        for start in range(0, len(piece) or 1, _BITE):
            self._held += piece[start : start + _BITE]
            while self._held and not self._over:
                before = self.afresh
                step = self._step(last=last)
                if step is None:
                    break
                if before != self.afresh:
                    out.clear()
                out.append(step)
        return "".join(out)

    def _step(self, *, last: bool) -> str | None:
        """Takes the next bit off what is held, and returns what is said of it; None where more must come first."""
        if self._closer:
            return self._skip(last=last)
        if self._trim:
            self._held = self._held.lstrip()
            self._trim = not self._held
            return "" if self._held else None
        start = _STARTS.search(self._held)
        if start is None or start.start() > 0:
            return self._say(len(self._held) if start is None else start.start())
        if start[0] == "\n":
            return self._line_end()
        if start[0] in "`~":
            return self._ticks(last=last)
        if self._code.inside:
            return self._say(1)
        return self._mark(last=last)

    def _say(self, size: int) -> str:
        text, self._held = self._held[:size], self._held[size:]
        self._code.say(text)
        return text

    def _line_end(self) -> str:
        self._code.line_end()
        return self._say(1)

    def _skip(self, *, last: bool) -> str | None:
        before, found, after = self._held.partition(self._closer)
        if found:
            self._held, self._closer, self._trim = after, "", True
            self._guessed = None
            return ""
        kept = 0 if last else min(len(before), len(self._closer) - 1)
        if self._guessed is not None:
            self._guessed += before[: len(before) - kept]
        self._held = before[len(before) - kept :]
        return None

    def _ticks(self, *, last: bool) -> str | None:
        run = _RUN.match(self._held)
        assert run is not None  # noqa: S101 – it begins with one
        if run.end() == len(self._held) and not last:
            return None
        self._code.ticks(run[0])
        return self._say(run.end())

    def _mark(self, *, last: bool) -> str | None:
        begins = not last and len(self._held) < _LONGEST
        if begins and any(one != self._held and one.startswith(self._held) for one in _MARKS):
            return None
        found = _MARK.match(self._held)
        if found is None:
            return self._other(last=last)
        mark = found[0]
        if mark in THOUGHTS:
            return self._open(mark, last=last)
        if mark in CLOSING:
            return self._close(mark)
        if mark in FRAMES:
            self._held, self._trim = self._held.removeprefix(mark), True
            return ""
        return self._end_mark(mark, last=last)

    def _other(self, *, last: bool) -> str | None:
        """No mark; perhaps a speaker's brackets, which only open a line."""
        if self._code.blank and self._held[0] == "[":
            if copied := envelope.FORM.match(self._held):
                self._held, self._trim = self._held[copied.end() :], True
                return ""
            line = self._held.partition("]")[0]
            if not last and line == self._held and "\n" not in line and len(line) < envelope.LONGEST:
                return None
        return self._say(1)

    def _open(self, mark: str, *, last: bool) -> str | None:
        """In the middle of a line, only what is closed is a thought: else somebody talks about the mark."""
        closer = THOUGHTS[mark]
        if not self._code.blank and closer not in self._held:
            return self._say(len(mark)) if last else None
        self._held = self._held.removeprefix(mark)
        self._closer, self.thought = closer, True
        return ""

    def _close(self, mark: str) -> str:
        """What nobody has opened: the template has, and all so far was a thought."""
        self._held = self._held.removeprefix(mark)
        self._trim = self._code.blank = True
        if not self.thought:
            self.thought = self.unopened = self.afresh = True
            self._code.leave()
        return ""

    def _end_mark(self, mark: str, *, last: bool) -> str | None:
        after = self._held.removeprefix(mark)
        ahead = after.lstrip()
        if not last and (not ahead or any(one.startswith(ahead) for one in _MARKS)):
            return None
        if ahead.startswith(_GOES_ON):
            self._held = ahead
            return ""
        line_ends = not ahead or "\n" in after[: len(after) - len(ahead)]
        if not ahead or any(ahead.startswith(one) for one in _MARKS) or (line_ends and mark.startswith("<|")):
            self._over = True
            return ""
        return self._say(len(mark))
