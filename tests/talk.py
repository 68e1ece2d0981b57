"""A running Backscroll in the test's own process: the real core and a stage, on a database of the test's choice."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Protocol, Self

from sqlalchemy import Connection, select, update

from bots.program import minds, wiring
from core import schema
from core.config import Settings
from core.model.llm import Model
from core.model.openai import OpenAIModel
from core.model.openai.moderation import Moderated
from core.schema import segments, sessions, turns
from core.seam.adapter import Adapter, Receive
from core.seam.address import Address
from core.store import connect, notices, places
from core.store.engine.database import CLEAN_AFTER
from core.store.turns import WAITS
from core.timings import Timings
from tests.stage import Stage


class Served(Protocol):
    """A model's server, real or not."""

    def environment(self) -> dict[str, str]: ...


class Running:
    """One process's life: starts on entering, drains on leaving.

    One that starts takes up what another one of the same test has in hand, as if that had ended: they are one process
    to the machine. Where there are two, nobody says anything before both have `started`.
    """

    def __init__(
        self,
        url: str,
        model: Served,
        *stages: Stage,
        timings: Timings | None = None,
        clean_after: float = CLEAN_AFTER,
        **settings: object,
    ) -> None:
        environment = {"openai_" + name.removeprefix("OPENAI_").lower(): v for name, v in model.environment().items()}
        self.settings = Settings(_env_file=None, database_url=url, **(environment | settings))  # type: ignore[call-arg]
        self._stages, self._timings = stages, timings
        self._clean_after = clean_after
        self._stop, self.started = asyncio.Event(), asyncio.Event()

    async def __aenter__(self) -> Self:
        self._group = await asyncio.TaskGroup().__aenter__()  # a start that fails ends the test at once
        self._group.create_task(self._run())
        return self

    async def _run(self) -> None:
        settings = self.settings
        database = connect(settings.database_url, clean_after=self._clean_after)
        assert settings.openai_api_key is not None
        model: Model = OpenAIModel(
            api_key=settings.openai_api_key.get_secret_value(),
            base_url=settings.openai_base_url,
            model=settings.openai_model,
            api=settings.openai_api,
        )
        if settings.backscroll_moderation != "off":
            key = settings.openai_api_key.get_secret_value()
            model = Moderated(model, api_key=key, base_url=settings.openai_base_url)
        others = minds.make_models(settings, database)
        adapters: dict[str, Adapter] = {stage.platform: stage.adapter() for stage in self._stages}
        for adapter in adapters.values():
            adapter.listen = partial(self._listen, adapter.listen)  # type: ignore[method-assign]
        try:
            await wiring.run(
                settings,
                database=database,
                model=model,
                adapters=adapters,
                stop=self._stop,
                timings=self._timings,
                others=others,
            )
        finally:
            for adapter in adapters.values():
                await adapter.close()
            for one in (model, *others.values()):
                await one.close()
            await database.close()

    async def _listen(self, listen: Callable[[Receive], Awaitable[None]], receive: Receive) -> None:
        self.started.set()
        await listen(receive)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        await self._group.__aexit__(kind, error, trace)


async def tell(url: str, stage: Stage, text: str) -> None:
    """Stores a notice in the main session of a stage, from beside the program; whoever is free delivers it."""
    database = connect(url)
    found = await database.read(places.find, Address.parse(stage.session("main")))
    assert found is not None
    assert await database.write(notices.tell, found[0], name="warning 1", text=text)
    await database.close()


DAY = 86_400
MILLISECONDS = (
    *(sessions.c[name] for name in ("touched_at", "spoken_at", "silent_since", "present_since", "due_at")),
    *(table.c.due_at for table in (schema.chores, schema.folds, schema.deliveries)),
    *(segments.c.opened_at, schema.presence.c.heard_at, schema.gone.c.gone_at, schema.checkpoints.c.made_at),
)
MICROSECONDS = (
    *(sessions.c.live_since, sessions.c.unrecorded_until, schema.unrecorded.c.since, schema.unrecorded.c.until),
    *(turns.c.at, turns.c.edited_at, schema.checkpoints.c.since),
)
"""What a session's row knows of times, in milliseconds."""


async def days_pass(url: str, days: int) -> None:
    """All that is known of times lies further back, as if the clocks had gone on.

    So the program starts as it does so many days later: also when somebody was last heard lies so far back, and what
    was said since is looked for.
    """

    def move(connection: Connection) -> None:
        for unit, columns in ((1_000, MILLISECONDS), (1_000_000, MICROSECONDS)):
            for column in columns:
                back = {column.name: column - days * DAY * unit}
                connection.execute(update(column.table).where(column > 0).values(back))

    database = connect(url)
    async with asyncio.timeout(30):
        while await database.read(_under_way):  # noqa: ASYNC110 – what is on screen may not be over yet
            await asyncio.sleep(0.02)
    await database.write(move)
    await database.close()


def _under_way(connection: Connection) -> bool:
    return connection.execute(select(turns.c.seq).where(WAITS).limit(1)).first() is not None
