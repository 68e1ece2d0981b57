"""Why what stands before a question is another than the time before: each reason has a name, and is told."""

from dataclasses import replace
from typing import NamedTuple

import pytest
from structlog.testing import capture_logs

from core.memory.epochs import Epoch, Epochs, Prefix, why
from core.memory.window import Window
from core.model.llm import Message
from core.seam.messages import Audience, Deleted, Edited
from core.session import Checkpoint, Fold
from core.store import Database
from core.store.segments import Move
from tests.script import House, house
from tests.values import BEN, HERE, message


class Shown(NamedTuple):
    """A turn as a window shows it."""

    seq: int
    words: str


TALK = [Shown(seq, f"{seq}") for seq in (1, 2, 4, 5)]


def prefix(shown: list[Shown], *folded: tuple[int, int], whole: bool = True) -> Prefix:
    """That of a window which shows these turns, and of these ranges a checkpoint each."""
    told = tuple(
        Checkpoint(number=last, kind=Fold.CHECKPOINT, level=0, first=first, last=last, tokens=9)
        for first, last in folded
    )
    words = [*(f"{first} to {last}" for first, last in folded), *(one.words for one in shown), "the question"]
    window = Window(
        messages=tuple(Message(role="user", text=text) for text in words),
        sections=(),
        seqs=tuple((one.seq, one.seq) for one in shown),
        since=None if whole else 60.0,
        checkpoints=told,
    )
    return Prefix.of(window, asked=9, model="m", instructions="Be kind.", budget=900, room=800)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (TALK, None),
        ([*TALK, Shown(6, "6")], None),
        ([], Epoch.ERASURE),
        ([Shown(6, "6"), Shown(7, "7")], Epoch.ERASURE),
        ([Shown(0, "0"), *TALK], Epoch.LATE),
        (TALK[2:], Epoch.ERASURE),
        ([TALK[0], *TALK[2:]], Epoch.ERASURE),
        (TALK[:-1], Epoch.ERASURE),
        ([*TALK[:2], Shown(3, "3"), *TALK[2:]], Epoch.LATE),
        ([TALK[0], Shown(2, "other words"), *TALK[2:]], Epoch.EDIT),
    ],
)
def test_each_change_of_what_is_shown_has_its_name(now: list[Shown], expected: Epoch | None) -> None:
    before, after = prefix(TALK), prefix(now)

    assert after.follows(before) is (expected is None)
    assert expected is None or why(before, after) is expected


@pytest.mark.parametrize("now", [[], TALK[2:], [Shown(0, "0"), *TALK], [TALK[0], Shown(6, "6")]])
def test_what_has_moved_the_view_gives_the_name_whatever_is_shown(now: list[Shown]) -> None:
    assert why(prefix(TALK), prefix(now), Move.RESET) is Epoch.RESET
    assert why(prefix(TALK), prefix(now, (-9, -1), whole=False), Move.UNDO) is Epoch.UNDO
    assert why(prefix(TALK), prefix(now), Move.CLOSED) is Epoch.RESET


def test_a_fold_is_told_from_a_step_and_from_what_is_to_be_told_again() -> None:
    assert why(prefix(TALK), prefix(TALK[2:], (1, 3))) is Epoch.FOLD
    assert why(prefix(TALK[2:], (1, 3)), prefix(TALK[3:], (1, 3), (4, 4))) is Epoch.FOLD
    assert prefix([*TALK[2:], Shown(6, "6")], (1, 3)).follows(prefix(TALK[2:], (1, 3)))
    assert why(prefix(TALK[2:], whole=False), prefix(TALK[3:], (1, 4))) is Epoch.FOLD, "of what had no room before"
    assert why(prefix(TALK[2:], (1, 3)), prefix(TALK)) is Epoch.EDIT


