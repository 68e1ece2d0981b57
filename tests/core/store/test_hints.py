"""Hints end as quietly as they came."""

import asyncio
import gc

import pytest

from core.store import connect


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_who_is_told_to_end_while_connecting_leaves_no_error_behind(url: str) -> None:
    """G8: at any step, since the end of input may come at any."""
    heard: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))

    for steps in range(40):
        database = connect(url)
        listening = asyncio.create_task(database.listen(lambda: None))
        for _ in range(steps):
            await asyncio.sleep(0)
        listening.cancel()
        await asyncio.wait([listening])
        assert listening.cancelled()
        await database.close()
    gc.collect()
    await asyncio.sleep(0)

    assert not heard
