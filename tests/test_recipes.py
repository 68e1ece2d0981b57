"""The recipes of CONTRIBUTING.md work: each is followed in miniature, and what it says is noticed is noticed."""

import asyncio
import importlib.util
import re
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path
from types import ModuleType
from typing import Literal

import pytest
from alembic import command as alembic
from alembic.config import Config
from sqlalchemy import Connection, inspect

from bots.discord.registration import group
from bots.slack.manifest import manifest
from core import config
from core.chores.expiring import Expiring
from core.chores.measuring import Measuring
from core.chores.runner import Chore, Chores
from core.chores.table import chores
from core.chores.telling_time import SharedClock
from core.chores.unrecorded import Returning
from core.commands.deeds import EFFECTS
from core.commands.orders import Desk, Said
from core.commands.table import COMMANDS, Command, Parameter
from core.config import Settings, examine_settings, read_settings
from core.delivery.reconcile import Reconciler
from core.events import Events
from core.intake.catchup import CatchUp
from core.spelling import misspelt_settings
from core.store import Database, connect
from core.work.shifts import Shifts
from tests import test_readme
from tests.core import test_config
from tests.core.model.recollection import Recollection
from tests.process import ROOT
from tests.script import BRISK, SECONDS, Watched, house
from tests.talk import Running
from tests.wire.console import ConsoleStage
from tests.wire.openai import OpenAIServer


def test_each_recipe_names_its_proof() -> None:
    recipes = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("\n## Recipes\n")[1].split("\n## ")[0]
    _, *each = recipes.split("\n### ")
    assert len(each) == 6

    for recipe in each:
        (proof,) = re.findall(r"^Proof: .*?`([^`]+)`", recipe, re.MULTILINE)
        assert callable(globals().get(proof)) or (ROOT / proof).exists(), recipe


# A command

GREET = Command(name="greet", help="Greet somebody", parameters=(Parameter(name="whom", help="Who it is"),))


def _greet(_connection: Connection, desk: Desk) -> Said:
    return Said(text=f"Hello, {desk.order.arguments['whom']}.")


