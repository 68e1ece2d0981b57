"""What chaos does to an answer is no more than the bot says that it stands."""

from tests.chaos.misfortune import Gusts
from tests.wire.openai import BROKEN, Break, Fault, Request, Weather

SNAPPED = Break(how="dropped")


def gusts(fault: Fault) -> Gusts:
    return Gusts(Weather(seed=1, rate=1.0, faults=[fault]))


def about(text: str) -> Request:
    return Request(api="responses", body={"input": [{"role": "user", "content": text}]}, headers={})


def test_no_answer_breaks_off_so_often_that_its_asker_is_told_so_and_an_edit_is_the_same_message() -> None:
    there = gusts(SNAPPED)
    asked = [about("tell me about K00014S"), about("tell me about K00014Sb"), about("tell me about K00014Sc")]
    met = [isinstance(there.meet(request), Break) for request in asked]
    assert met == [True, True, False]
    assert isinstance(there.meet(about("tell me about K00015S")), Break)


def test_what_passes_by_itself_comes_as_often_as_chance_has_it() -> None:
    there = gusts(BROKEN)
    assert [there.meet(about("tell me about K00014S")) for _ in range(9)] == [BROKEN] * 9
