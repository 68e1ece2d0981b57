"""How much a model takes in: as its server tells, or guessed by halves from what was too long."""

import structlog

from core.model.llm import Cause, Prompt, Usage
from core.model.openai.learning import Learning

log = structlog.get_logger()

PLAUSIBLE = 1_024
"""A context smaller than that is believed where a server tells it, not where it is guessed by halves."""


class Context:
    """The size of a model's context as refusals and answers show it; what is believed is learnt."""

    def __init__(self, learning: Learning, host: str) -> None:
        self._learning = learning
        self._host = host
        self._odd: Cause | None = None
        self._proven: int | None = None  # as it was known when an answer came last
        self._taken = 0  # the most tokens, prompt and answer together, that the server has had room for

    def prove(self) -> None:
        """An answer has come, with the size as it is known."""
        self._proven = self._learning.known.context

    def note(self, usage: Usage) -> None:
        """The server has had room for this."""
        self._taken = max(self._taken, usage.shown + usage.written)

    def too_long(self, prompt: Prompt, most: int, told: int | None) -> None:
        """Takes in that this was too long, with an answer of `most` tokens; the server may have told the size.

        A guess is doubted where more was taken before, or nothing is left of it.
        """
        known = self._learning.known.context
        guess = (prompt.tokens + most) // 2
        told = told if told != known else None
        size = told or min(guess, known or guess)
        if told is None and size < self._taken:
            self._taken = 0  # what is said twice is believed
        elif told is None and (size < PLAUSIBLE or (prompt.cause and prompt.cause == self._odd)):
            self._odd = prompt.cause  # it is something else about this one question
            self._learning.learn(context=self._proven)
        elif size < (known or size + 1):
            log.info("model_context_learnt", tokens=size, told=told is not None, host=self._host)
            self._learning.learn(context=size)
