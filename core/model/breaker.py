"""A circuit breaker: a model's endpoint that fails is left alone for a while, instead of being asked by everybody.

closed ── half of its calls fail ──▶ open ── 15 s ──▶ half-open: one call may probe ── it speaks ──▶ closed
                                      ▲──────────────── it fails ─────────────────┘

Only what says that the endpoint is away counts as a failure. No credit, a wrong key, a refusal are answers: they come
at once, cost nothing, and are told to people in one honest sentence, which an open breaker would turn into waiting.
"""

from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from random import random
from time import monotonic

import structlog

from core.errors import ModelError, ModelUnavailable
from core.model.around import Around
from core.model.llm import Finish, Model, Piece, Prompt

log = structlog.get_logger()

WINDOW = 30.0
"""Seconds for which the outcome of a call counts."""

CALLS = 10
"""Fewer outcomes than these say nothing."""

SHARE = 0.5
"""The share of failures that opens it."""

OPEN = 15.0
"""Seconds for which nobody calls; and how long those wait who come while a probe is under way."""

SPREAD = 3.0
"""Seconds over which those who wait come back, so that they do not come all at once."""


class Breaker(Around):
    """A model behind a breaker of its own: one for each endpoint and process. `jitter` gives numbers from 0 to 1.

    A call counts once, when it is over, and only while the state holds in which it began: what was sent before an
    outage and fails after it says nothing new. A call that is given up (people stop answers) does not count, nor does
    one of a fold: nobody's answer waits because folds fail, or while a fold finds out whether the endpoint is back.
    """

    def __init__(
        self, model: Model, *, clock: Callable[[], float] = monotonic, jitter: Callable[[], float] = random
    ) -> None:
        super().__init__(model)
        self._clock = clock
        self._jitter = jitter
        self._outcomes: deque[tuple[float, bool]] = deque()  # when a call was over, and whether it had failed
        self._open_until: float | None = None
        self._probing = False

    def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """See core.model.llm.Model. While the breaker is open: ModelUnavailable at once, with how long to wait."""
        is_fold = prompt.cause is not None and prompt.cause.purpose == "fold"
        return self._beside(prompt) if is_fold else self._counted(prompt)

    async def _beside(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """A call that no answer waits for, and of which none hears."""
        self._require_over(self._rest())
        async with aclosing(self._model.stream(prompt)) as pieces:
            async for piece in pieces:
                yield piece

    async def _counted(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        probe = self._admit()
        outcomes = self._outcomes
        try:
            async with aclosing(self._model.stream(prompt)) as pieces:
                async for piece in pieces:
                    if probe:
                        probe, outcomes = False, self._shut()
                    if isinstance(piece, Finish):
                        self._count(outcomes, failed=False)
                    yield piece
        except ModelUnavailable as error:
            if probe:
                log.debug("model still away", model=self.name, reason=str(error))
                self._open()
            else:
                self._count(outcomes, failed=True)
            raise
        except ModelError:
            if probe:
                outcomes = self._shut()
            self._count(outcomes, failed=False)
            raise
        finally:
            if probe:
                self._probing = False

    def _admit(self) -> bool:
        """Lets a call through, and says whether it is the probe. Raises ModelUnavailable."""
        if self._open_until is None:
            return False
        self._require_over(OPEN if self._probing else self._rest())
        self._probing = True
        return True

    def _rest(self) -> float:
        """For how many seconds more nobody calls."""
        return 0.0 if self._open_until is None else self._open_until - self._clock()

    def _require_over(self, rest: float) -> None:
        """Raises ModelUnavailable while something is left of it."""
        if rest > 0:
            wait = rest + self._jitter() * SPREAD
            raise ModelUnavailable("The model's server has failed too often; it is left alone.", retry_after=wait)

    def _count(self, outcomes: deque[tuple[float, bool]], *, failed: bool) -> None:
        if outcomes is not self._outcomes:
            return  # it began before the breaker opened or closed
        now = self._clock()
        outcomes.append((now, failed))
        while outcomes[0][0] <= now - WINDOW:
            outcomes.popleft()
        if not failed or len(outcomes) < CALLS:
            return
        failures = sum(bad for _, bad in outcomes)
        if failures >= SHARE * len(outcomes):
            log.error("model left alone", model=self.name, failures=failures, calls=len(outcomes), seconds=OPEN)
            self._open()

    def _open(self) -> None:
        """Nobody calls for a while."""
        self._outcomes = deque()
        self._open_until = self._clock() + OPEN

    def _shut(self) -> deque[tuple[float, bool]]:
        """The endpoint speaks again: everybody may call, and what counts from now on starts anew."""
        log.info("model back", model=self.name)
        self._outcomes = deque()
        self._open_until, self._probing = None, False
        return self._outcomes
