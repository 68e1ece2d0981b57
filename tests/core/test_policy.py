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
    assert found == {name: (getattr(Policy(), name), Level.BUILT_IN) for name in SETTINGS} | {
        "hear": ("off", Level.WORKSPACE),
        "context_tokens": (9_000, Level.DEPLOYMENT),
        "answer_tokens": (200, Level.CHANNEL),
    }


def test_where_nothing_is_set_the_deployments_policy_is_not_even_copied() -> None:
    assert DEPLOYED.under(NOTHING) is DEPLOYED


def test_every_setting_is_a_field_and_every_field_a_setting() -> None:
    assert {one.name for one in fields(Policy)} - {"said", "allowed", "is_lost"} == set(SETTINGS)


def test_what_the_operator_sets_is_the_lowest_level_and_the_rest_is_built_in() -> None:
    variables = {name: setting.variable.lower() for name, setting in SETTINGS.items() if setting.variable}
    said = {"hear": "off", "answers": "mention", "context_tokens": "500", "answer_tokens": "16", "reasoning": "low"}
    said |= {"idle": "1d", "max_age": "2d", "guests": "no", "external": "yes", "allow": "person:U1", "deny": "role:5"}
    said |= {"budget": "5 usd/day", "budget_person": "9 tokens/week", "retention": "3d", "retention_overheard": "1d"}
    said |= {"memory": "lean"}
    set_all = settings(openai_api_key="k", **{own: said.get(name, "U1") for name, own in variables.items()}).policy

    assert settings().policy == settings(backscroll_idle=None).policy == Policy()
    assert (set_all.hear, set_all.context_tokens, set_all.answer_tokens) == ("off", 500, 16)
    assert (set_all.idle, set_all.max_age) == (86_400, 2 * 86_400)
    assert (set_all.retention, set_all.retention_overheard, set_all.memory) == (3 * 86_400, 86_400, "lean")
    assert {set_all.may_read, set_all.may_stop, set_all.may_reset, set_all.may_set} == {frozenset({"U1"})}
    assert (set_all.guests, set_all.external) == (False, True)
    assert (set_all.shown("allow"), set_all.shown("deny")) == ("person:U1", "role:5")
    assert {set_all.origin(name) for name in variables} == {Level.DEPLOYMENT}


def test_people_choose_among_what_the_operator_allows_and_the_operators_own() -> None:
    ours = settings(openai_api_key="k", openai_model="usual", backscroll_models=" better , HIGH,").policy
    chosen = {name: set_to(**{name: said}) for name, said in (("model", "better"), ("reasoning", "high"))}

    assert (ours.model, ours.origin("model")) == ("usual", Level.DEPLOYMENT)
    assert [ours.read("model", name) for name in ("better", "usual")] == ["better", "usual"]
    assert [ours.read("reasoning", effort) for effort in ("High", "auto")] == ["high", "auto"]
    with pytest.raises(Wrong, match=r"dear is not allowed: beside usual, my operator allows better$"):
        ours.read("model", "dear")
    with pytest.raises(Wrong, match=r"low is not allowed: beside auto, my operator allows high$"):
        ours.read("reasoning", "low")
    with pytest.raises(Wrong, match="my operator allows nothing else"):
        DEPLOYED.read("model", "better")
    with pytest.raises(Wrong, match="beside none, my operator allows better"):
        ours.read("cheaper_model", "dear")
    for name, stored in chosen.items():
        assert ours.under(Overrides(channel=stored)).origin(name) is Level.CHANNEL
        assert DEPLOYED.under(Overrides(channel=stored)) == DEPLOYED, "what is allowed no more does not hold"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("5 usd/day", "5 usd/day"),
        ("$2.50 per week,1,000 tokens/day", "2.50 usd/week, 1,000 tokens/day"),
        ("100k tokens/month, 1.5M tokens a month", "100,000 tokens/month, 1,500,000 tokens/month"),
        ("10/minute and 5 dollars/day,100 Tokens/Week", "10 requests/minute, 5 usd/day, 100 tokens/week"),
        ("5 usd/day, 5 usd/day", "5 usd/day"),
        ("$ 5 \n per  day,  100 \t k   tokens / month", "5 usd/day, 100,000 tokens/month"),
        ("0.005 usd/day, 1.5 usd/week", "0.005 usd/day, 1.50 usd/week"),
        ("12.5 tokens/day", "12.5 tokens/day"),
        ("1.5/minute, 0.5/minute", "1 requests/minute"),
        ("none", "none"),
    ],
)
def test_a_budget_is_read_as_people_write_it_and_shown_so_that_it_is_read_again(said: str, shown: str) -> None:
    budget = SETTINGS["budget"]

    assert budget.shown(budget.read(said)) == shown
    assert budget.read(shown) == budget.read(said)


