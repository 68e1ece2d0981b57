"""What models cost: every figure is somebody's word, and none is guessed."""

from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import ConfigurationError
from core.model.prices import Price, Prices, read
from core.store.ledger import Spent

MILLION = 1_000_000
SPENT = Spent(model="m", estimated=False, above=0.0, shown=MILLION, cached=0, cache_written=0, written=0)
PRICE = Price(input=4, cached=1, cache_write=5, output=20)
LONG = Price(input=4, cached=1, cache_write=5, output=20, long=1_000, long_input=2, long_output=1.5)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "prices.toml"


def test_the_default_model_costs_what_openai_says() -> None:
    price = Price(input=0.1, cached=0.01, cache_write=0.125, output=0.5, long=272_000, long_input=2, long_output=1.5)
    assert read(None).of("gpt-6-luna") == price
    assert read(None).of("gpt-6-luna-2026-09-22") == price, "a version of it"


@pytest.mark.parametrize("name", ["gpt-6", "gpt-6-luna-pro", "gpt-6-luna-mini-2026-09-22", "openai/gpt-6-luna"])
def test_no_other_model_is_taken_for_it(name: str) -> None:
    known = read(None)
    assert known.of(name) is None
    assert known.cost(replace(SPENT, model=name)) is None, "not known is not free"


@pytest.mark.parametrize(
    ("tokens", "cost"),
    [
        ({}, 4),
        ({"cached": MILLION}, 1),
        ({"cache_written": MILLION}, 5),
        ({"cached": MILLION // 2, "cache_written": MILLION // 4}, 0.5 + 1.25 + 1),
        ({"shown": 0, "written": MILLION}, 20),
        ({"shown": 0, "cached": MILLION}, 1),
    ],
)
def test_each_token_is_paid_once_at_its_own_price(tokens: dict[str, int], cost: float) -> None:
    assert Prices(known={"m": PRICE}).cost(replace(SPENT, **tokens)) == pytest.approx(cost)


def test_a_model_that_answers_under_another_name_costs_what_the_one_does_that_was_asked() -> None:
    known = Prices(known={"m": PRICE, "n": LONG})
    assert known.named("/models/m.gguf", asked="m") == "m"
    assert known.named("n", asked="m") == "n", "whose price is known"
    assert known.named("m-2026-11-01", asked="m") == "m-2026-11-01"
    assert known.named("strange", asked="stranger") == "strange", "that is the one to be told of"
    assert known.named("", asked="m") == "m"


@pytest.mark.parametrize(("above", "cost"), [(0.0, 24), (999.0, 24), (1_000.0, 4 * 2 + 20 * 1.5), (9_999.0, 38)])
def test_a_long_request_is_dearer_as_a_whole(above: float, cost: float) -> None:
    spent = replace(SPENT, written=MILLION, above=above)
    assert Prices(known={"m": LONG}).cost(spent) == pytest.approx(cost)


def test_the_operators_prices_are_added_and_take_the_place_of_others(file: Path) -> None:
    file.write_text("""
        ["my.model-7b"]
        input = 0
        cached = 0
        cache_write = 0
        output = 0
        [gpt-6-luna]
        input = 4
        cached = 1
        cache_write = 5
        output = 20
    """)
    known = read(file)
    assert known.of("gpt-6-luna") == PRICE
    assert known.cost(replace(SPENT, model="my.model-7b")) == 0
    assert known.steps == set()
    assert read(None).steps == {272_000}


ENTRY = "[m]\ninput = 1\ncached = 1\ncache_write = 1\n"
WRONG = [
    ("input = 1", "input stands by itself"),
    ("[m", "no TOML"),
    (ENTRY, "m has no output"),
    (f"{ENTRY}output = 1\ndiscount = 2", "m has discount.*write input, cached, cache_write, output"),
    (ENTRY.replace("[m]", "[m.1]") + "output = 1", "m has 1.*quotes"),
    (f"{ENTRY}output = -1", "m has -1 for output"),
    (f'{ENTRY}output = "1 $"', "m has '1 \\$' for output"),
    (f"{ENTRY}output = true", "m has True for output"),
    (f"{ENTRY}output = inf", "m has inf for output"),
    (f"{ENTRY}output = nan", "m has nan for output"),
    (f"{ENTRY}output = 1{'0' * 400}", "m has 10+ for output, which is no number from 0 to 1,000,000,000"),
    (f"{ENTRY}output = 1e300", "m has 1e.300 for output"),
]


@pytest.mark.parametrize(("text", "words"), WRONG, ids=[words[:20] for _, words in WRONG])
def test_a_wrong_file_is_said_with_what_is_wrong_in_it(file: Path, text: str, words: str) -> None:
    file.write_text(text)

    with pytest.raises(ConfigurationError, match=f"^BACKSCROLL_PRICES_FILE: .*prices.toml: .*{words}"):
        read(file)


@pytest.mark.parametrize(("name", "words"), [("missing", "No such file"), (".", "directory"), ("latin", "UTF-8")])
def test_a_file_that_can_not_be_read_is_said_so(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "latin").write_bytes("# für".encode("latin-1"))

    with pytest.raises(ConfigurationError, match=f"^BACKSCROLL_PRICES_FILE: .*{words}"):
        read(tmp_path / name)


def test_a_file_may_begin_with_the_mark_of_an_editor_on_windows(file: Path) -> None:
    file.write_text('\ufeff["mine"]\ninput = 1\ncached = 1\ncache_write = 1\noutput = 2\n', encoding="utf-8")

    assert read(file).of("mine") is not None
