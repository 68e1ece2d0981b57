"""What is known of a server and changes as its answers teach it."""

from collections.abc import Callable
from dataclasses import replace

from core.model.openai.manners import Manners

Learnt = Callable[[Manners], None]
"""Is told when something is learnt."""


class Learning:
    """The manners as they are known now; `learn` changes some of them, and tells when that is news."""

    def __init__(self, told: Learnt | None = None) -> None:
        self.known = Manners()
        self.told = told

    def learn(self, **news: object) -> None:
        """Takes in what has turned out."""
        now = replace(self.known, **news)  # type: ignore[arg-type]  # the fields of Manners
        if now != self.known:
            self.known = now
            if self.told is not None:
                self.told(now)
