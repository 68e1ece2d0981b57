"""The settings. The environment is read in one place, the composition root; everybody else is handed values."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import ConfigurationError
from core.files import contents, why
from core.policy import ANSWER_TOKENS, CONTEXT_TOKENS, REASONING, SETTINGS, Answers, Hearing, Level, Memory, Policy
from core.policy.values import Wrong, brief, duration

logging.getLogger("dotenv").setLevel(logging.ERROR)  # what `.env` holds beside settings, core.spelling tells, once

_MODEL = "gpt-6-luna"  # the current small model of OpenAI's, as of 2026-11

SECRETS = (
    *("database_url", "database_listen_url", "openai_api_key"),
    *("slack_bot_token", "slack_app_token", "discord_token"),
)
"""What may stand in a file of its own, that the setting of the same name with `_FILE` behind it names.

So may the key ring and the instructions, which are read where they are needed.
"""


class Settings(BaseSettings):  # type: ignore[explicit-any]  # pydantic's
    """Every setting, by the name of its variable. An empty value counts as not set, and blanks around one are none."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    database_url: str = "sqlite:///backscroll.db"
    database_url_file: Path | None = None
    database_listen_url: str | None = None
    database_listen_url_file: Path | None = None
    backscroll_row_security: Literal["on", "off"] = "off"

    openai_api_key: SecretStr | None = None
    openai_api_key_file: Path | None = None
    openai_base_url: str | None = None
    openai_model: str = _MODEL
    openai_api: Literal["auto", "responses", "chat"] = "auto"
    openai_reasoning: Literal["auto", "none", "minimal", "low", "medium", "high"] = "auto"
    openai_first_seconds: float = Field(default=90, ge=1, le=86_400)
    openai_silence_seconds: float = Field(default=60, ge=1, le=86_400)

    slack_bot_token: SecretStr | None = None
    slack_bot_token_file: Path | None = None
    slack_app_token: SecretStr | None = None
    slack_app_token_file: Path | None = None
    slack_api_url: str = "https://slack.com/api/"

    discord_token: SecretStr | None = None
    discord_token_file: Path | None = None
    discord_api_url: str | None = None
    discord_gateway_url: str | None = None
    discord_cdn_url: str | None = None

    backscroll_context_tokens: int = Field(default=24_000, ge=CONTEXT_TOKENS[0], le=CONTEXT_TOKENS[-1])
    backscroll_answer_tokens: int = Field(default=4_000, ge=ANSWER_TOKENS[0], le=ANSWER_TOKENS[-1])
    backscroll_drain_seconds: float = Field(default=25, ge=0, le=3600)
    backscroll_hear: Hearing = "channel"
    backscroll_answers: Answers = "follow"
    backscroll_persona: str | None = None
    backscroll_idle: str | None = None
    backscroll_max_age: str = "never"
    backscroll_retention: str = "forever"
    backscroll_retention_overheard: str = "30d"
    backscroll_memory: Memory = "full"
    backscroll_lease_seconds: float = Field(default=30, ge=3, le=3600)
    backscroll_models: str | None = None
    backscroll_budget: str | None = None
    backscroll_budget_person: str | None = None
    backscroll_cheaper_model: str | None = None
    backscroll_allow: str | None = None
    backscroll_deny: str | None = None
    backscroll_guests: Literal["yes", "no"] = "yes"
    backscroll_external: Literal["yes", "no"] = "no"
    backscroll_may_read: str = "everyone"
    backscroll_may_stop: str = "everyone"
    backscroll_may_reset: str = "everyone"
    backscroll_may_set: str = "admins"
    backscroll_instructions: str | None = None
    backscroll_instructions_file: Path | None = None
    backscroll_prices_file: Path | None = None
    backscroll_audit_retention: str = "365d"
    backscroll_keys: SecretStr | None = None
    backscroll_keys_file: Path | None = None
    backscroll_moderation: Literal["off", "openai"] = "off"
    backscroll_log: Literal["text", "json"] = "text"

    @field_validator(
        *("openai_api", "openai_reasoning", "backscroll_hear", "backscroll_answers", "backscroll_log"),
        *("backscroll_guests", "backscroll_external", "backscroll_moderation", "backscroll_row_security"),
        "backscroll_memory",
        mode="before",
    )
    @classmethod
    def _in_small_letters(cls, word: object) -> object:
        """`Channel` means `channel`."""
        return word.lower() if isinstance(word, str) else word

    @field_validator("*", mode="before")
    @classmethod
    def _is_text(cls, given: object, info: ValidationInfo) -> object:  # type: ignore[explicit-any]  # pydantic's
        """What the environment holds is bytes: those that are no text could be neither stored nor sent. A file's name
        may be of any.
        """
        if isinstance(given, str) and not str(info.field_name).endswith("_file"):
            try:
                given.encode()
            except UnicodeEncodeError:  # which would quote it
                raise ValueError("it is not UTF-8 text") from None
        return given

    @field_validator("backscroll_audit_retention")
    @classmethod
    def _kept_for(cls, said: str) -> str:
        _seconds(said)
        return said

    @field_validator(
        *("backscroll_persona", "backscroll_budget", "backscroll_budget_person", "backscroll_allow", "backscroll_deny"),
        *("backscroll_may_read", "backscroll_may_stop", "backscroll_may_reset", "backscroll_may_set"),
        *("backscroll_idle", "backscroll_max_age", "backscroll_retention", "backscroll_retention_overheard"),
    )
    @classmethod
    def _read_as_set(cls, said: str | None, info: ValidationInfo) -> str | None:  # type: ignore[explicit-any]  # pydantic's
        """It is read again where it holds, as what people set is. `evryone`, taken for an ID, would shut all out."""
        if said is not None:
            SETTINGS[str(info.field_name).removeprefix("backscroll_")].read(said)
        return said

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, given: Mapping[str, object]) -> dict[str, object]:
        """A token that was read from a file ends with a line end, which no request can carry."""
        bare = {name: value.strip() if isinstance(value, str) else value for name, value in given.items()}
        return {name: value for name, value in bare.items() if value != ""}

    @property
    def platforms(self) -> list[str]:
        """The platforms that somebody wants to run, by any token of theirs."""
        wanted = {"slack": self.slack_bot_token or self.slack_app_token, "discord": self.discord_token}
        return [platform for platform, token in wanted.items() if token is not None]

    @property
    def policy(self) -> Policy:
        """What holds for every session, but for what is set for its workspace or its channel."""
        variables = {setting.name: setting.variable.lower() for setting in SETTINGS.values() if setting.variable}
        given = {name: getattr(self, own) for name, own in variables.items() if own in self.model_fields_set}
        values = {name: SETTINGS[name].read(str(value)) for name, value in given.items() if value is not None}
        if not self.has_model:  # the stand-in answers, whatever is named
            values = {name: value for name, value in values.items() if name not in {"model", "cheaper_model"}}
        standing = Policy(model=self.openai_model if self.has_model else "", allowed=self._allowed)
        return standing.with_values(Level.DEPLOYMENT, values)

    @property
    def _allowed(self) -> frozenset[str]:
        """What people may choose beside the operator's own model, and how hard that thinks."""
        named = [name for one in (self.backscroll_models or "").split(",") if (name := one.strip())]
        return frozenset(name.lower() if name.lower() in REASONING else name for name in named)

    @property
    def keeps_apart(self) -> bool:
        """Whether PostgreSQL itself is to keep workspaces apart; SQLite can't."""
        return self.backscroll_row_security == "on" and not self.database_url.startswith("sqlite")

    @property
    def audit_seconds(self) -> float:
        """How long a row of the audit is kept; infinite where it is for ever."""
        return _seconds(self.backscroll_audit_retention)

    @property
    def other_models(self) -> Sequence[str]:
        """The models that people may choose beside the usual one."""
        wanted = self._allowed | ({self.backscroll_cheaper_model} if self.backscroll_cheaper_model else set())
        return sorted(wanted - {*REASONING, self.openai_model}) if self.has_model else []

    @property
    def has_model(self) -> bool:
        """Whether a real model is configured; otherwise the built-in stand-in answers."""
        return self.openai_api_key is not None or self.openai_base_url is not None