def test_a_word_of_how_hard_to_think_is_no_models_name() -> None:
    facts = {"openai_api_key": "k", "openai_model": "usual", "backscroll_models": "better, High, AUTO"}
    ours = settings(**facts, openai_reasoning="low").policy

    assert [ours.read("reasoning", effort) for effort in ("high", "auto")] == ["high", "auto"]
    for word in ("high", "auto"):
        with pytest.raises(Wrong, match=f"{word} is not allowed: beside usual"):
            ours.read("model", word)
    assert ours.under(Overrides(channel=set_to(model="high"))).model == "usual", "and so it is told"
    assert settings(**facts).other_models == ["better"]


def test_the_stand_in_is_told_by_no_other_models_name() -> None:
    standing_in = settings(openai_model="usual", backscroll_models="better")

    assert standing_in.policy.shown("model") == "the built-in stand-in"
    assert standing_in.other_models == []
    assert settings(openai_api_key="k", backscroll_models="low, b, a, gpt-6-luna").other_models == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "said", "why"),
    [
        ("hear", "nothing", "nothing is none of channel, thread, off"),
        ("context_tokens", "lots", "lots is no number of tokens: write one from 500 to 2,000,000"),
        ("context_tokens", "499", "write one from 500"),
        ("context_tokens", "9" * 5_000, "write one from 500"),
        ("context_tokens", "-500", "write one from 500"),
        ("context_tokens", "000000000500999", "write one from 500"),
        ("context_tokens", "٥٠٠٠", "write one from 500"),
        ("answer_tokens", "1000001", "write one from 16 to 1,000,000"),
        ("persona", " ", "A persona has 1 to 4,000 characters; this has 0"),
        ("persona", "x" * 4_001, "this has 4,001"),
        ("idle", "soon", "soon is no duration: write 30m, 12h, 7d or never"),
        ("idle", "0h", "write 30m"),
        ("idle", "00000000010001d", "write 30m"),
        ("max_age", "7", "write 30m"),
        ("max_age", "", "nothing is no duration: write 30m"),
        ("zone", "Berlin", "Berlin is no time zone: write one as Europe/Berlin"),
        ("zone", "../../etc/passwd", "is no time zone"),
        ("budget", "5", "5 is no limit: write one as 5 usd/day, 100k tokens/month or 10 requests/minute"),
        ("budget", "0 usd/day", "0 usd/day is no limit"),
        ("budget", "five usd/day", "is no limit"),
        *(("budget", f"{begun}{' ' * 40_000}x", "is no limit") for begun in ("1", "$", "$ 1", "1 k", "1 usd")),
        ("budget", "5 usd/fortnight", "is no limit"),
        ("budget", "5 euro/day", "is no limit"),
        ("budget", "-5 usd/day", "is no limit"),
        ("budget", "5 usd/day, ", "is no limit"),
        ("budget", "٥ usd/day", "is no limit"),
        ("budget", "9" * 5_000 + " usd/day", "is no limit"),
        ("budget_person", "5 requests/day", "requests are counted by the minute, and nothing else is"),
        ("budget_person", "5 tokens/minute", "requests are counted by the minute, and nothing else is"),
        ("idle", "a week", "a week is no duration: write 30m, 12h, 7d or never"),
        ("idle", "0d", "0d is no duration"),
        ("idle", "d", "d is no duration"),
        ("retention", "12h", "12h is not how long I can keep something: write 1d, 30d, 365d or forever"),
        ("retention_overheard", "never", "write 1d"),
        ("idle", "-1d", "-1d is no duration"),
        ("idle", "9" * 5_000 + "d", "is no duration"),
        ("max_age", "7w", "7w is no duration"),
        ("guests", "maybe", "maybe is none of yes, no"),
        ("deny", "U1", "U1 names nobody: write mentions, or workspace:ID, channel:ID, person:ID, role:ID, with commas"),
        ("deny", "person:U1, ", "nothing names nobody"),
        ("allow", "all", "all names nobody"),
        ("allow", "team:T1", "team:T1 names nobody"),
        ("allow", "person:", "person: names nobody"),
        ("allow", "person:U1\n- `deny`: x", "names nobody"),
        ("may_read", ",", "That would be nobody"),
        ("may_stop", "U1, evryone", "evryone is no ID; write everyone"),
        (
            "may_stop",
            "U1\n- `hear`: off",
            "U1 - 'hear': off is no ID: write mentions, or IDs, with commas between them",
        ),
        ("may_set", "Everybody", "Everybody is no ID; write everyone"),
        ("may_stop", "member", "member is no ID; write members"),
        ("may_set", "nobody", "nobody is no ID; write admins"),
        ("may_reset", "U1, me", "me is no ID; write admins"),
        ("may_set", "@Ada", "@Ada is no ID"),
        ("may_set", "Ada Lovelace", "Ada Lovelace is no ID"),
        ("may_read", "Alle", "Alle is no ID; write everyone"),
        ("may_read", "niemand", "niemand is no ID; write admins"),
        ("may_read", "U1, 全員", "全員 is no ID: write mentions, or IDs"),
        ("idle", "```", "''' is no duration: write 30m, 12h, 7d or never"),
        ("idle", "~~~~ 1d", "' 1d is no duration"),
        ("deny", "channel:#general", "channel:#general names nobody: write mentions, or workspace:ID, channel:ID"),
        ("allow", "channel:#C1", "names nobody"),
        ("deny", "role:@admins", "role:@admins names nobody"),
        ("may_set", "@Eve), U2, (Mallory (U3)", "is no ID"),
        ("may_stop", "U" * 81, "is no ID"),
        ("may_set", "asker", "That would be nobody: write everyone, members, admins, or IDs with"),
        ("may_reset", ",", "That would be nobody"),
        ("may_reset", "no", "no is no ID; write admins"),
        ("may_stop", "Yes", "Yes is no ID; write everyone"),
        ("may_set", "U1, role:4711", "role:4711 is no ID: write mentions, or IDs, with commas between them"),
        ("may_read", "person:", "person: is no ID: write mentions"),
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
        ("answers", "MENTION", "mention"),
        ("answers", " Observe ", "observe"),
        ("persona", " a pirate ", "a pirate"),
        ("persona", "none", ""),
        ("allow", "everyone", ()),
        ("deny", "Nobody", frozenset()),
        ("idle", "30m", 1_800.0),
        ("max_age", " 7D ", 604_800.0),
        ("max_age", "never", inf),
        ("zone", "UTC", "UTC"),
        ("retention", " Forever ", inf),
        ("retention_overheard", "24h", 86_400.0),
        ("idle", " 30M ", 1_800),
        ("idle", "never", inf),
        ("max_age", "10000d", 864_000_000),
        ("may_stop", "asker", frozenset()),
        ("may_stop", "everyone, U1", None),
        ("may_set", "Admins, asker, U1", frozenset({"admins", "U1"})),
        ("may_stop", "Members", frozenset({"members"})),
        ("may_reset", "admins, MEMBERS, U1", frozenset({"admins", "members", "U1"})),
        ("may_set", "@Ada (U1), @Eve (U9) (U3), U2", frozenset({"U1", "U2", "U3"})),
        ("may_reset", "person:U1, person: U2", frozenset({"U1", "U2"})),
        ("cheaper_model", " None ", ""),
        ("deny", "channel:@me, @Zoë (U1)", frozenset({("channel", "@me"), ("person", "U1")})),
    ],
)
def test_a_value_is_read_as_people_write_it(name: str, said: str, value: object) -> None:
    assert SETTINGS[name].read(said) == value


