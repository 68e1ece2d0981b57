"""Moderation: a question is looked at before the model is asked, and an answer before anybody sees a word of it.

OpenAI's `/moderations` judges, on the model's own server. A server that is out of reach is an outage of the model's,
and never a way around the judgement. What is held back cannot be watched as it grows.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from openai import NotFoundError

from core.errors import Flagged, ModelMisconfigured, ModelUnavailable
from core.model.around import Around
from core.model.llm import Afresh, Finish, Model, Piece, Prompt, Unseen
from core.model.openai.clients import connected
from core.model.openai.fields import at
from core.model.openai.judging import sorted_errors
from core.model.openai.server import OPENAI
from core.seam.adapter import Finding

SECONDS = 20.0
"""How long a judgement may take."""

_PIECE = 20_000  # characters that are judged as one
_SEAM = 1_000  # of those behind, so that nothing is cut into two harmless halves
_ANSWER = 4_000  # tokens, where no limit is set
_LONGEST = 10  # characters a token has at most, on average: an answer may not be held back without end


class Moderated(Around):
    """A model whose questions and answers are judged; what no person asks, as folding, passes.

    Its stream raises Flagged for either, and ModelUnavailable while nobody judges.
    """

    def __init__(self, model: Model, *, api_key: str, base_url: str | None = None) -> None:
        super().__init__(model)
        self._client = connected(base_url or OPENAI, key=api_key, timeout=SECONDS)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """See core.model.llm.Model. The whole answer comes at once; what it costs is told before it is judged."""
        pieces = self._model.stream(prompt)
        if prompt.cause is None or prompt.cause.purpose == "fold":
            async with aclosing(pieces):
                async for piece in pieces:
                    yield piece
            return
        await self._judge("\n\n".join(prompt.asked or (prompt.messages[-1].text,)))
        words, aside, thought, finish = "", 0, Unseen(0), Finish(model=self.name, cut="length")
        async with aclosing(pieces):
            async for piece in pieces:
                match piece:
                    case Finish():
                        finish = piece
                    case Afresh():
                        words, aside = "", aside + len(words)
                    case Unseen():
                        thought = piece
                    case str():
                        words += piece
                        yield Unseen(thought.characters + aside + len(words))
                        if len(words) > (prompt.answer_tokens or _ANSWER) * _LONGEST:
                            break
                    case _:
                        yield piece
        if finish.usage is not None:
            yield finish.usage
        await self._judge(words)
        yield Unseen(thought.characters + aside)
        yield words
        yield finish

    async def examine(self) -> Sequence[Finding]:
        """See core.model.llm.Model; whether somebody judges, too."""
        found = await super().examine()
        try:
            await self._judge("Say: ready")
        except (ModelMisconfigured, ModelUnavailable) as error:
            remedy = "Set BACKSCROLL_MODERATION to off, or OPENAI_BASE_URL to a server that has /moderations."
            return [*found, Finding(subject="moderation", ok=False, detail=str(error), remedy=remedy)]
        return [*found, Finding(subject="moderation", ok=True, detail="questions and answers are judged")]

    async def close(self) -> None:
        """See core.model.llm.Model."""
        await super().close()
        await self._client.close()

    async def _judge(self, words: str) -> None:
        """Raises Flagged, ModelUnavailable, or ModelMisconfigured where the server judges nothing."""
        pieces = [words[start : start + _PIECE + _SEAM] for start in range(0, len(words), _PIECE)]
        if not pieces:
            return
        with sorted_errors(ModelUnavailable):
            try:
                judged = await self._client.post("/moderations", cast_to=object, body={"input": pieces})
            except NotFoundError as error:  # no model was asked for that could be unknown
                raise ModelMisconfigured("The server has no /moderations. Set BACKSCROLL_MODERATION to off.") from error
        results = at(judged, "results")
        if not isinstance(results, list) or len(results) != len(pieces):
            raise ModelMisconfigured("The server's /moderations gives no judgement. Set BACKSCROLL_MODERATION to off.")
        if any(at(one, "flagged") is not False for one in results):
            raise Flagged("Moderation has flagged the question or the answer.")
