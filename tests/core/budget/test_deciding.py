"""Budgets: what holds for whom, when a period begins, and what still fits into what is left."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from core.budget import deciding, periods
from core.budget.caps import Cap, caps
from core.budget.deciding import Fits, Known, Over, Waits
from core.model.prices import Price, Prices
from core.policy import SETTINGS, Level, Limit, Limits, Overrides, Period, Policy, Unit, edited
from core.store.budgets import Day, Hold, Reserved
from core.store.ledger import Spent
from tests.values import HERE

PRICE = Price(input=2, cached=1, cache_write=4, output=10, long=1_000, long_input=2, long_output=3)
PRICES = Prices(known={"m": PRICE, "dear": replace(PRICE, output=100)})
CALL = Hold(hold=1, session=1, seq=1, author="U1", model="m", shown=100, written=400)
TODAY = 20_000


def cap(amount: float, unit: Unit = "tokens", period: Period = "day", **facts: str) -> Cap:
    return Cap(limit=Limit(amount=amount, unit=unit, period=period), **facts)


def day(shown: int, *, day: int = TODAY, here: bool = True, mine: bool = True, model: str = "m") -> Day:
    spent = Spent(model=model, estimated=False, above=0.0, shown=shown, cached=0, cache_written=0, written=0)
    return Day(day=day, here=here, mine=mine, calls=1, spent=spent)


def held(shown: int, *, channel: str = "c", author: str = "U1", seq: int | None = 9, age: int = 0) -> Reserved:
    return Reserved(session=1, seq=seq, channel=channel, author=author, model="m", shown=shown, written=0, age=age)


def known(*facts: Day | Reserved, prices: Prices = PRICES) -> Known:
    days = [one for one in facts if isinstance(one, Day)]
    return Known(days=days, held=[one for one in facts if isinstance(one, Reserved)], today=TODAY, prices=prices)


def test_all_that_are_set_hold_each_for_its_own_reach() -> None:
    def limits(said: str) -> Limits:
        found = SETTINGS["budget"].read(said)
        assert isinstance(found, tuple)
        return found

    policy = Policy().with_values(Level.DEPLOYMENT, {"budget": limits("9 usd/month"), "budget_person": limits("5/min")})
    workspace = edited(edited(None, "budget_person", "7 tokens/day"), "zone", "Asia/Tokyo")
    channel = edited(edited(None, "budget", "9 tokens/day"), "zone", "Europe/Berlin")
    policy = policy.under(Overrides(workspace=workspace, channel=channel))

    here = HERE.channel_address.id
    assert caps(policy, replace(HERE, thread="t"), "U1") == (
        cap(9, "usd", "month"),
        cap(5, "requests", "minute", author="U1"),
        cap(7, author="U1"),
        cap(9, channel=here),
    )
    assert caps(policy, HERE, "") == (cap(9, "usd", "month"), cap(9, channel=here)), "nobody has no budget of their own"
    assert policy.workspace_zone == "Asia/Tokyo", "a channel has no days of its own"


def test_days_weeks_and_months_begin_by_the_workspaces_zone() -> None:
    at = datetime(2026, 11, 30, 23, 30, tzinfo=UTC).timestamp()  # a Monday in UTC, and in Tokyo a Tuesday, the first
    utc, tokyo = periods.day(at, "UTC"), periods.day(at, "Asia/Tokyo")

    assert tokyo == utc + 1
    assert [periods.began(one, utc) - utc for one in ("day", "week", "month")] == [0, 0, -29]
    assert [periods.began(one, tokyo) - tokyo for one in ("day", "week", "month")] == [0, -1, 0]
    zone = ZoneInfo("Asia/Tokyo")
    assert [periods.ends(one, tokyo, "Asia/Tokyo") for one in ("day", "week", "month")] == [
        datetime(2026, 12, 2, tzinfo=zone),
        datetime(2026, 12, 7, tzinfo=zone),
        datetime(2027, 1, 1, tzinfo=zone),
    ]


def test_what_fits_may_be_as_long_as_it_is_asked_for() -> None:
    assert deciding.decide([cap(500)], CALL, known()) == Fits(written=400)
    assert deciding.decide([], CALL, known()) == Fits(written=400)


def test_where_less_is_left_the_answer_must_be_shorter() -> None:
    assert deciding.decide([cap(1_000), cap(700)], CALL, known(day(300))) == Fits(written=300)
    assert deciding.decide([cap(1_000)], CALL, known(day(836))) == Fits(written=64, near=(cap(1_000),))
    assert isinstance(deciding.decide([cap(1_000)], CALL, known(day(837))), Over), "so short an answer is worth no call"


def test_money_is_the_most_that_the_call_may_cost() -> None:
    """All that is read may be kept in the provider's cache, which is dearer than reading."""
    whole = (100 * 4 + 400 * 10) / 1e6
    assert deciding.decide([cap(whole, "usd")], CALL, known()) == Fits(written=400)
    assert deciding.decide([cap(whole - 1e-6, "usd")], CALL, known()) == Fits(written=399)
    long = replace(CALL, shown=1_001)
    assert known().worst(cap(1, "usd"), "m", long.shown, 400) == pytest.approx((1_001 * 4 * 2 + 400 * 10 * 3) / 1e6)


