"""Forms of commands: what is in them, and how what was filled in is said."""

import pytest

from core.commands.lines import Given, arguments, asks_for_form, filled
from core.commands.settings import fields
from core.commands.table import COMMANDS
from core.memory.preferences import KNOWN
from core.policy import SETTINGS, Level, Overrides, Policy
from core.seam.address import Address
from core.seam.forms import TAKEN_BACK, Field, changed
from core.seam.messages import Choice

WITH_FORMS = [verb for verb, command in COMMANDS.items() if command.form]
HERE = Address(platform="line", workspace="w", channel="c:1", thread="t 2")


@pytest.mark.parametrize("verb", WITH_FORMS)
def test_a_command_with_a_form_asks_for_it_when_it_is_said_alone(verb: str) -> None:
    assert asks_for_form(verb, " ")
    assert asks_for_form(verb, "Workspace") == (verb == "set")
    assert not asks_for_form(verb, "zone")
    assert COMMANDS[verb].fields in (tuple(SETTINGS), tuple(KNOWN))


def test_commands_without_one_never_do() -> None:
    assert not any(asks_for_form(verb, "") for verb in COMMANDS.keys() - WITH_FORMS)
    assert not any(COMMANDS[verb].fields for verb in COMMANDS.keys() - WITH_FORMS)


def test_every_setting_is_a_field_and_what_may_be_chosen_can_be_set() -> None:
    deployed = Policy(model="small", allowed=frozenset({"large", "high"}))
    found = fields(deployed, deployed, None)

    assert [one.name for one in found] == list(SETTINGS)
    assert {one.name: one.choices for one in found if one.choices} == {
        "hear": ("channel", "thread", "off"),
        "answers": ("follow", "mention", "all", "observe", "off"),
        "model": ("small", "large"),
        "reasoning": ("auto", "high"),
        "memory": ("full", "lean"),
        "guests": ("yes", "no"),
        "external": ("yes", "no"),
    }
    assert all(deployed.read(one.name, choice) is not None for one in found for choice in one.choices)
    assert all(one.value in one.choices for one in found if one.choices)


def test_what_nobody_may_choose_otherwise_is_written_so_that_the_reason_is_told() -> None:
    found = {one.name: one for one in fields(Policy(), Policy(), None)}
    assert found["model"].choices == found["reasoning"].choices == ()


def test_what_is_set_for_the_channel_can_be_taken_back_and_says_where_it_comes_from() -> None:
    overrides = Overrides(workspace='{"answers": "mention"}', channel='{"hear": "off", "persona": "A pirate.\\nArr."}')
    found = {one.name: one for one in fields(Policy().under(overrides), Policy(), overrides.channel)}

    assert (found["hear"].value, found["hear"].choices[-1]) == ("off", TAKEN_BACK)
    assert (found["answers"].value, TAKEN_BACK in found["answers"].choices) == ("mention", False)
    assert found["persona"].value == "A pirate.\nArr."
    assert found["persona"].lines
    assert found["answers"].label == "answers · set for the workspace"
    assert max(len(f"{name} · set for the workspace") for name in SETTINGS) <= 45, "Discord's limit"
    assert Policy().under(overrides).origin("hear") is Level.CHANNEL


@pytest.mark.parametrize(
    ("before", "after"),
    [("off", "off"), ("", ""), ("a\nb", "a\r\nb"), ("a\nb", " a\nb\n"), ("a\r\nb", "a\nb")],
)
def test_what_was_left_alone_is_no_change_however_its_platform_ends_lines(before: str, after: str) -> None:
    assert changed({Field(name="x", label="x", value=before).id: after}) == {}


def test_what_was_changed_emptied_or_taken_back_is_told_by_its_name() -> None:
    held = {Field(name=name, label=name, value="old").id: value for name, value in SAID.items()}
    assert changed(held) == {"new": "a new one", "emptied": "", "taken": ""}


SAID = {"new": " a new one ", "emptied": "", "taken": TAKEN_BACK}


@pytest.mark.parametrize("value", ["7d", "two\nlines", '"quoted"', "workspace", 'a "b" c', "-", "`x`"])
def test_a_change_is_said_as_the_command_that_reads_it_again(value: str) -> None:
    given = filled("set", "", {Field(name="persona", label="persona").id: value})["persona"]
    assert given.verb == "set"
    assert arguments(COMMANDS["set"], given.line) == {"name": "persona", "value": value}


def test_what_was_emptied_is_taken_back_by_the_command_for_that() -> None:
    old = {Field(name="zone", label="zone", value="UTC").id: ""}
    assert filled("set", "", old) == {"zone": Given(verb="unset", line="zone")}
    assert filled("set", "workspace", old) == {"zone": Given(verb="unset", line="workspace zone")}
    assert filled("prefer", "", old) == {"zone": Given(verb="prefer", line="zone")}


def test_a_choice_is_read_again_from_its_command() -> None:
    for line in ("", "since yesterday"):
        choice = Choice(label="", verb="summarize", address=HERE, line=line)
        assert Choice.read(choice.command) == choice
