"""Secrets do not pass into what is remembered for good, and nothing else is lost over that."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.memory.checkpoints.redaction import REDACTED, redacted

KEY = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEowIBAAKCAQEA7\nabc/+==\n-----END RSA PRIVATE KEY-----"
SECRETS = [
    "sk-proj-abc123DEF456ghi789JKL",
    "sk-ant-api03-" + "a1B2c3" * 8,
    "xoxb-" + "1234567890-abcdefghij",
    "xapp-1-" + "A012-345-abcdef",
    "ghp_" + "a1B2" * 9,
    "github_pat_" + "11ABCDEFG0" * 3,
    "glpat-" + "x1y2" * 5,
    "AKIA" + "IOSFODNN7EXAMPLE",
    "AIza" + "Sy0123456789" * 3,
    "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0.abc_def-123",
    "eyJ" + "hbGci" * 600 + ".eyJzdWIiOiIxMjM0In0.abc_def-123",  # with a chain of certificates in its header
    "M" + "TA5NzE4NjQ5ODc2NTQzMjEw.GhIjKl." + "a" * 30,
    KEY,
]
AROUND = [
    ("password=", "hunter2", ""),
    ("DB_PASSWORD='", "s3 cr't", ""),
    ("export OPENAI_API_KEY=", "abcd", "\n"),
    ("password: ", "hunter2", ""),
    ('{"password": ', '"hunter2"', "}"),
    ("the password is ", "hunter2!", ""),
    ("das Passwort lautet ", "geheim123", ""),
    ("x-api-key: ", "abcd1234efgh", ""),
    ("postgresql://", "ana:pa55", "@db.example/x"),
    ("https://", "ghtoken1234567890abcdef", "@git.example/x"),
    ("Authorization: Bearer ", "abcdefghijklmnop1", ""),
    ("Authorization: Basic ", "dXNlcjpwYXNz1==", ""),
    ("https://hooks.chat.example/services/", "T000/B000/XXXXXXXX", ""),
    ("https://chat.example/api/webhooks/", "123456/abc-DEF_ghijk", ""),
    ("https://files.example/a?x=1&sig=", "abcdefghijkl", "&y=2"),
    ("Cookie: ", "session=abcdef; b=1", ""),
]
HARMLESS = [
    "sk-learn-is-a-name-with-many-words",
    "the password is in the vault",
    "token: a piece of text",
    "max_tokens=4000, tokens: 4000",
    "password reset: done at 10:00",
    "The secret: never give up",
    "eyJ is how they begin",
    "token = get_token()",
    "PASSWORD=$PASSWORD or password=<yours> or password=None",
    "https://chat.example:8080/a@b and ssh://git@git.example/x",
    "mail ana@mail.example",
    "Bearer of bad news, basic authorization-configuration-things",
    "38e3c6192abcdef0123456789abcdef012345678",
    "123e4567-e89b-12d3-a456-426614174000",
    "compass: 12 degrees, bypass = 3, passport=12, tests pass: 120/140",
    "signature: Ana Meier",
    "api key rotation on 2026-03-03",
    "xoxo-hugs-and-kisses-to-everybody",
    "Das Passwort wird geändert, le mot de passe change, la contraseña cambia",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_key_goes_wherever_it_stands(secret: str) -> None:
    assert redacted(secret) == REDACTED
    assert redacted(f"Ana uses {secret} there") == f"Ana uses {REDACTED} there"
    assert redacted(f"({secret}), “{secret}”") == f"({REDACTED}), “{REDACTED}”"


@pytest.mark.parametrize(("before", "secret", "after"), AROUND)
def test_what_is_called_a_secret_goes_and_its_name_stays(before: str, secret: str, after: str) -> None:
    said = redacted(f"so: {before}{secret}{after}")

    assert secret not in said
    assert said.startswith(f"so: {before.rstrip(chr(39))}{REDACTED}")
    assert said.endswith(after)


def test_a_key_that_is_cut_off_goes_as_well() -> None:
    assert redacted(KEY[:60]) == REDACTED
    assert redacted(f"{KEY}\nThat is the old one.") == f"{REDACTED}\nThat is the old one."


@pytest.mark.parametrize("words", HARMLESS)
def test_what_only_sounds_like_a_secret_stays(words: str) -> None:
    assert redacted(words) == words


@given(some.text(some.characters(categories=("L", "M", "Zs", "P"), exclude_characters="-=:@_?&/\\.$"), max_size=200))
def test_words_that_are_no_secrets_stay_as_they_are(words: str) -> None:
    assert redacted(words) == words


@given(some.lists(some.sampled_from([*SECRETS, *HARMLESS, "password=", "token: ", "://", "@", " ", "\n", "abc123def"])))
def test_once_is_enough(parts: list[str]) -> None:
    once = redacted(" ".join(parts))

    assert redacted(once) == once


@given(some.sampled_from(SECRETS), some.sampled_from(HARMLESS), some.sampled_from(HARMLESS))
def test_no_words_around_it_save_a_key(secret: str, before: str, after: str) -> None:
    assert secret not in redacted(f"{before} {secret} {after}")


@pytest.mark.parametrize(
    "part",
    ["password ", "://a:", "sk-", "eyJ2026-", "x.", "-----BEGIN PRIVATE KEY-----"],
)
def test_300_kilobytes_take_time_that_grows_with_the_length_alone(part: str) -> None:
    said = redacted(part * (300_000 // len(part)))

    assert len(said) <= 300_000 + len(REDACTED)
