"""The settings: where they are read, what they may be, and what is said of those that are wrong."""

import os
import re
from math import inf
from pathlib import Path

import pytest
from dotenv import dotenv_values

from core.config import SECRETS, Settings, examine_settings, own_instructions, read_settings
from core.errors import ConfigurationError
from core.policy import SETTINGS
from core.proxies import proxy_for
from core.spelling import misspelt_settings
from tests.process import ROOT

EXAMPLE = ROOT / ".env.example"
VARIABLES = [name.upper() for name in Settings.model_fields]

PROMISED = {
    "DATABASE_URL": "sqlite:///backscroll.db",
    "DATABASE_URL_FILE": None,
    "DATABASE_LISTEN_URL": None,
    "DATABASE_LISTEN_URL_FILE": None,
    "BACKSCROLL_ROW_SECURITY": "off",
    "OPENAI_API_KEY": None,
    "OPENAI_API_KEY_FILE": None,
    "OPENAI_BASE_URL": None,
    "OPENAI_MODEL": "gpt-6-luna",
    "OPENAI_API": "auto",
    "OPENAI_REASONING": "auto",
    "OPENAI_FIRST_SECONDS": 90,
    "OPENAI_SILENCE_SECONDS": 60,
    "SLACK_BOT_TOKEN": None,
    "SLACK_BOT_TOKEN_FILE": None,
    "SLACK_APP_TOKEN": None,
    "SLACK_APP_TOKEN_FILE": None,
    "SLACK_API_URL": "https://slack.com/api/",
    "DISCORD_TOKEN": None,
    "DISCORD_TOKEN_FILE": None,
    "DISCORD_API_URL": None,
    "DISCORD_GATEWAY_URL": None,
    "DISCORD_CDN_URL": None,
    "BACKSCROLL_CONTEXT_TOKENS": 24_000,
    "BACKSCROLL_ANSWER_TOKENS": 4_000,
    "BACKSCROLL_DRAIN_SECONDS": 25,
    "BACKSCROLL_HEAR": "channel",
    "BACKSCROLL_ANSWERS": "follow",
    "BACKSCROLL_PERSONA": None,
    "BACKSCROLL_IDLE": None,
    "BACKSCROLL_MAX_AGE": "never",
    "BACKSCROLL_RETENTION": "forever",
    "BACKSCROLL_RETENTION_OVERHEARD": "30d",
    "BACKSCROLL_MEMORY": "full",
    "BACKSCROLL_LEASE_SECONDS": 30,
    "BACKSCROLL_MODELS": None,
    "BACKSCROLL_BUDGET": None,
    "BACKSCROLL_BUDGET_PERSON": None,
    "BACKSCROLL_CHEAPER_MODEL": None,
    "BACKSCROLL_ALLOW": None,
    "BACKSCROLL_DENY": None,
    "BACKSCROLL_GUESTS": "yes",
    "BACKSCROLL_EXTERNAL": "no",
    "BACKSCROLL_MAY_READ": "everyone",
    "BACKSCROLL_MAY_STOP": "everyone",
    "BACKSCROLL_MAY_RESET": "everyone",
    "BACKSCROLL_MAY_SET": "admins",
    "BACKSCROLL_INSTRUCTIONS": None,
    "BACKSCROLL_INSTRUCTIONS_FILE": None,
    "BACKSCROLL_PRICES_FILE": None,
    "BACKSCROLL_AUDIT_RETENTION": "365d",
    "BACKSCROLL_KEYS": None,
    "BACKSCROLL_KEYS_FILE": None,
    "BACKSCROLL_MODERATION": "off",
    "BACKSCROLL_LOG": "text",
}
"""What people, scripts and checks rely on; it changes only with an entry in the changelog."""

BOUNDS = ("BACKSCROLL_RETENTION_OVERHEARD",)
"""What bounds people as soon as it is set, and does not by itself: the example leaves it empty."""


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def test_the_settings_and_their_defaults_are_the_promised_ones() -> None:
    assert {name.upper(): default for name, default in read_settings()} == PROMISED


