"""A Slack, an adapter on it, and an ear that hears what the adapter reports."""

from collections.abc import AsyncIterator

import pytest

from bots.slack import SlackAdapter
from tests.bots.slack.ear import Clock, Ear
from tests.wire.slack import SlackStage


@pytest.fixture
async def stage() -> AsyncIterator[SlackStage]:
    async with SlackStage() as stage:
        yield stage


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def adapter(stage: SlackStage, clock: Clock) -> AsyncIterator[SlackAdapter]:
    adapter = stage.adapter(clock=clock)
    yield adapter
    await adapter.close()


@pytest.fixture
async def ear(stage: SlackStage, adapter: SlackAdapter) -> AsyncIterator[Ear]:
    async with Ear(stage, adapter) as ear:
        await stage.until(lambda: len(stage.server.sockets) == 2)
        yield ear
