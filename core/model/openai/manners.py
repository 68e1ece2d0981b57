"""What a server turned out to be like: learnt from its answers, used in every request after that.

Kept by server and model, in the process and in the database; another server, model or API setting starts anew.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Literal

from core.model.openai.fields import at, count

API = Literal["responses", "chat"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """What is known of a server and one of its models.

    `api` is the one that it has, `refused` are request fields that it will not have, or not with this value. It
    `streams` or answers in one body. It wants roles to take `turns`, or no `system` role. It `thinks`: part of its
    answers is thought, and where it begins `in_thought` only a closing tag tells. `context` is in tokens, prompt and
    answer together.
    """

    api: API | None = None
    refused: frozenset[str] = frozenset()
    streams: bool = True
    turns: bool = False
    system: bool = True
    thinks: bool = False
    in_thought: bool = False
    context: int | None = None

    def described(self) -> str:
        """What differs from a server that takes everything, for the doctor."""
        facts = {
            f"speaks {self.api}": self.api is not None,
            f"refuses {', '.join(sorted(self.refused))}": self.refused,
            "answers in one piece": not self.streams,
            "wants roles to take turns": self.turns,
            "takes no system role": not self.system,
            "thinks before it answers": self.thinks,
            f"has a context of {self.context or 0:,} tokens": self.context,
        }
        return "; ".join(words for words, holds in facts.items() if holds)

    def written(self) -> str:
        """As JSON, without what is as at first."""
        plain = Manners()
        known = {name: value for name, value in asdict(self).items() if value != getattr(plain, name)}
        return json.dumps({name: sorted(value) if name == "refused" else value for name, value in known.items()})


def read(stored: str) -> Manners:
    """What was kept; what another release has kept beside it is passed over."""
    names = {field.name for field in fields(Manners)}
    known = {name: value for name, value in json.loads(stored).items() if name in names}
    return Manners(**known | {"refused": frozenset(known.get("refused", ()))})


def context_of(described: object) -> int | None:
    """The context in what a server says of a model or of itself, in tokens.

    vLLM and SGLang `max_model_len`, llama.cpp `meta.n_ctx` and `default_generation_settings.n_ctx`, LM Studio
    `loaded_context_length`, Mistral `max_context_length`, OpenRouter `context_length`, TGI `max_total_tokens`.
    """
    paths = (
        ("default_generation_settings", "n_ctx"),
        ("meta", "n_ctx"),
        ("loaded_context_length",),
        ("max_total_tokens",),
        ("max_model_len",),
        ("max_context_length",),
        ("context_length",),
    )
    if not isinstance(described, Mapping):
        return None
    return next((size for path in paths if (size := count(at(described, *path))) >= SMALLEST), None)


SMALLEST = 256
"""Tokens below which no context is."""
