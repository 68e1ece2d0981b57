"""Access: who may do what to a session, and the sentence for those who may not."""

from core.access import Access, Deed
from core.commands.table import COMMANDS
from core.session import Kind, Progress, Role, Turn, Validity
from tests.values import ADA, BEN


def turn(**facts) -> Turn:
    state = {"kind": Kind.SAID, "progress": Progress.WAITING, "validity": Validity.STANDS}
    return Turn(seq=1, role=Role.PERSON, **state, text="", tokens=1, at=0.0, **facts)


def test_only_the_asker_and_those_who_are_named_may_stop_an_answer() -> None:
    asked, nobodys = turn(author=ADA), turn()
    named = Access(may_stop=frozenset({"U9"}))

    assert Access().may(BEN, Deed.STOP, asked).granted
    assert named.may(ADA, Deed.STOP, asked).granted
    assert named.may(None, Deed.STOP, asked).granted
    assert named.may(BEN, Deed.STOP, asked).reason == (
        "This answer is for Ada: only they, and those whom my operator names, may stop it."
    )
    assert "for somebody else" in (named.may(BEN, Deed.STOP, nobodys).reason or "")
    assert COMMANDS["stop"].deed is Deed.STOP
