"""The model and the mind, made from the settings."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from core.config import Settings, own_instructions
from core.errors import ConfigurationError, DatabaseError
from core.memory.checkpoints.shown import EXPLAINED as RECORDS
from core.memory.mind import Mind
from core.memory.prompts import instructions
from core.model import tokens
from core.model.breaker import Breaker
from core.model.calibration import Calibration
from core.model.llm import Model
from core.model.metered import Metered
from core.model.offline import OfflineModel
from core.model.prices import Prices
from core.store import Database, ledger, servers


def make_models(settings: Settings, database: Database) -> Mapping[str, Model]:
    """The models that people may choose beside the usual one, by their names."""
    return {name: make_model(settings, database, name) for name in settings.other_models}


def make_model(settings: Settings, database: Database | None = None, name: str | None = None) -> Model:
    """The usual model, or another one by its name; with a database, its calls are recorded there."""
    if not settings.has_model:
        return OfflineModel()
    from core.model.openai import OpenAIModel  # a client library is loaded by those who need it
    from core.model.openai.moderation import Moderated

    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key is not None else "none"
    model: Model = OpenAIModel(
        api_key=key,
        base_url=settings.openai_base_url,
        model=name or settings.openai_model,
        api=settings.openai_api,
        first_seconds=settings.openai_first_seconds,
        silence_seconds=settings.openai_silence_seconds,
        answer_tokens=settings.backscroll_answer_tokens,
        effort=None if settings.openai_reasoning == "auto" else settings.openai_reasoning,
    )
    if database is not None:
        model = Metered(model, lambda call: database.write(ledger.record, call))
    model = Breaker(model)
    if settings.backscroll_moderation == "off":
        return model
    return Moderated(model, api_key=key, base_url=settings.openai_base_url)


async def make_mind(settings: Settings, model: Model, known: Prices, others: Mapping[str, Model] | None = None) -> Mind:
    """What answering needs beside the session. Raises ConfigurationError when too little room is left."""
    counter = await tokens.load(settings.openai_model) if settings.has_model else tokens.Estimate()
    calibration = _calibration(settings, counter)
    named = {name: (one, _calibration(settings, counter)) for name, one in (others or {}).items()}
    mind = Mind(
        model=model,
        instructions=instructions(own_instructions(settings)),
        counter=counter,
        calibration=calibration,
        policy=settings.policy,
        records=RECORDS,
        prices=known,
        others={settings.openai_model: (model, calibration)} | named if settings.has_model else {},
    )
    budget = mind.policy.context_tokens
    if mind.fixed > budget // 2:
        whose = "BACKSCROLL_INSTRUCTIONS and BACKSCROLL_PERSONA" if mind.policy.persona else "BACKSCROLL_INSTRUCTIONS"
        raise ConfigurationError(
            f"{whose}: they take {mind.fixed} of {budget} tokens; shorten them, or set "
            f"BACKSCROLL_CONTEXT_TOKENS to at least {2 * mind.fixed}"
        )
    return mind


def _calibration(settings: Settings, counter: tokens.Counter) -> Calibration:
    return Calibration(openai=settings.openai_base_url is None, excess=counter.excess)


@dataclass(frozen=True, slots=True)
class Recollection:
    """What was learnt of model servers, in the database: see core.model.llm.Recollection."""

    database: Database

    async def recall(self, server: str, model: str) -> str | None:
        """What was kept of a model on a server; None for nothing."""
        return await self.database.read(servers.recall, server, model)

    async def keep(self, server: str, model: str, manners: str) -> None:
        """Keeps it for all processes, and the next start."""
        with suppress(DatabaseError):  # it will be learnt again
            await self.database.write(servers.keep, server, model, manners)
