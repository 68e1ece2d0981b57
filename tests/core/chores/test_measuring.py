"""Measuring: what one process learns of how a model counts, all processes hold against their budgets."""

from core.chores.measuring import Measuring
from core.model.calibration import Calibration
from core.model.openai import OpenAIModel
from core.model.openai.manners import Manners
from core.store import Database, servers
from tests.core.model.recollection import Recollection


def process(database: Database, server: str = "https://models.example/v1") -> tuple[Measuring, Calibration]:
    calibration = Calibration(openai=False)
    return measuring(database, server, calibrations={"m": calibration}), calibration


def measuring(database: Database, server: str, **facts) -> Measuring:
    facts = {"calibrations": {}, "models": [], "recollection": Recollection(database)} | facts
    return Measuring(database=database, server=server, **facts)


def taught(calibration: Calibration, reported: int) -> float:
    for _ in range(50):
        calibration.learn(1_000, reported)
    return calibration.measure


async def test_what_one_process_has_learnt_holds_in_the_others_and_after_a_restart(database: Database) -> None:
    (here, mine), (there, theirs) = process(database), process(database)
    learnt = taught(mine, 1_900)
    assert theirs.measure != learnt

    await here.look()
    await there.look()
    assert theirs.measure == learnt

    again, fresh = process(database)
    await again.look()
    assert fresh.measure == learnt


async def test_what_is_learnt_on_top_of_that_reaches_the_first(database: Database) -> None:
    (here, mine), (there, theirs) = process(database), process(database)
    taught(mine, 1_900)
    await here.look()
    await there.look()
    learnt = taught(theirs, 1_050)

    await there.look()
    await here.look()
    assert mine.measure == learnt


async def test_another_server_s_model_of_the_same_name_is_measured_by_itself(database: Database) -> None:
    (here, mine), (there, theirs) = process(database), process(database, "https://other.example/v1")
    taught(mine, 1_900)
    await here.look()
    await there.look()

    assert theirs.measure == Calibration(openai=False).measure


async def test_what_others_have_learnt_goes_on_being_learnt_from_there() -> None:
    calibration = Calibration(openai=False)
    calibration.adopt(1.5)
    calibration.learn(1_000, 1_500)
    assert calibration.measure == 1.5
    calibration.adopt(99.0)
    assert calibration.measure == Calibration.MOST, "no more than any tokenizer makes"


async def test_a_context_that_one_process_has_learnt_holds_in_the_others(database: Database) -> None:
    model = OpenAIModel(api_key="none", model="m", base_url="http://127.0.0.1:1")
    here = measuring(database, "http://127.0.0.1:1", models=[model])
    await here.look()
    assert model.context is None

    await database.write(servers.keep, "http://127.0.0.1:1 auto", "m", Manners(context=4_096).written())
    await here.look()
    assert model.context == 4_096
    await model.close()
