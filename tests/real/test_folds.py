"""What is told of folds, with a loopback server in the real model's place."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.real.folds import hold
from tests.real.talks import talks
from tests.real.tap import Tap
from tests.wire.openai import WRONG_KEY, OpenAIServer, Request
from tests.wire.slack import SlackStage

DECIDED = "Ada decided to ship 2.4.1 on 2026-12-03, and Ben to write of it by 2026-12-01"


async def test_it_tells_what_was_said_what_was_refused_and_what_is_shown_in_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = Counter[str]()

    def answer(request: Request) -> str:
        order = re.search(r"Write the record of (-?\d+)-", request.last)
        if order is None:
            return "Noted."
        asked[order[1]] += 1
        return "I can't." if asked[order[1]] == 1 else f"# decided\n- {DECIDED} ({order[1]})"

    (_, questions), *_ = talks(characters=3_000)
    async with (
        OpenAIServer(answer=answer) as model,
        SlackStage() as stage,
        Tap(model.url.removesuffix("/v1")) as tap,
    ):
        wrong = await hold(tap, stage, questions, tmp_path, budget=4_500)

    assert wrong == []
    told = capsys.readouterr().out
    assert "> Hello! We plan release 2.4.1 of the billing service." in told
    assert "refused: empty; asked once more" in told
    after = told.partition("  after:\n    [[record of turns 1-")[2]
    assert f"{DECIDED} (1)" in after
    assert "folded: " in after


async def test_a_question_without_an_answer_is_found_and_that_nothing_was_folded(tmp_path: Path) -> None:
    (_, questions), *_ = talks(characters=0)
    async with (
        OpenAIServer(answer=lambda request: "Noted.") as model,
        SlackStage() as stage,
        Tap(model.url.removesuffix("/v1")) as tap,
    ):
        model.faults.append(WRONG_KEY)
        wrong = await hold(tap, stage, questions[:1], tmp_path, budget=4_500)

    assert any("is not answered" in one for one in wrong)
    assert "nothing was ever to be folded" in wrong