def _seconds(said: str) -> float:
    """A duration, or for ever. `never` would be neither."""
    if said.lower() == "forever":
        return inf
    with suppress(Wrong):
        if (seconds := duration(said)) < inf:
            return seconds
    raise Wrong(f"{brief(said)} is not how long it can be kept: write 90d, 365d or forever")


def read_settings() -> Settings:
    """The settings of the environment and of `.env`. Raises ConfigurationError, which names every wrong variable."""
    settings, wrong = examine_settings()
    if wrong:
        raise ConfigurationError("; ".join(wrong))
    return settings


def wanted_log() -> Literal["text", "json"]:
    """The form of the log, also where other settings are wrong."""
    try:
        return examine_settings()[0].backscroll_log
    except ConfigurationError:
        return "text"


def examine_settings() -> tuple[Settings, Sequence[str]]:
    """The settings, with its default in place of each that is wrong, and what is wrong with them.

    Raises ConfigurationError when `.env` can't be read.
    """
    wrong: dict[str, str] = {}
    try:
        settings = Settings()
    except ValidationError as error:
        wrong = {str(one["loc"][0]): one["msg"] for one in error.errors(include_url=False, include_input=False)}
        settings = Settings(**{name: Settings.model_fields[name].default for name in wrong})
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f".env can't be read: {why(error)}") from error
    reasons = [f"{name.upper()}: {reason.removeprefix('Value error, ')}" for name, reason in wrong.items()]
    secrets, unread = _secrets(settings)
    if secrets:
        instead = {name: Settings.model_fields[name].default for name in wrong}
        settings = Settings(**(instead | secrets))
    return settings, [*reasons, *unread]


def _secrets(settings: Settings) -> tuple[dict[str, str], Sequence[str]]:
    """What stands in files of the secrets that are named by one, and what is wrong with those.

    One without a word is wrong: what goes on without its secret goes on as something else.
    """
    found, wrong = dict[str, str](), list[str]()
    for name in SECRETS:
        path: Path | None = getattr(settings, f"{name}_file")
        value = "set" if name in settings.model_fields_set else None
        try:
            secret = contents(name.upper(), value, path)
        except ConfigurationError as error:
            wrong.append(str(error))
            continue
        if path is not None and secret is not None:
            found[name] = secret.strip()
            wrong += [] if found[name] else [f"{name.upper()}_FILE: {path} is empty"]
    return {name: secret for name, secret in found.items() if secret}, wrong


def own_instructions(settings: Settings) -> str | None:
    """The operator's instructions, if there are any. Raises ConfigurationError."""
    return contents("BACKSCROLL_INSTRUCTIONS", settings.backscroll_instructions, settings.backscroll_instructions_file)


def own_keys(settings: Settings) -> str | None:
    """The key ring as it is written, if there is one. Raises ConfigurationError."""
    given = settings.backscroll_keys
    return contents(
        "BACKSCROLL_KEYS", None if given is None else given.get_secret_value(), settings.backscroll_keys_file
    )
