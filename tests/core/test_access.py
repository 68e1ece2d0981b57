"""Access: who may do what to a session, and the sentence for those who may not."""

import pytest

from core.access import Access, Deed
from core.commands.table import COMMANDS
from core.policy import ADMINS, People, Policy
from core.session import Kind, Progress, Role, Turn, Validity
from tests.values import ADA, BEN


def turn(**facts) -> Turn:
    state = {"kind": Kind.SAID, "progress": Progress.WAITING, "validity": Validity.STANDS}
    return Turn(seq=1, role=Role.PERSON, **state, text="", tokens=1, at=0.0, **facts)


def access(people: People, *, is_admin: bool | None = False) -> Access:
    return Access(policy=Policy(may_stop=people, may_reset=people, may_set=people), is_admin=is_admin)


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


@pytest.mark.parametrize("deed", [Deed.RESET, Deed.SET, Deed.USAGE])
def test_that_a_command_is_ones_own_does_not_mean_that_one_may(deed: Deed) -> None:
    given = turn(author=BEN)

    assert access(None).may(BEN, deed, given).granted
    assert access(frozenset({BEN.id})).may(BEN, deed, given).granted
    assert not access(frozenset()).may(BEN, deed, given).granted


def test_what_not_everyone_may_is_named_in_the_table() -> None:
    deeds = {name: command.deed for name, command in COMMANDS.items() if command.deed is not None}

    assert deeds == {
        **dict.fromkeys(("reset", "undo"), Deed.RESET),
        "stop": Deed.STOP,
        **dict.fromkeys(("set", "unset"), Deed.SET),
        "usage": Deed.USAGE,
    }


def test_admins_are_told_by_their_platform_and_asked_for_only_where_it_matters() -> None:
    given, admins = turn(author=BEN), frozenset({ADMINS, "U9"})

    assert access(admins, is_admin=True).may(BEN, Deed.SET, given).granted
    assert "those who are named" in (access(admins).may(BEN, Deed.SET, given).reason or "")
    assert "Only admins may" in (access(frozenset({ADMINS})).may(BEN, Deed.SET, given).reason or "")
    assert "can't find out" in (access(admins, is_admin=None).may(BEN, Deed.SET, given).reason or "")
    assert access(admins).asks_for_admins(BEN, Deed.SET)
    for people in (None, frozenset({BEN.id, ADMINS}), frozenset({"U9"})):
        assert not access(people).asks_for_admins(BEN, Deed.SET)
