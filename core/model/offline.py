"""The model's stand-in: no network, no key, no wit.

It shows that Backscroll listens and remembers, and says what to set for more.
What it writes depends on the prompt alone, so that a conversation with it can be written down beforehand.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence

from core.model.llm import Finish, Piece, Prompt, Recollection, Usage
from core.seam.adapter import Finding

PIECE = re.compile(r"\s*\S+\s?|\s+$")

SPEAKER = re.compile(
    r"\[(?P<name>[^\[\]()]+) \([^()\s]+\) [-\d]+ [:\d]+(?:\] | quotes \d+\]\n.*?\n\n)(?P<text>.*)", re.DOTALL
)

NOTICE = (
    "I am a stand-in: no language model is set up yet. "
    "Set `OPENAI_API_KEY`, or `OPENAI_BASE_URL` for a local server, and start me again."
)


class OfflineModel:
    """Answers from the prompt alone, a word every `pause` seconds."""

    def __init__(self, *, pause: float = 0.005) -> None:
        self._pause = pause

    @property
    def name(self) -> str:
        """What people are told, where others tell a model's name."""
        return "offline stand-in"

    @property
    def context(self) -> None:
        """It takes in whatever there is."""

    def longest(self, prompt: Prompt) -> int:
        """See core.model.llm.Model."""
        return _crude(compose(prompt))

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """See core.model.llm.Model."""
        answer = compose(prompt)
        for piece in PIECE.findall(answer):
            yield piece
            await asyncio.sleep(self._pause)
        yield Finish(model=self.name, usage=Usage(shown=prompt.tokens or _shown(prompt), written=_crude(answer)))

    async def recall(self, recollection: Recollection) -> None:
        """There is nothing to learn."""

    async def look(self) -> Sequence[str]:
        """There is no server."""
        return ()

    async def examine(self) -> Sequence[Finding]:
        """Nothing is wrong with having no model, but it should be known."""
        detail = "none is set up, the built-in stand-in answers; OPENAI_API_KEY or OPENAI_BASE_URL set one up"
        return [Finding(subject="model", ok=True, detail=detail)]

    async def close(self) -> None:
        """There is nothing to let go of."""


def compose(prompt: Prompt) -> str:
    """The whole answer: what is speaking here, what was said just now, and what is remembered of before."""
    count = len(prompt.messages)
    said = [message.text for message in prompt.messages if message.role == "user"]
    parts = [NOTICE, f"I was shown {count} {'message' if count == 1 else 'messages'} of this conversation."]
    if said:
        speaker, quote = _heard(said[-1])
        parts.append(f"{speaker or 'You'} just said:\n\n{quote}")
    if len(said) > 1:
        speaker, quote = _heard(said[-2])
        parts.append(f"Before that, {speaker or 'you'} said:\n\n{quote}")
    return "\n\n".join(parts)


def _heard(text: str) -> tuple[str, str]:
    """Who said it, where the text begins with its speaker (see core.model.envelope), and their own words as a quote."""
    found = SPEAKER.match(text)
    return (found["name"], _quote(found["text"])) if found else ("", _quote(text))


def _quote(text: str, longest: int = 200) -> str:
    """The text as one short line of Markdown in a quote, without links, code, or anything that only opens a line."""
    line = " ".join(text.split())
    if len(line) > longest:
        line = f"{line[:longest].rstrip()} …"
    plain = re.sub(r"[\\`\[\]]", r"\\\g<0>", line)
    plain = re.sub(r"^(\d*)([-+*_~#>=.)])", r"\1\\\2", plain)
    return f"> {plain or '…'}"


def _crude(text: str) -> int:
    """About four characters a token."""
    return max(1, len(text) // 4)


def _shown(prompt: Prompt) -> int:
    return _crude(prompt.instructions) + sum(_crude(message.text) for message in prompt.messages)