@pytest.mark.parametrize(
    ("name", "said", "shown"),
    [
        ("persona", "a  pirate", "`a pirate`"),
        ("persona", "x" * 99, "`" + "x" * 59 + "…`"),
        ("persona", "```sh\n**a** | <!here>\n```", "`'''sh **a** ¦ <!here> '''`"),
        ("idle", "48h", "2d"),
        ("idle", "90m", "90m"),
        ("max_age", "never", "never"),
        ("retention", "forever", "forever"),
        ("retention", "720h", "30d"),
        ("may_stop", "asker", "asker"),
        ("may_reset", "U2, admins, U1", "U1, U2, admins"),
        ("answer_tokens", "1234", "1,234"),
    ],
)
def test_a_value_is_shown_as_people_write_it(name: str, said: str, shown: str) -> None:
    assert Policy().with_values(Level.CHANNEL, {name: SETTINGS[name].read(said)}).shown(name) == shown


def test_what_is_not_set_is_shown_as_it_is_usual() -> None:
    shown = {name: Policy().shown(name) for name in SETTINGS}

    assert shown["persona"] == "none"
    assert (shown["idle"], shown["max_age"]) == ("7d in threads, 24h elsewhere", "never")
    assert (shown["may_stop"], shown["may_reset"], shown["may_set"]) == ("everyone", "everyone", "admins")


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


