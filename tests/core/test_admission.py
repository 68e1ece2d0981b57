"""Admission: who may talk with the bot, decided from what a message, and what is set, say."""

import pytest

from core.access import Denial, denial, is_heard, shut_out
from core.policy import SETTINGS, Level, Policy
from core.seam.address import Address
from core.seam.messages import Author, Inbound, Standing
from tests.values import ADA, BEN, message

CHANNEL = Address(platform="slack", workspace="T1", channel="C1", thread="1.0")
MEMBER, GUEST = Standing(), Standing(is_guest=True)
PARTNER = Standing(home="T2", is_external=True)
SISTER, SISTER_UNKNOWN = Standing(home="T3"), Standing(home="T3", is_external=None)
MODERATOR, ROLES_UNKNOWN = Standing(roles=frozenset({"R5"})), Standing(roles=None)
NOT_KNOWN = Standing(is_external=None, is_guest=None)


def policy(**said: str) -> Policy:
    return Policy().with_values(Level.DEPLOYMENT, {name: SETTINGS[name].read(value) for name, value in said.items()})


def said(standing: Standing = MEMBER, **facts: object) -> Inbound:
    usual: dict[str, object] = {"address": CHANNEL, "direct": False, "standing": standing}
    return message("hello", **(usual | facts))


JUDGED: dict[str, tuple[dict[str, str], Inbound, Denial | None]] = {
    "a member": ({}, said(), None),
    "a guest": ({}, said(GUEST), None),
    "a guest where guests are not talked with": ({"guests": "no"}, said(GUEST), Denial.GUEST),
    "whoever may be a guest there": ({"guests": "no"}, said(Standing(is_guest=None)), Denial.UNKNOWN),
    "an external": ({}, said(PARTNER), Denial.EXTERNAL),
    "an external where the channel opts in": ({"external": "yes"}, said(PARTNER), None),
    "whoever may be an external": ({}, said(Standing(is_external=None)), Denial.UNKNOWN),
    "somebody of the same organisation's other workspace": ({}, said(SISTER), None),
    "nothing known, and nothing asked": ({"external": "yes"}, said(NOT_KNOWN), None),
    "deny a person": ({"deny": "person:U1"}, said(), Denial.DENIED),
    "deny another": ({"deny": "person:U2"}, said(), None),
    "deny a channel": ({"deny": "channel:C1"}, said(), Denial.DENIED),
    "deny a workspace": ({"deny": "workspace:T1"}, said(), Denial.DENIED),
    "deny an organisation": ({"deny": "workspace:T2", "external": "yes"}, said(PARTNER), Denial.DENIED),
    "deny an organisation that one may be of": (
        {"deny": "workspace:T2", "external": "yes"},
        said(NOT_KNOWN),
        Denial.UNKNOWN,
    ),
    "deny another than the sister's": ({"deny": "workspace:T2", "external": "yes"}, said(SISTER_UNKNOWN), None),
    "deny a role": ({"deny": "role:R5"}, said(MODERATOR), Denial.DENIED),
    "deny a role that one has not": ({"deny": "role:R6"}, said(MODERATOR), None),
    "deny a role that one may have": ({"deny": "role:R5"}, said(ROLES_UNKNOWN), Denial.UNKNOWN),
    "deny direct messages": ({"deny": "channel:@me"}, said(direct=True), Denial.DENIED),
    "deny goes before allow": ({"deny": "person:U1", "allow": "person:U1"}, said(), Denial.DENIED),
    "deny is told before all else": ({"deny": "person:U1"}, said(PARTNER), Denial.DENIED),
    "allow a person": ({"allow": "person:U1"}, said(), None),
    "allow another": ({"allow": "person:U2"}, said(), Denial.NOT_ALLOWED),
    "allow a role": ({"allow": "role:R5, person:U9"}, said(MODERATOR), None),
    "allow a role that one may have": ({"allow": "role:R5"}, said(ROLES_UNKNOWN), Denial.UNKNOWN),
    "allow a channel": ({"allow": "channel:C1"}, said(), None),
    "allow another channel": ({"allow": "channel:C2, person:U1"}, said(), Denial.NOT_ALLOWED),
    "allow a person in a channel": ({"allow": "channel:C1, person:U2"}, said(), Denial.NOT_ALLOWED),
    "allow no direct messages": ({"allow": "channel:C2"}, said(direct=True), Denial.NOT_ALLOWED),
    "allow direct messages": ({"allow": "channel:@me"}, said(direct=True), None),
    "allow a workspace": ({"allow": "workspace:T1"}, said(), None),
    "allow no workspace that one may not be of": (
        {"allow": "workspace:T1", "external": "yes"},
        said(NOT_KNOWN),
        Denial.UNKNOWN,
    ),
    "allow no partner": ({"allow": "workspace:T1", "external": "yes"}, said(PARTNER), Denial.NOT_ALLOWED),
    "allow a partner": ({"allow": "workspace:T1, workspace:T2", "external": "yes"}, said(PARTNER), None),
    "allow lets no external in": ({"allow": "person:U1"}, said(PARTNER), Denial.EXTERNAL),
}


