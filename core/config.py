"""The settings. The environment is read in one place, the composition root; everybody else is handed values."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import ConfigurationError

_MODEL = "gpt-5.4-mini"  # a current small model of OpenAI's, as of 2026-11


class Settings(BaseSettings):  # type: ignore[explicit-any]  # pydantic's
    """Every setting, by the name of its variable. An empty value counts as not set."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    database_url: str = "sqlite:///backscroll.db"

    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    openai_model: str = _MODEL
    openai_api: Literal["auto", "responses", "chat"] = "auto"

    slack_bot_token: SecretStr | None = None
    slack_app_token: SecretStr | None = None
    slack_api_url: str = "https://slack.com/api/"

    discord_token: SecretStr | None = None
    discord_api_url: str | None = None
    discord_gateway_url: str | None = None
    discord_cdn_url: str | None = None

    backscroll_context_tokens: int = Field(default=24_000, ge=500, le=2_000_000)
    backscroll_drain_seconds: float = Field(default=25, ge=0, le=3600)
    backscroll_hear: Literal["thread", "channel", "off"] = "channel"
    backscroll_lease_seconds: float = Field(default=30, ge=3, le=3600)
    backscroll_instructions: str | None = None
    backscroll_instructions_file: Path | None = None
    backscroll_log: Literal["text", "json"] = "text"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.slack_bot_token is None) != (self.slack_app_token is None):
            missing = "SLACK_BOT_TOKEN" if self.slack_bot_token is None else "SLACK_APP_TOKEN"
            raise ValueError(f"{missing} is not set: Slack over Socket Mode needs both tokens")
        if self.backscroll_instructions is not None and self.backscroll_instructions_file is not None:
            raise ValueError("BACKSCROLL_INSTRUCTIONS and BACKSCROLL_INSTRUCTIONS_FILE are both set: remove one")
        return self

    @property
    def platforms(self) -> list[str]:
        """The platforms that have what they need to run."""
        configured = {"slack": self.slack_bot_token, "discord": self.discord_token}
        return [platform for platform, token in configured.items() if token is not None]

    @property
    def has_model(self) -> bool:
        """Whether a real model is configured; otherwise the built-in stand-in answers."""
        return self.openai_api_key is not None or self.openai_base_url is not None


def read_settings() -> Settings:
    """The settings of the environment and of `.env`. Raises ConfigurationError, which names the variable."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        variable = ".".join(str(part) for part in first["loc"]).upper()
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(f"{variable}: {reason}" if variable else reason) from None
    except OSError as error:
        raise ConfigurationError(f".env can't be read: {error.strerror}") from error


def own_instructions(settings: Settings) -> str | None:
    """The operator's instructions, if there are any. Raises ConfigurationError."""
    path = settings.backscroll_instructions_file
    if path is None:
        return settings.backscroll_instructions
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"BACKSCROLL_INSTRUCTIONS_FILE: {path} can't be read: {error}") from error
