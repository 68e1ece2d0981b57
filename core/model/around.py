"""A model around another one: whatever it does not do otherwise is the other's."""

from collections.abc import Sequence

from core.model.llm import Model, Prompt, Recollection
from core.seam.adapter import Finding


class Around:
    """Passes on all but the answers; see `core.model.llm.Model`."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @property
    def name(self) -> str:
        """See core.model.llm.Model."""
        return self._model.name

    @property
    def context(self) -> int | None:
        """See core.model.llm.Model."""
        return self._model.context

    def longest(self, prompt: Prompt) -> int:
        """See core.model.llm.Model."""
        return self._model.longest(prompt)

    async def recall(self, recollection: Recollection) -> None:
        """See core.model.llm.Model."""
        await self._model.recall(recollection)

    async def look(self) -> Sequence[str]:
        """See core.model.llm.Model."""
        return await self._model.look()

    async def examine(self) -> Sequence[Finding]:
        """See core.model.llm.Model. The doctor always asks, and what it asks has no session to be put down to."""
        return await self._model.examine()

    async def close(self) -> None:
        """See core.model.llm.Model."""
        await self._model.close()