@pytest.mark.parametrize("case", JUDGED)
def test_who_is_talked_with(case: str) -> None:
    given, heard, why = JUDGED[case]

    assert denial(heard, policy(**given)) is why


def test_each_level_may_keep_more_people_out_and_lets_nobody_in() -> None:
    operators = policy(allow="channel:C1", deny="person:U2")
    nearer = {name: SETTINGS[name].read(value) for name, value in (("allow", "person:U2"), ("deny", "person:U9"))}
    both = operators.with_values(Level.CHANNEL, nearer)

    assert denial(said(), both) is Denial.NOT_ALLOWED
    assert denial(said(author=BEN), both) is Denial.DENIED


def test_what_is_shown_where_no_list_is_set_may_be_said_and_lets_in_nobody_whom_others_keep_out() -> None:
    said = {"allow": "everyone", "deny": "nobody"}
    around = Policy().with_values(Level.WORKSPACE, {"allow": SETTINGS["allow"].read("person:U1")})

    here = around.with_values(Level.CHANNEL, {name: SETTINGS[name].read(word) for name, word in said.items()})
    alone = Policy().with_values(Level.CHANNEL, {name: SETTINGS[name].read(word) for name, word in said.items()})

    assert (here.shown("allow"), here.shown("deny")) == ("person:U1", "nobody")
    assert {name: alone.shown(name) for name in said} == said


def test_other_programs_are_overheard_unless_they_are_denied() -> None:
    robot, ours = Author(id="B2", name="Robot", is_bot=True), Author(id="B1", name="Us", is_bot=True, is_self=True)

    assert is_heard(said(author=robot), policy(allow="person:U1"))
    assert not is_heard(said(author=robot), policy(deny="person:B2"))
    assert is_heard(said(author=ours), policy(deny="channel:C1"))
    assert not is_heard(said(PARTNER), policy())
    assert is_heard(said(), policy())


def test_who_would_shut_themselves_out_is_known_as_far_as_it_can_be() -> None:
    outs = {"allow": "person:U2", "deny": "channel:C1"}
    ins = {"allow": "role:R5", "deny": "role:R5"}

    assert all(shut_out(policy(**{name: value}), CHANNEL, ADA, direct=False) for name, value in outs.items())
    assert not any(shut_out(policy(**{name: value}), CHANNEL, ADA, direct=False) for name, value in ins.items())


def test_a_denial_says_why_and_what_may_be_done() -> None:
    assert all(why.value.endswith(".") and why.value.startswith("I ") for why in Denial)
    assert "set external yes" in Denial.EXTERNAL.value
    assert "set guests yes" in Denial.GUEST.value