def test_what_is_used_up_stands_in_the_way_until_its_period_ends() -> None:
    spent = known(day(850), day(500, day=TODAY - 40))
    assert deciding.decide([cap(1_000, period="month")], CALL, spent) == Over(cap=cap(1_000, period="month"))
    assert deciding.decide([cap(99)], CALL, known()) == Over(cap=cap(99), never=True), "it never will fit"


def test_of_several_in_the_way_it_is_the_one_that_is_so_for_the_longest() -> None:
    day_, month, rate = cap(1_000), cap(1_000, period="month"), cap(1, "requests", "minute")
    asked, spent = held(0, age=1_000), day(1_000)

    for caps_ in ([day_, month, rate], [rate, month, day_]):
        assert deciding.decide(caps_, CALL, known(spent, asked)) == Over(cap=month)
    assert deciding.decide([rate, day_], CALL, known(spent, asked)) == Over(cap=day_), "a minute is no help"
    assert deciding.decide([month, cap(99)], CALL, known(spent)) == Over(cap=cap(99), never=True)
    slow = cap(1, "requests", "minute", author="U1")
    assert deciding.decide([slow, rate], CALL, known(asked)) == Over(cap=slow, seconds=59.0)


def test_every_day_begins_where_the_one_before_has_ended() -> None:
    """Also at the ends of the world, and where midnight is left out, or comes twice."""
    far = "Pacific/Kiritimati", "Pacific/Niue", "Asia/Kathmandu", "Australia/Lord_Howe"
    at_midnight = "America/Santiago", "America/Havana", "Asia/Beirut", "Africa/Cairo"
    for zone in (*far, *at_midnight):
        for today in range(20_450, 21_200):
            at = periods.ends("day", today, zone).timestamp()
            assert (periods.day(at - 1, zone), periods.day(at, zone)) == (today, today + 1), (zone, today)


def test_what_counts_is_under_the_cap_alone() -> None:
    elsewhere, others, before = day(900, here=False), day(900, mine=False), day(900, day=TODAY - 1)

    assert isinstance(deciding.decide([cap(1_000, channel="c")], CALL, known(elsewhere)), Fits)
    assert isinstance(deciding.decide([cap(1_000, author="U1")], CALL, known(others)), Fits)
    assert isinstance(deciding.decide([cap(1_000)], CALL, known(before)), Fits)
    for one in (elsewhere, others):
        assert isinstance(deciding.decide([cap(1_000)], CALL, known(one)), Over)
    assert isinstance(deciding.decide([cap(1_000, channel="c")], CALL, known(held(900, channel="d"))), Fits)
    assert isinstance(deciding.decide([cap(1_000, author="U1")], CALL, known(held(900, author="U2"))), Fits)


def test_what_is_held_for_others_is_waited_for_and_shortens_nothing() -> None:
    assert deciding.decide([cap(1_000)], CALL, known(held(501))) == Waits()
    assert deciding.decide([cap(1_000)], CALL, known(held(500))) == Fits(written=400)


def test_requests_are_counted_by_the_minute_whoever_is_still_answered() -> None:
    rate = cap(2, "requests", "minute", author="U1")
    old, one, two = held(1, seq=7, age=60_000), held(1, seq=8, age=45_000), held(0, seq=9, age=1_000)

    assert isinstance(deciding.decide([rate], CALL, known(old, one)), Fits)
    assert deciding.decide([rate], CALL, known(old, one, two)) == Over(cap=rate, seconds=15.0)
    assert isinstance(deciding.decide([rate], CALL, known(one, held(1, author="U2"))), Fits)
    assert isinstance(deciding.decide([rate], CALL, known(one, held(1, seq=None))), Fits)
    assert isinstance(deciding.decide([rate], CALL, known(one, one)), Fits), "two tries are one request"
    for again in (replace(CALL, seq=9), replace(CALL, seq=None)):
        assert isinstance(deciding.decide([rate], again, known(one, two)), Fits), "a second try is no second request"


def test_a_model_whose_price_is_not_known_counts_as_the_dearest_that_is() -> None:
    strange = replace(CALL, model="new")
    dearest = known().worst(cap(1, "usd"), "dear", 100, 400)

    assert known().worst(cap(1, "usd"), "new", 100, 400) == dearest
    assert deciding.decide([cap(dearest, "usd")], strange, known()) == Fits(written=400)
    nothing = known(prices=Prices())
    assert isinstance(deciding.decide([cap(1e9, "usd")], strange, nothing), Over), "without any price, no call is made"


def test_a_price_that_was_mistyped_and_is_mended_mends_what_was_spent_before() -> None:
    """Per million tokens, and typed as if it were for each."""
    mistyped = Prices(known={"m": replace(PRICE, input=2_000_000, cache_write=2_000_000)})
    spent = day(10_000)

    assert isinstance(deciding.decide([cap(5, "usd")], CALL, known(spent, prices=mistyped)), Over)
    assert isinstance(deciding.decide([cap(5, "usd")], CALL, known(spent)), Fits)


def test_what_is_nearly_used_up_is_told() -> None:
    rate = cap(1, "requests", "minute")
    fits = deciding.decide([cap(1_000), cap(2_000), rate], replace(CALL, shown=10, written=70), known(day(800)))

    assert fits == Fits(written=70, near=(cap(1_000),))
    assert deciding.near([cap(1_000)], known(day(799))) == ()