@pytest.fixture
def with_greet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row in the table, and what is done for it."""
    monkeypatch.setitem(COMMANDS, GREET.name, GREET)  # type: ignore[arg-type]  # a dict, behind its type
    monkeypatch.setitem(EFFECTS, GREET.name, _greet)  # type: ignore[arg-type]


@pytest.mark.usefixtures("with_greet")
async def test_a_row_in_the_table_and_a_deed_are_a_command_on_the_console(url: str) -> None:
    async with OpenAIServer() as model, ConsoleStage() as stage, Running(url, model, stage):
        for line, said in (("!greet Ada", "Hello, Ada."), ("/greet Ben", "Hello, Ben."), ("!help", "`greet WHOM`")):
            await stage.say(line)
            await stage.until(lambda said=said: stage.shown() and said in stage.shown()[-1].text)

    assert model.requests == []


@pytest.mark.usefixtures("with_greet")
def test_a_command_is_offered_on_every_surface_and_missed_in_the_readme() -> None:
    assert "greet" in [one["name"] for one in group()["options"]]
    assert "greet" in manifest()["features"]["slash_commands"][0]["usage_hint"]
    with pytest.raises(AssertionError, match="greet"):
        test_readme.test_the_commands_are_in_it()


# A chore


@asynccontextmanager
async def working(database: Database, owner: str, *more: Chore) -> AsyncIterator[None]:
    """A process at all chores of the table, and more."""
    async with house(database, owner=owner) as running:
        shifts = Shifts(database=database, owner=owner, timings=BRISK)
        table = chores(
            database=database,
            reconciler=Reconciler(database=database, outbox=running.outbox, platforms=[], timings=BRISK),
            catch_up=CatchUp(database=database, inbox=running.inbox, shifts=shifts, timings=BRISK),
            adapters=[running.adapter],
            model=running.model,
            measuring=Measuring(
                database=database,
                server="",
                calibrations=running.mind.calibrations,
                models=[running.model],
                recollection=Recollection(database),
            ),
            clock=SharedClock(database),
            folding=running.folding,
            erasing=running.erasing,
            returning=Returning(database=database, wake=running.worker.wake),
            expiring=Expiring(database=database, policy=running.mind.policy, timings=BRISK),
            policy=running.mind.policy,
            audit_seconds=inf,
            events=Events(),
            timings=BRISK,
            owner=owner,
        )
        task = asyncio.create_task(Chores([*table, *more], shifts).work())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


class Greetings(Watched):
    """What a chore does: who has done it, and how often."""

    def __init__(self) -> None:
        super().__init__()
        self.by: list[str] = []

    def row(self, owner: str) -> Chore:
        async def greet() -> None:
            self.by.append(owner)
            self.change()

        return Chore(name="greeting", do=greet, every=0.2, after_failure=0.2, by_one=True)


async def test_one_row_in_the_table_is_a_chore_that_one_process_does_and_another_one_after_it(
    database: Database,
) -> None:
    greetings = Greetings()
    async with working(database, "other", greetings.row("other")), asyncio.timeout(SECONDS):
        async with working(database, "one", greetings.row("one")):
            await greetings.until(lambda: len(greetings.by) >= 3)
        before = len(greetings.by)
        await greetings.until(lambda: len(greetings.by) >= before + 3)

    assert greetings.by[-2:] == ["other", "other"]


# A setting


class Further(Settings):  # type: ignore[explicit-any]  # pydantic's
    """One setting more."""

    backscroll_greeting: Literal["hello", "moin"] = "hello"


@pytest.fixture
def with_greeting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A field of the settings, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config, "Settings", Further)


@pytest.mark.usefixtures("with_greeting")
def test_a_field_is_a_setting_that_is_read_checked_and_told_when_it_is_misspelt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BACKSCROLL_GREETING", "moin")
    settings = read_settings()
    assert isinstance(settings, Further)
    assert settings.backscroll_greeting == "moin"

    monkeypatch.setenv("BACKSCROLL_GREETING", "ahoy")
    assert examine_settings()[1] == ["BACKSCROLL_GREETING: Input should be 'hello' or 'moin'"]

    monkeypatch.setenv("BACKSCROLL_GREETINGS", "moin")
    assert [one.meant for one in misspelt_settings()] == ["BACKSCROLL_GREETING"]


@pytest.mark.usefixtures("with_greeting")
def test_a_setting_is_missed_in_the_readme_in_the_example_and_among_the_promised_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(test_readme, "Settings", Further)
    monkeypatch.setattr(test_config, "VARIABLES", [name.upper() for name in Further.model_fields])

    for told in (
        test_readme.test_the_settings_are_in_it,
        test_config.test_the_example_lists_every_setting_with_its_default,
        test_config.test_the_settings_and_their_defaults_are_the_promised_ones,
    ):
        with pytest.raises(AssertionError, match=r"(?i)backscroll_greeting"):
            told()


# A migration


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[ModuleType]:
    """The migrations as they are, in a folder in which more can be made."""
    folder = tmp_path / "migrations"
    shutil.copytree(ROOT / "migrations", folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "alembic.ini", tmp_path)
    spec = importlib.util.spec_from_file_location("further_migrations", folder / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def make(folder: Path, revision: str) -> None:
    """`alembic revision --rev-id REVISION -m "greetings"`, filled in."""
    alembic.revision(Config(str(folder / "alembic.ini")), message="greetings", rev_id=revision)
    path = folder / "migrations" / "versions" / f"{revision}_greetings.py"
    up, down = "op.add_column('gone', sa.Column('greeting', sa.Text()))", "op.drop_column('gone', 'greeting')"
    head, rest = path.read_text(encoding="utf-8").split("    pass\n", 1)
    path.write_text(f"{head}    {up}\n{rest.replace('pass', down)}", encoding="utf-8")


async def test_a_revision_that_is_made_as_told_goes_up_down_and_up_again(
    empty_url: str, tmp_path: Path, copied: ModuleType
) -> None:
    before = copied.newest()
    revision = f"{int(before) + 1:04}"
    make(tmp_path, revision)
    assert copied.newest() == revision

    def has_greetings(connection: Connection) -> bool:
        return "greeting" in {column["name"] for column in inspect(connection).get_columns("gone")}

    database = connect(empty_url)
    found = []
    for step, to in ((copied.upgrade, "head"), (copied.downgrade, before), (copied.upgrade, "head")):
        await database.write(step, to)
        found.append(await database.read(has_greetings))
    await database.close()

    assert found == [True, False, True]
