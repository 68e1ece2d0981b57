"""What `status` says of what a session has cost: in plain words, and honest about what is not known."""

from dataclasses import replace

import pytest

from core.commands.spending import told
from core.model.llm import Finish, Usage
from core.model.metered import Metered
from core.model.prices import Price, Prices
from core.session import SessionKey
from core.store import Database, ledger
from core.store.ledger import MOST, Call, Spent
from tests.script import house
from tests.values import HERE, message

PRICES = Prices(known={"m": Price(input=4, cached=1, cache_write=5, output=20, long=100, long_input=2)})


def spent(model: str = "m", *, estimated: bool = False, shown: int = 20_000, cached: int = 5_000) -> Spent:
    return Spent(
        model=model, estimated=estimated, above=0.0, shown=shown, cached=cached, cache_written=1_000, written=1_000
    )


def test_the_cached_share_and_the_money_are_a_line_each() -> None:
    assert told([spent()], PRICES).splitlines() == [
        "",
        "For this session my model has read 20,000 tokens so far, 25% of them from its provider's cache.",
        "It has cost $0.09 so far, at list price.",
    ]


def test_of_very_many_calls_the_newest_are_told_as_such() -> None:
    _, read, cost = told([spent(), replace(spent("x"), calls=MOST - 1)], PRICES).splitlines()

    assert read.startswith("For this session my model has read 40,000 tokens in its last 1,000 calls, 25% of them")
    assert cost == "It has cost $0.09 in its last 1,000 calls, at list price, beside x, whose price I don't know."


def test_what_was_estimated_says_so() -> None:
    _, read, cost = told([spent(), spent(estimated=True, cached=0)], PRICES).splitlines()

    assert read == (
        "For this session my model has read about 40,000 tokens so far, 12% of them from its provider's cache. "
        "Where its server told no figures, I have counted."
    )
    assert cost == "It has cost about $0.19 so far, at list price."


def test_a_price_that_is_not_known_is_said_and_never_nothing() -> None:
    assert told([spent("x"), spent("y")], PRICES).endswith(
        "\nWhat that has cost I can't say: I don't know the price of x and y."
    )
    assert told([spent("x"), spent()], PRICES).endswith(
        "\nIt has cost $0.09 so far, at list price, beside x, whose price I don't know."
    )


@pytest.mark.parametrize(
    ("price", "words"),
    [
        (0, "$0.00"),
        (0.001, "less than $0.0001"),
        (0.21, "$0.0042"),
        (0.2, "$0.004"),
        (0.5, "$0.01"),
        (123_456, "$2,469.12"),
    ],
)
def test_small_money_is_no_nothing(price: float, words: str) -> None:
    prices = Prices(known={"m": Price(input=price, cached=price, cache_write=price, output=0)})
    assert f"has cost {words} so far" in told([spent()], prices)


def test_nothing_is_said_where_nothing_was_read() -> None:
    assert told([], PRICES) == ""
    assert told([spent(shown=0)], PRICES) == "", "every call has failed"


def call(number: int, **facts: object) -> Call:
    known: dict[str, object] = {"workspace": 1, "call": number, "session": 1, "seq": 1, "at": 1, "author": "U1"}
    known |= {"purpose": "answer", "model": "m", "outcome": "answered", "shown": 60, "cached": 30, "cache_written": 6}
    return Call(**(known | {"written": 5, "reasoning": 0, "estimated": False} | facts))  # type: ignore[arg-type]


async def test_the_calls_of_this_session_are_summed_by_what_is_billed_alike(database: Database) -> None:
    for one in (
        call(1),
        call(2),
        call(3, shown=101),
        call(4, shown=100, estimated=True, cached=0),
        call(5, model="n", outcome="ModelInterrupted"),
        call(6, session=2),
        call(7, workspace=2),
    ):
        await database.write(ledger.record, one)

    key = SessionKey(workspace=1, session=1, address=HERE)
    found = await database.read(ledger.spent, key, PRICES.steps)

    assert [(one.model, one.estimated, one.above, one.shown, one.cached) for one in found] == [
        ("m", False, 0.0, 120, 60),
        ("m", False, 100.0, 101, 30),
        ("m", True, 0.0, 100, 0),
        ("n", False, 0.0, 60, 30),
    ]
    assert [(one.cache_written, one.written) for one in found] == [(12, 10), (6, 5), (6, 5), (6, 5)]
    assert len(await database.read(ledger.spent, key, ())) == 3


async def test_status_says_it_of_the_session_that_asks(database: Database) -> None:
    used = Usage(shown=20_000, cached=5_000, cache_written=1_000, written=1_000)
    async with house(database, ["yes", Finish(model="m-2026-11-29", usage=used)]) as running:
        running.mind.model = Metered(running.model, lambda call: database.write(ledger.record, call))
        running.mind.prices = PRICES
        await running.say(message("!status"))
        await running.over()
        await running.say(message("do you like tea?"))
        await running.over()
        await running.mind.model.close()
        await running.say(message("!status"), message("!reset"))
        await running.over()
        await running.say(message("!status"))
        await running.adapter.until(lambda: len(running.adapter.texts) == 5)
        await running.over()

    lines = told([replace(spent(), above=100.0)], PRICES)
    assert "$0.15" in lines
    new, *rest = [text for text in running.adapter.texts if "Answers come from" in text]
    assert "provider" not in new
    assert [text.endswith(lines) for text in rest] == [True, True], "a reset takes no cost back"