def test_lists_of_admission_hold_together_so_that_nobody_is_let_in_by_what_is_set_nearer() -> None:
    operators = settings(backscroll_allow="channel:C1, channel:C2", backscroll_deny="person:U9").policy
    stored = Overrides(workspace=set_to(deny="@Eve (U8)"), channel=set_to(allow="role: 5", deny="workspace:T2"))

    policy = operators.under(stored)

    assert policy.shown("allow") == "channel:C1, channel:C2; and of these role:5"
    assert policy.shown("deny") == "person:U8, person:U9, workspace:T2"
    assert policy.origin("allow") is Level.CHANNEL
    assert (Policy().shown("allow"), Policy().shown("deny")) == ("everyone", "nobody")


DAYS = 86_400.0


@pytest.mark.parametrize("name", ["retention", "retention_overheard"])
def test_the_shortest_of_what_is_set_for_how_long_words_are_kept_holds(name: str) -> None:
    operators = settings(**{f"backscroll_{name}": "60d"}).policy
    stored = [
        ({}, {"channel": "90d"}, 60, Level.DEPLOYMENT),
        ({}, {"channel": "7d"}, 7, Level.CHANNEL),
        ({"workspace": "forever"}, {}, 60, Level.DEPLOYMENT),
        ({"workspace": "30d"}, {"channel": "50d"}, 30, Level.WORKSPACE),
        ({"workspace": "30d"}, {"channel": "30d"}, 30, Level.CHANNEL),
        ({"workspace": "50d"}, {"channel": "30d"}, 30, Level.CHANNEL),
    ]

    for workspace, channel, days, origin in stored:
        said = {level: set_to(**{name: value}) for level, value in (workspace | channel).items()}
        policy = operators.under(Overrides(**said))
        assert (getattr(policy, name), policy.origin(name)) == (days * DAYS, origin), said


def test_what_is_built_in_bounds_nothing() -> None:
    policy = Policy().under(Overrides(workspace=set_to(retention_overheard="90d")))

    assert policy.retention_overheard == 90 * DAYS
    assert policy.exceeds("retention_overheard", 91 * DAYS)
    assert not policy.exceeds("retention", inf)
    assert not policy.exceeds("max_age", inf)
