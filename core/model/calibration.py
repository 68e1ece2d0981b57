"""Calibration: what a model really bills for each token that we count."""

from math import ceil

import structlog

log = structlog.get_logger()


class Calibration:
    """How many tokens a model really bills for each one that we count, learned from its answers; one for each model.

    Other vocabularies than OpenAI's count up to twice as many (German 1141 for 571, Japanese 1760 for 800, measured).
    It rises quickly and sinks slowly, for too little costs a refused request, too much only some window. Never below
    one: what one language teaches says nothing of the next, which may have as many tokens as we count.
    """

    RISE, SINK = 0.5, 0.1
    LEAST, MOST = 1.0, 4.0
    WORTH = 50
    """Below so many tokens the framing, which differs from server to server, says more than the text."""

    STEP = 1 / 16
    """What windows are measured by changes by such steps alone, so that one is the beginning of the next."""

    CREDIBLE = 0.5
    """No tokenizer makes fewer tokens of a text than this part of OpenAI's."""

    def __init__(self, *, openai: bool, excess: float = 1.0) -> None:
        """`excess` is the counter's."""
        self._ratio = self._measure = 1.0 if openai else 1.3
        self._credible = self.CREDIBLE / excess
        self._read: int | None = None

    @property
    def ratio(self) -> float:
        """What has been learned."""
        return self._ratio

    @property
    def measure(self) -> float:
        """Multiply a count by this before it is held against a budget.

        It is what has been learned, but for the little by which every answer differs: half a step up, two down.
        """
        return self._measure

    @property
    def read(self) -> int | None:
        """The most that the server has said it read where it can't have read all, in tokens: about its context."""
        return self._read

    def learn(self, counted: int, reported: int) -> None:
        """Takes in one answer's `Prompt.tokens` and `Usage.shown`; what makes no sense is passed over."""
        if counted < self.WORTH or reported <= 0:
            return
        if reported < counted * self._credible:
            self._disbelieve(counted, reported)
            return
        seen = min(max(reported / counted, self.LEAST), self.MOST)
        weight = self.RISE if seen > self._ratio else self.SINK
        self._ratio += weight * (seen - self._ratio)
        if not self._fits:
            self._measure = ceil(self._ratio / self.STEP) * self.STEP

    def adopt(self, measure: float) -> None:
        """Measures by this from now on: what another process has learned."""
        self._measure = min(max(measure, self.LEAST), self.MOST)
        if not self._fits:
            self._ratio = self._measure

    @property
    def _fits(self) -> bool:
        """Whether the measure is still right for what has been learned."""
        return self._measure - 2 * self.STEP <= self._ratio <= self._measure + self.STEP / 2

    def _disbelieve(self, counted: int, reported: int) -> None:
        """Some servers drop the beginning of what is larger than their context without a word, instructions first."""
        if self._read is None:
            log.warning("the server reports less than it was sent", sent=counted, reported=reported, remedy=_REMEDY)
        self._read = max(reported, self._read or 0)


_REMEDY = (
    "it may drop the beginning of what does not fit its context: raise that (Ollama: num_ctx, OLLAMA_CONTEXT_LENGTH), "
    "or set BACKSCROLL_CONTEXT_TOKENS below it"
)
