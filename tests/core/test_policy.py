"""The policy: what is set nearest holds, each value says where it comes from, and nothing stored can break it."""

import json
from dataclasses import fields
from math import inf

import pytest
from structlog.testing import capture_logs

from core.config import Settings
from core.policy import NOTHING, SETTINGS, Level, Overrides, Policy, Wrong

DEPLOYED = Policy().with_values(Level.DEPLOYMENT, {"context_tokens": 9_000, "hear": "thread"})


def settings(**facts: object) -> Settings:
    return Settings(_env_file=None, **facts)  # type: ignore[call-arg, arg-type]


def set_to(**facts: object) -> str:
    return json.dumps(facts)


def test_what_is_set_nearest_holds_and_says_where_it_comes_from() -> None:
    workspace, channel = set_to(hear="off", answer_tokens="100"), set_to(answer_tokens="200")

    policy = DEPLOYED.under(Overrides(workspace=workspace, channel=channel))

    found = {name: (getattr(policy, name), policy.origin(name)) for name in SETTINGS}
    assert found == {
        "hear": ("off", Level.WORKSPACE),
        "context_tokens": (9_000, Level.DEPLOYMENT),
        "answer_tokens": (200, Level.CHANNEL),
        "idle": (None, Level.BUILT_IN),
        "max_age": (inf, Level.BUILT_IN),
        "may_stop": (None, Level.BUILT_IN),
        "may_reset": (None, Level.BUILT_IN),
        "may_set": (frozenset({"admins"}), Level.BUILT_IN),
    }


def test_where_nothing_is_set_the_deployments_policy_is_not_even_copied() -> None:
    assert DEPLOYED.under(NOTHING) is DEPLOYED


def test_every_setting_is_a_field_and_every_field_a_setting() -> None:
    assert {one.name for one in fields(Policy)} - {"origins"} == set(SETTINGS)


def test_what_the_operator_sets_is_the_lowest_level_and_the_rest_is_built_in() -> None:
    variables = {name: setting.variable.lower() for name, setting in SETTINGS.items() if setting.variable}
    said = {"hear": "off", "context_tokens": "500", "answer_tokens": "16", "idle": "1d", "max_age": "2d"}
    set_all = settings(**{own: said.get(name, "U1") for name, own in variables.items()}).policy

    assert settings().policy == settings(backscroll_idle=None).policy == Policy()
    assert (set_all.hear, set_all.context_tokens, set_all.answer_tokens) == ("off", 500, 16)
    assert (set_all.idle, set_all.max_age) == (86_400, 2 * 86_400)
    assert {set_all.may_stop, set_all.may_reset, set_all.may_set} == {frozenset({"U1"})}
    assert {set_all.origin(name) for name in variables} == {Level.DEPLOYMENT}


@pytest.mark.parametrize(
    ("name", "said", "why"),
    [
        ("hear", "nothing", "nothing is none of channel, thread, off"),
        ("context_tokens", "lots", "lots is no number of tokens: write one from 500 to 2,000,000"),
        ("context_tokens", "499", "write one from 500"),
        ("context_tokens", "9" * 5_000, "write one from 500"),
        ("context_tokens", "-500", "write one from 500"),
        ("context_tokens", "٥٠٠٠", "write one from 500"),
        ("answer_tokens", "1000001", "write one from 16 to 1,000,000"),
        ("idle", "a week", "a week is no duration: write 30m, 12h, 7d or never"),
        ("idle", "0d", "0d is no duration"),
        ("idle", "d", "d is no duration"),
        ("idle", "-1d", "-1d is no duration"),
        ("idle", "9" * 5_000 + "d", "is no duration"),
        ("max_age", "7w", "7w is no duration"),
        ("may_stop", "U1, evryone", "evryone is no ID; write everyone"),
    ],
)
def test_a_wrong_value_is_told_with_what_would_be_right(name: str, said: str, why: str) -> None:
    with pytest.raises(Wrong) as wrong:
        SETTINGS[name].read(said)

    assert why in str(wrong.value)


@pytest.mark.parametrize(
    ("name", "said", "value"),
    [
        ("hear", " Thread ", "thread"),
        ("context_tokens", "2,000,000", 2_000_000),
        ("idle", " 30M ", 1_800),
        ("idle", "never", inf),
        ("max_age", "10000d", 864_000_000),
        ("may_stop", "asker", frozenset()),
        ("may_stop", "everyone, U1", None),
        ("may_set", "Admins, asker, U1", frozenset({"admins", "U1"})),
    ],
)
def test_a_value_is_read_as_people_write_it(name: str, said: str, value: object) -> None:
    assert SETTINGS[name].read(said) == value


@pytest.mark.parametrize(
    "stored",
    [set_to(hear="loudly"), set_to(colour="red"), set_to(context_tokens=None), "[1]", "no JSON", "1"],
    ids=["no value", "no setting", "nothing", "a list", "no JSON", "a number"],
)
def test_what_can_not_be_read_is_passed_over_and_logged(stored: str) -> None:
    stored += " " * len(stored)  # not read before, by this process

    with capture_logs() as logs:
        policy = DEPLOYED.under(Overrides(workspace=stored, channel=set_to(answer_tokens=50)))

    assert policy == DEPLOYED.with_values(Level.CHANNEL, {"answer_tokens": 50})
    assert [line["log_level"] for line in logs] == ["warning"]
    assert "loudly" not in str(logs), "what people have set may be words of theirs"


@pytest.mark.parametrize("said", ["30m", "12h", "7d", "90m", "never"])
def test_a_duration_is_shown_as_it_can_be_said_again(said: str) -> None:
    policy = Policy().with_values(Level.CHANNEL, {"idle": SETTINGS["idle"].read(said)})

    assert policy.shown("idle") == said
    assert (Policy().shown("idle"), Policy().shown("max_age")) == ("7d in threads, 24h elsewhere", "never")