def test_old_turns_for_which_there_is_no_room_are_not_gone() -> None:
    assert why(prefix(TALK), prefix([*TALK[2:], Shown(6, "6")], whole=False)) is Epoch.STEP
    assert why(prefix(TALK[2:], (1, 3)), prefix([TALK[3], Shown(6, "6")], (1, 3), whole=False)) is Epoch.STEP
    assert why(prefix(TALK[1:], whole=False), prefix([TALK[0], Shown(2, "short"), *TALK[2:]])) is Epoch.EDIT


def test_old_turns_that_have_room_again_are_not_late_and_nobody_has_edited_them() -> None:
    assert why(prefix(TALK[2:], whole=False), prefix([*TALK, Shown(6, "6")])) is Epoch.STEP
    assert why(prefix(TALK[2:], (-9, -1), whole=False), prefix(TALK, (-9, -1))) is Epoch.STEP
    assert why(prefix(TALK[3:], whole=False), prefix(TALK[2:], whole=False)) is Epoch.STEP


def test_a_question_is_gone_though_its_answer_is_left() -> None:
    answered = [Shown(1, "?"), Shown(1, "!"), Shown(2, "2")]
    assert why(prefix(answered), prefix(answered[1:])) is Epoch.ERASURE


def test_what_is_set_has_its_name_whatever_is_shown() -> None:
    before = prefix(TALK)
    assert why(before, replace(before, model="other")) is Epoch.MODEL
    assert why(before, replace(before, instructions="Be brief.")) is Epoch.SETTINGS
    assert why(before, replace(prefix(TALK[1:]), budget=700, room=700)) is Epoch.SETTINGS
    assert why(before, replace(prefix(TALK[1:]), room=700)) is Epoch.MEASURE
    assert replace(before, budget=700, room=700).follows(before), "all of it has room"


def test_the_first_question_and_another_session_change_nothing() -> None:
    epochs = Epochs(lambda: 0.0)
    assert epochs.note("a", prefix(TALK)) is None
    assert epochs.note("b", prefix([])) is None
    assert epochs.note("b", prefix(TALK)) is None, "it begins with nothing"
    assert epochs.note("a", prefix([])) == prefix(TALK)


async def test_a_change_is_told_in_the_log_by_its_name(database: Database) -> None:
    async def ask(running: House, text: str) -> list[str]:
        with capture_logs() as lines:
            await running.say(message(text))
            await running.over()
        return [line["epoch"] for line in lines if line["event"] == "prefix changed"]

    first, second = message("first"), message("second")
    async with house(database, budget=1_000) as running:
        for one in (first, second):
            await running.say(one)
            await running.over()
        assert await ask(running, "third") == []
        await running.say(message("lunch?", author=BEN, direct=False, audience=Audience.OTHERS))
        assert await ask(running, "fourth") == []
        await running.say(Edited(message=replace(first, text="first of all"), at=first.at + 1))
        assert await ask(running, "fifth") == ["edit"]
        await running.say(Deleted(address=HERE, id=second.id))
        assert await ask(running, "sixth") == ["erasure"]
        assert [one for nth in range(8) for one in await ask(running, f"{nth} {'long words ' * 12}")][:1] == ["step"]
        await running.say(message("!reset"))
        await running.over()
        assert await ask(running, "after that") == ["reset"]
        assert await ask(running, "and that") == []
        await running.say(message("!undo"))
        await running.over()
        assert await ask(running, "and again") == ["undo"]


async def test_what_was_overheard_and_has_no_room_any_more_was_not_erased(database: Database) -> None:
    """It drops out of its own share, also from between what was said to us."""
    names = list[str]()
    async with house(database, budget=2_000) as running:
        for number in range(30):
            with capture_logs() as lines:
                aside = f"{number} lunch, and then some talk of the weather, as ever"
                await running.say(message(aside, author=BEN, direct=False, audience=Audience.OTHERS))
                await running.say(message("well?"))
                await running.over()
            names += [str(line["epoch"]) for line in lines if line["event"] == "prefix changed"]

    assert set(names) == {"step"}
