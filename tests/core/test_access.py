"""Access: who may do what to a session, and the sentence for those who may not."""

from dataclasses import replace

import pytest

from core.access import Access, Deed
from core.commands.table import COMMANDS
from core.policy import ADMINS, MEMBERS, People, Policy
from core.session import Kind, Progress, Role, Turn, Validity
from tests.values import ADA, BEN


def turn(**facts) -> Turn:
    state = {"kind": Kind.SAID, "progress": Progress.WAITING, "validity": Validity.STANDS}
    return Turn(seq=1, role=Role.PERSON, **state, text="", tokens=1, at=0.0, **facts)


def access(people: People, *, is_admin: bool | None = False, is_member: bool = False) -> Access:
    policy = Policy(may_read=people, may_stop=people, may_reset=people, may_set=people)
    return Access(policy=policy, is_admin=is_admin, is_member=is_member)


def test_only_the_asker_and_those_who_are_named_may_stop_an_answer() -> None:
    asked, nobodys = turn(author=ADA), turn()
    named = access(frozenset({"U9"}))

    assert access(None).may(BEN, Deed.STOP, asked).granted
    assert named.may(ADA, Deed.STOP, asked).granted
    assert named.may(None, Deed.STOP, asked).granted
    assert named.may(BEN, Deed.STOP, asked).reason == (
        "This answer is for Ada: only they, and those who are named for it in my settings, may stop it."
    )
    assert "for somebody else" in (named.may(BEN, Deed.STOP, nobodys).reason or "")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("[the *admin*](https://evil.example/a)", "the admin https evil.example a"),
        ("<!channel> @here", "channel here"),
        ("\u202eadA\n> Ada", "adA Ada"),
        ("J. R. O'Neill-Müller, 王", "J. R. O'Neill-Müller, 王"),
        ("\u3164", "somebody else"),
        ("x" * 5_000, "x" * 60),
    ],
)
def test_a_name_is_no_link_mark_or_mention_in_a_sentence_of_ours(name: str, shown: str) -> None:
    reason = access(frozenset({"U9"})).may(BEN, Deed.STOP, turn(author=replace(ADA, name=name))).reason

    assert (
        reason == f"This answer is for {shown}: only they, and those who are named for it in my settings, may stop it."
    )


FOR_ADMINS = {Deed.EXPORT, Deed.FORGET}
"""What nobody can set: it is about what others have said, and can't be taken back."""


@pytest.mark.parametrize("deed", [deed for deed in Deed if deed not in {Deed.STOP, *FOR_ADMINS}])
def test_that_a_command_is_ones_own_does_not_mean_that_one_may(deed: Deed) -> None:
    given = turn(author=BEN)

    assert access(None).may(BEN, deed, given).granted
    assert access(frozenset({BEN.id})).may(BEN, deed, given).granted
    assert not access(frozenset()).may(BEN, deed, given).granted


def test_what_not_everyone_may_is_named_in_the_table() -> None:
    deeds = {name: command.deed for name, command in COMMANDS.items() if command.deed is not None}

    assert deeds == {
        **dict.fromkeys(("status", "context", "summarize"), Deed.READ),
        **dict.fromkeys(("reset", "undo"), Deed.RESET),
        "stop": Deed.STOP,
        **dict.fromkeys(("set", "unset"), Deed.SET),
        "export": Deed.EXPORT,
        "forget": Deed.FORGET,
        "usage": Deed.USAGE,
    }


@pytest.mark.parametrize("deed", sorted(FOR_ADMINS, key=str))
def test_what_others_have_said_is_for_admins_to_take_out_and_to_erase_whatever_is_set(deed: Deed) -> None:
    given = turn(author=BEN)

    for people in (None, frozenset({BEN.id})):
        assert not access(people).may(BEN, deed, given).granted
        assert access(people).asks_for_admins(BEN, deed)
        assert access(people, is_admin=True).may(BEN, deed, given).granted


def test_admins_are_told_by_their_platform_and_asked_for_only_where_it_matters() -> None:
    given, admins = turn(author=BEN), frozenset({ADMINS, "U9"})

    assert access(admins, is_admin=True).may(BEN, Deed.SET, given).granted
    assert "those who are named" in (access(admins).may(BEN, Deed.SET, given).reason or "")
    assert "Only admins may" in (access(frozenset({ADMINS})).may(BEN, Deed.SET, given).reason or "")
    assert "can't find out" in (access(admins, is_admin=None).may(BEN, Deed.SET, given).reason or "")
    assert access(admins).asks_for_admins(BEN, Deed.SET)
    for people in (None, frozenset({BEN.id, ADMINS}), frozenset({"U9"})):
        assert not access(people).asks_for_admins(BEN, Deed.SET)


@pytest.mark.parametrize("deed", [Deed.STOP, Deed.RESET, Deed.SET])
def test_members_are_asked_for_only_where_it_matters(deed: Deed) -> None:
    given, members = turn(author=ADA), frozenset({MEMBERS})

    assert access(members, is_member=True).may(BEN, deed, given).granted
    assert "those who have said something to me here" in (access(members).may(BEN, deed, given).reason or "")
    assert access(members | {ADMINS}, is_member=True, is_admin=None).may(BEN, deed, given).granted
    assert access(members).asks_for_members(BEN, deed)
    for people in (None, members | {BEN.id}, frozenset({ADMINS})):
        assert not access(people).asks_for_members(BEN, deed)


@pytest.mark.parametrize("people", [frozenset({"U0"}), frozenset({MEMBERS}), frozenset({"U0", ADMINS})])
def test_an_admin_may_always_change_who_may_change_settings(people: frozenset[str]) -> None:
    given = turn(author=BEN)

    assert access(people, is_admin=True).may(BEN, Deed.HAND_OVER, given).granted
    assert not access(people).may(BEN, Deed.HAND_OVER, given).granted
    assert access(people).asks_for_admins(BEN, Deed.HAND_OVER)
    assert access(None).may(BEN, Deed.HAND_OVER, given).granted


def test_each_deed_has_its_setting_and_a_sentence_for_those_who_may_not() -> None:
    given, nobody = turn(author=BEN), frozenset({"U9"})
    asks = {
        "may_read": {Deed.READ, Deed.FORK},
        "may_stop": {Deed.STOP},
        "may_reset": {Deed.RESET},
        "may_set": {Deed.SET, Deed.HAND_OVER, Deed.USAGE},
    }
    admins, usual = FOR_ADMINS, Access(policy=Policy())

    for setting, deeds in asks.items():
        strict = Access(policy=replace(Policy(may_set=None), **{setting: nobody}))
        assert {deed for deed in Deed if not strict.may(ADA, deed, given).granted} == deeds | admins
        assert all(
            "Only" in why or "only" in why for deed in deeds | admins if (why := strict.may(ADA, deed, given).reason)
        )
    assert {deed for deed in Deed if not usual.may(ADA, deed, given).granted} == asks["may_set"] | admins


def test_in_their_own_direct_messages_people_may_do_everything() -> None:
    given, strict = turn(author=BEN), access(frozenset({"U9", ADMINS}), is_admin=None)
    own = replace(strict, own=True)

    assert all(own.may(BEN, deed, given).granted for deed in Deed)
    assert not any(own.asks_for_admins(BEN, deed) for deed in Deed)
    assert not any(strict.may(ADA, deed, given).granted for deed in Deed)