def test_the_working_directorys_env_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("BACKSCROLL_LOG=json\nOPENAI_MODEL=from-the-file  # a comment\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("OPENAI_MODEL", "from-the-environment")

    settings = read_settings()

    assert settings.backscroll_log == "json"
    assert settings.openai_model == "from-the-environment"


@pytest.mark.parametrize("nothing", ["", " ", "\n"])
def test_an_empty_value_counts_as_not_set(nothing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("".join(f'{variable}="{nothing}"\n' for variable in VARIABLES[::2]))
    for variable in VARIABLES[1::2]:
        monkeypatch.setenv(variable, nothing)

    assert {name.upper(): default for name, default in read_settings()} == PROMISED


def test_an_empty_value_in_the_environment_leaves_the_files_standing(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("OPENAI_MODEL=from-the-file\n")
    monkeypatch.setenv("OPENAI_MODEL", "")

    assert read_settings().openai_model == "from-the-file"


def test_a_token_that_was_read_from_a_file_may_end_with_a_line_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "token\n")

    token = read_settings().discord_token

    assert token is not None
    assert token.get_secret_value() == "token"


@pytest.mark.parametrize("written", ["{}\n", "\ufeff{}\r\n"], ids=["as usual", "by an editor on Windows"])
@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_may_stand_in_a_file(name: str, written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """G11."""
    Path("secret").write_text(written.format("postgresql://me:sesame@server/x"), encoding="utf-8", newline="")
    monkeypatch.setenv(f"{name.upper()}_FILE", "secret")

    found = getattr(read_settings(), name)

    assert getattr(found, "get_secret_value", lambda: found)() == "postgresql://me:sesame@server/x"
    assert not misspelt_settings()


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_may_come_through_a_pipe_and_be_read_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As from `<(pass show backscroll)`, which gives its words once."""
    reading, writing = os.pipe()
    os.write(writing, b"sqlite:///x\n")
    os.close(writing)
    alias = Path("secret").absolute()  # in a folder of this test alone
    alias.symlink_to(f"/dev/fd/{reading}")
    monkeypatch.setenv(f"{name.upper()}_FILE", str(alias))

    for _ in range(2):
        found = getattr(read_settings(), name)
        assert getattr(found, "get_secret_value", lambda found=found: found)() == "sqlite:///x"
    os.close(reading)


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_that_is_said_twice_or_not_there_is_told_by_its_name(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{name.upper()}_FILE", "missing")
    with pytest.raises(ConfigurationError, match=f"{name.upper()}_FILE: missing can't be read: No such file"):
        read_settings()
    monkeypatch.setenv(name.upper(), "sqlite:///sesame")
    with pytest.raises(ConfigurationError, match=f"{name.upper()} and {name.upper()}_FILE are both set"):
        read_settings()


@pytest.mark.parametrize("name", SECRETS)
def test_a_file_without_its_secret_is_told_and_not_taken_for_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what should be in PostgreSQL is in a file of SQLite's, and a team talks with the stand-in for a model."""
    Path("blank").write_text(" \n")
    monkeypatch.setenv(f"{name.upper()}_FILE", "blank")

    with pytest.raises(ConfigurationError, match=f"{name.upper()}_FILE: blank is empty"):
        read_settings()


def test_the_example_lists_every_setting_with_its_default() -> None:
    listed = dotenv_values(EXAMPLE)

    assert list(listed) == VARIABLES
    assert {name: value for name, value in listed.items() if value} == {
        name: str(value) for name, value in PROMISED.items() if value is not None and name not in BOUNDS
    }


def test_the_example_says_one_line_about_each_setting() -> None:
    """Or about several that belong together."""
    blocks = re.findall(r"((?:^#.*\n)+)((?:^\w+=.*\n?)+)", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)

    assert sum(settings.count("=") for _, settings in blocks) >= len(VARIABLES)


def test_a_copy_of_the_example_changes_nothing() -> None:
    Path(".env").write_bytes(EXAMPLE.read_bytes())

    assert {name.upper(): value for name, value in read_settings()} == PROMISED
    standing = read_settings().policy
    assert not [one.name for one in SETTINGS.values() if one.bounded and standing.exceeds(one.name, inf)], "people may"


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("BACKSCROLL_CONTEXT_TOKENS", "many", "valid integer"),
        ("BACKSCROLL_CONTEXT_TOKENS", "0", "greater than or equal to 500"),
        ("BACKSCROLL_DRAIN_SECONDS", "-1", "greater than or equal to 0"),
        ("BACKSCROLL_DRAIN_SECONDS", "soon", "valid number"),
        ("BACKSCROLL_LEASE_SECONDS", "nan", "3600"),
        ("BACKSCROLL_LEASE_SECONDS", "inf", "less than or equal to 3600"),
        ("BACKSCROLL_HEAR", "everything", "'thread', 'channel' or 'off'"),
        ("BACKSCROLL_LOG", "xml", "'text' or 'json'"),
        ("OPENAI_API", "soap", "'auto', 'responses' or 'chat'"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_may_be(
    variable: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError, match=rf"^{variable}: .*{re.escape(words)}") as raised:
        read_settings()

    assert "\n" not in str(raised.value)


def test_every_wrong_setting_is_named_at_once_and_the_others_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKSCROLL_HEAR", "everything")
    monkeypatch.setenv("BACKSCROLL_LEASE_SECONDS", "1")
    monkeypatch.setenv("BACKSCROLL_DRAIN_SECONDS", "3")

    settings, wrong = examine_settings()

    assert [reason.partition(":")[0] for reason in wrong] == ["BACKSCROLL_HEAR", "BACKSCROLL_LEASE_SECONDS"]
    assert (settings.backscroll_hear, settings.backscroll_lease_seconds) == ("channel", 30)
    assert settings.backscroll_drain_seconds == 3
    with pytest.raises(ConfigurationError, match=r"BACKSCROLL_HEAR: .*; BACKSCROLL_LEASE_SECONDS: "):
        read_settings()


def test_an_env_file_that_is_no_text_is_said_so() -> None:
    Path(".env").write_bytes(b"OPENAI_MODEL=\xff\xfe\n")

    with pytest.raises(ConfigurationError, match=r"^\.env can't be read: it is not UTF-8"):
        read_settings()


@pytest.mark.parametrize("name", sorted(name.upper() for name in Settings.model_fields if not name.endswith("_file")))
def test_a_variable_that_is_no_text_is_told_by_its_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment holds bytes, which may be those of another encoding."""
    monkeypatch.setenv(name, os.fsdecode(b"caf\xe9"))

    with pytest.raises(ConfigurationError, match=rf"^{name}: it is not UTF-8 text$"):
        read_settings()


def test_no_secret_is_shown_by_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("OPENAI_API_KEY", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "DISCORD_TOKEN")
    for variable in secrets:
        monkeypatch.setenv(variable, "sesame")

    settings = read_settings()

    assert "sesame" not in f"{settings!r} {settings} {settings.model_dump()}"


def test_instructions_are_the_text_or_the_file() -> None:
    Path("instructions.md").write_text("Speak like a pirate – ahoy.", encoding="utf-8")
    plain, text = Settings(), Settings(backscroll_instructions="Be kind.")
    file = Settings(backscroll_instructions_file=Path("instructions.md"))

    assert [own_instructions(each) for each in (plain, text, file)] == [
        None,
        "Be kind.",
        "Speak like a pirate – ahoy.",
    ]


def test_both_instructions_are_one_too_many() -> None:
    with pytest.raises(ConfigurationError, match="BACKSCROLL_INSTRUCTIONS and BACKSCROLL_INSTRUCTIONS_FILE"):
        own_instructions(Settings(backscroll_instructions="Be kind.", backscroll_instructions_file=Path("file")))


@pytest.mark.parametrize(("path", "words"), [("missing", "No such file"), (".", "directory"), ("latin", "UTF-8")])
def test_instructions_that_can_not_be_read_are_said_so(path: str, words: str) -> None:
    Path("latin").write_bytes("für".encode("latin-1"))

    with pytest.raises(ConfigurationError, match=rf"^BACKSCROLL_INSTRUCTIONS_FILE: .*{words}"):
        own_instructions(Settings(backscroll_instructions_file=Path(path)))


def test_a_platform_is_wanted_when_any_token_of_its_is_set() -> None:
    assert Settings().platforms == []
    assert Settings(slack_app_token="a").platforms == ["slack"]  # type: ignore[arg-type]  # pydantic makes it a secret
    assert Settings(slack_bot_token="b", discord_token="d").platforms == ["slack", "discord"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "allowed"),
    [
        ("everyone", None),
        ("Everyone", None),
        ("asker", set()),
        ("ASKER", set()),
        ("U1", {"U1"}),
        (" U1, 42 ,", {"U1", "42"}),
    ],
)
def test_those_who_may_stop_anothers_answer_are_named(
    said: str, allowed: set[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKSCROLL_MAY_STOP", said)

    assert read_settings().policy.may_stop == allowed


def test_a_word_is_read_without_regard_to_case(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, word in (("OPENAI_API", "Chat"), ("BACKSCROLL_HEAR", "OFF"), ("BACKSCROLL_LOG", "Json")):
        monkeypatch.setenv(name, word)

    read = read_settings()

    assert (read.openai_api, read.backscroll_hear, read.backscroll_log) == ("chat", "off", "json")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("BACKSCROLL_CONTEXT_TOKEN", "BACKSCROLL_CONTEXT_TOKENS"),
        ("backscroll_logs", "BACKSCROLL_LOG"),
        ("BACKSCROLL_COLOUR", None),
        ("BACKSCROL_HEAR", "BACKSCROLL_HEAR"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("DISCORD_BOT_TOKEN", "DISCORD_TOKEN"),
        ("OPENAI_KEY", "OPENAI_API_KEY"),
        ("OPENAI_MODLE", "OPENAI_MODEL"),
        ("OPENAI_API_URL", "OPENAI_BASE_URL"),
        ("SLACK_APP_TOKN", "SLACK_APP_TOKEN"),
    ],
)
@pytest.mark.parametrize("place", ["environment", "file"])
def test_a_name_that_is_no_setting_is_told_with_the_nearest_one(
    name: str, meant: str | None, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A3."""
    if place == "environment":
        monkeypatch.setenv(name, "9000")
    else:
        Path(".env").write_text(f"{name}=9000\n")

    (one,) = misspelt_settings()

    assert (one.name, one.meant) == (name.upper(), meant)
    assert (meant or ".env.example") in one.remedy


def test_a_line_that_sets_nothing_is_told_by_its_number_and_without_its_words() -> None:
    """It may hold a secret; and what it should have set is not set, also where it was set above."""
    Path(".env").write_text("# mine\nOPENAI_API_KEY: sesame\nA='of\ntwo lines'\nexport B\n\nC='sesame\n")

    found = misspelt_settings()

    assert [one.name for one in found] == ["line 2 of .env", "line 5 of .env", "line 7 of .env"]
    assert all(one.remedy == "Write NAME=VALUE, or remove it." for one in found)


def test_other_programs_names_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A3: well-known ones, by the documents of those who read them."""
    well_known = {
        "DATABASE": ["DIRECT_URL", "HOST", "NAME", "PASSWORD", "PORT", "PRIVATE_URL", "PUBLIC_URL", "TEST_URL", "USER"],
        "DISCORD": ["APPLICATION_ID", "CLIENT_ID", "CLIENT_SECRET", "GUILD_ID", "PUBLIC_KEY", "WEBHOOK_URL"],
        "OPENAI": ["ADMIN_KEY", "API_BASE", "API_TYPE", "API_VERSION", "DEFAULT_MODEL", "LOG", "ORG_ID", "PROJECT_ID"],
        "SLACK": ["API_TOKEN", "CHANNEL", "CLIENT_ID", "CLIENT_SECRET", "SIGNING_SECRET", "USER_TOKEN", "WEBHOOK_URL"],
    }
    for head, rests in well_known.items():
        for rest in rests:
            monkeypatch.setenv(f"{head}_{rest}", "theirs")

    assert not misspelt_settings()


def test_no_setting_is_taken_for_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_bytes(EXAMPLE.read_bytes())
    for variable in VARIABLES:
        monkeypatch.setenv(variable.lower(), "x")

    assert not misspelt_settings()


@pytest.mark.parametrize(
    ("url", "environment", "proxy"),
    [
        ("https://a.example/x", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("wss://a.example/x", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("wss://a.example/x", {"https_proxy": "p:1"}, "http://p:1"),
        ("https://a.example/x", {"HTTP_PROXY": "http://p:1"}, None),
        ("ws://a.example/x", {"HTTP_PROXY": "http://p:1", "HTTPS_PROXY": "http://p:2"}, "http://p:1"),
        ("https://a.example/x", {"ALL_PROXY": "http://p:1"}, "http://p:1"),
        ("https://a.example/x", {"ALL_PROXY": "socks5://p:1", "HTTPS_PROXY": "http://p:2"}, "http://p:2"),
        ("https://a.example/x", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "b.example, a.example"}, None),
        ("https://a.example/x", {"HTTPS_PROXY": "http://p:1", "no_proxy": ".example"}, None),
        ("https://a.example/x", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        ("https://ba.example/x", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a.example"}, "http://p:1"),
        ("https://localhost:1/x", {"HTTPS_PROXY": "http://p:1"}, None),
        ("http://127.0.0.1:1/x", {"HTTP_PROXY": "http://p:1"}, None),
        ("ws://[::1]:1/x", {"ALL_PROXY": "socks5://p:1"}, None),
        ("https://a.example/x", {}, None),
    ],
)
def test_a_proxy_is_found_by_the_usual_names(
    url: str, environment: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B16."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert proxy_for(url) == proxy


def test_a_proxy_of_another_kind_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://p:1")

    with pytest.raises(ConfigurationError, match=r"^HTTPS_PROXY names no HTTP proxy"):
        proxy_for("https://a.example")


@pytest.mark.parametrize("said", ["evryone", "Every one", "askers", "U1, ask er"])
def test_a_misspelt_word_is_not_taken_for_an_id(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A5: read without regard to case, or refused."""
    monkeypatch.setenv("BACKSCROLL_MAY_STOP", said)

    with pytest.raises(ConfigurationError, match=r"BACKSCROLL_MAY_STOP: .* is no ID; write (everyone|asker)"):
        read_settings()


@pytest.mark.parametrize("name", ["BACKSCROLL_MAY_RESET", "BACKSCROLL_MAY_SET"])
def test_nobody_is_no_list_of_people(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Who asks may stop their own answer; in the other two lists nobody would be left."""
    monkeypatch.setenv(name, "asker")

    with pytest.raises(ConfigurationError, match=f"{name}: That would be nobody"):
        read_settings()


@pytest.mark.parametrize("name", ["BACKSCROLL_IDLE", "BACKSCROLL_MAX_AGE"])
def test_a_duration_is_read_as_people_write_it_or_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "12H")
    field = name.removeprefix("BACKSCROLL_").lower()
    assert getattr(read_settings().policy, field) == 12 * 3_600

    monkeypatch.setenv(name, "a week")
    with pytest.raises(ConfigurationError, match=f"^{name}: a week is no duration: write 30m, 12h, 7d or never$"):
        read_settings()
