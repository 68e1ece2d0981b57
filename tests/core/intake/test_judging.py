"""Judging: what a message is to us, for each value of `answers`, by whom it is for and where it was said."""

from dataclasses import replace

import pytest

from core.intake import judging
from core.policy import Answers, Hearing, Policy
from core.seam.messages import Audience
from core.session import Kind
from tests.values import HERE, message

THREAD = replace(HERE, thread="side")
SAID, OVERHEARD, COMMAND = Kind.SAID, Kind.OVERHEARD, Kind.COMMAND


@pytest.mark.parametrize(
    ("answers", "kind"), [("follow", SAID), ("mention", SAID), ("all", SAID), ("observe", OVERHEARD), ("off", None)]
)
def test_what_is_for_us_by_itself_is_answered_unless_we_only_listen(answers: Answers, kind: Kind | None) -> None:
    assert judging.of_called(Policy(answers=answers)) is kind
    for called in (message(), message(direct=False, audience=Audience.BOT), message(direct=False, verb="reset")):
        assert judging.is_called(called)
    assert not judging.is_called(message(direct=False))


@pytest.mark.parametrize(
    ("answers", "in_thread", "in_channel", "nowhere"),
    [
        ("follow", SAID, OVERHEARD, None),
        ("mention", OVERHEARD, OVERHEARD, None),
        ("all", SAID, SAID, SAID),
        ("observe", OVERHEARD, OVERHEARD, OVERHEARD),
        ("off", None, None, None),
    ],
)
def test_talk_that_is_for_nobody_in_particular(
    answers: Answers, in_thread: Kind | None, in_channel: Kind | None, nowhere: Kind | None
) -> None:
    policy, threaded, plain = Policy(answers=answers), message(address=THREAD, direct=False), message(direct=False)

    assert judging.of_others(threaded, 0.0, policy, is_command=False) is in_thread
    assert judging.of_others(plain, 0.0, policy, is_command=False) is in_channel
    assert judging.of_others(plain, None, policy, is_command=False) is nowhere


@pytest.mark.parametrize(
    ("answers", "kind"),
    [("follow", OVERHEARD), ("mention", OVERHEARD), ("all", SAID), ("observe", OVERHEARD), ("off", None)],
)
def test_what_is_for_others_is_left_to_them_unless_everything_is_answered(answers: Answers, kind: Kind | None) -> None:
    to_ben = message(address=THREAD, direct=False, audience=Audience.OTHERS)

    assert judging.of_others(to_ben, 0.0, Policy(answers=answers), is_command=False) is kind


@pytest.mark.parametrize("answers", ["follow", "mention", "all", "observe", "off"])
def test_a_typed_command_is_one_where_a_session_lives(answers: Answers) -> None:
    """Whether anything is said to it is not known yet."""
    typed, policy = message("!status", direct=False), Policy(answers=answers)

    assert judging.of_others(typed, 0.0, policy, is_command=True) is COMMAND
    assert judging.of_others(typed, None, policy, is_command=True) is (COMMAND if answers == "all" else None)


@pytest.mark.parametrize("hear", ["off", "thread", "channel"])
def test_who_only_listens_hears_whatever_a_new_session_is_told(hear: Hearing) -> None:
    policy = Policy(answers="observe", hear=hear)

    assert judging.of_others(message(direct=False), None, policy, is_command=False) is OVERHEARD
