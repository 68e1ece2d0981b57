"""The eraser, a short run: on both databases and both platforms, nothing that is gone from the screen is found again.

`BACKSCROLL_ERASER=2000` makes it a long one, and so does `python -m tests.eraser`.
"""

import os

import pytest

from tests.eraser import STAGES, erase

ACTIONS = int(os.environ.get("BACKSCROLL_ERASER", "40"))


@pytest.mark.parametrize("stage", STAGES)
async def test_what_is_gone_from_the_screen_is_gone_from_memory(url: str, stage: str) -> None:
    done = await erase(stage, url, actions=ACTIONS, seed=ACTIONS, clean_after=0.2)

    assert done.dead
