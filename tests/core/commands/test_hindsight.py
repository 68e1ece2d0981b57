"""What the model was shown for an earlier answer is told by a link to it: how much, and what has become of that."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from core.schema import turns
from core.seam.address import Address
from core.seam.links import Linked
from core.seam.messages import Audience, Deleted, Edited, Inbound, Quote
from core.session import Fold
from core.store import Database, doubts, ledger, places, recalling
from core.store.ledger import Call
from tests.core.assistant.test_folding import folding_house, talk
from tests.core.commands.test_pictures import bars
from tests.core.commands.test_settings import said
from tests.script import House, TranscriptAdapter, house
from tests.values import ADA, BEN, HERE, message

THERE = replace(HERE, thread="there")


class Linking(TranscriptAdapter):
    """A platform whose links say where and which: https://links.example/SESSION/MESSAGE."""

    async def linked(self, words: str) -> Linked | None:
        *_, host, session, number = ["", "", *words.split("/")]
        return Linked(address=Address.parse(session), message=number) if host == "links.example" else None


def link(number: str, address: Address = HERE) -> str:
    return f"https://links.example/{address.id}/{number}"


def shown(running: House, text: str) -> str:
    """The ID of the message on screen that says this."""
    return next(number for number, reply in running.adapter.screen.items() if reply.text == text)


def overheard(text: str) -> Inbound:
    return message(text, author=BEN, direct=False, audience=Audience.OTHERS)


def first_line(told: str) -> str:
    return told.partition("\n")[0]


def moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


async def hindsight(running: House, number: str, address: Address = HERE) -> str:
    told = await said(running, f"!context {link(number, address)}")
    assert running.adapter.delivered[-1].private
    return told


async def test_it_says_how_much_was_shown_and_since_when(database: Database) -> None:
    async with house(database, "One.", "Two.", "Three.", adapter=Linking()) as running:
        await said(running, "first", at=1_700_000_000.0)
        await said(running, "!status")
        await running.say(overheard("aside"))
        await said(running, "second")
        await said(running, "third")
        one, two, three = [await hindsight(running, shown(running, text)) for text in ("One.", "Two.", "Three.")]

    name = running.model.name
    assert first_line(one) == f"For this answer {name} was shown its question alone."
    assert first_line(two) == (
        f"For this answer {name} was shown 2 turns word for word and 1 of the messages around them that I overheard, "
        "since 2023-11-14 22:13 UTC, and its question."
    )
    assert "was shown 4 turns word for word and 1 of the messages" in three, "a command and its answer are none"
    assert len(running.model.prompts) == 3, "no matter for the model"


async def test_what_was_not_shown_does_not_count(database: Database) -> None:
    """What was overheard too long before; and of a summary, the command that asked for it."""
    async with house(database, "One.", "A summary.", "Two.", adapter=Linking()) as running:
        await said(running, "first")
        await said(running, "!summarize")
        await running.say(*(overheard(f"aside {number}") for number in range(25)))
        await said(running, "second")
        told = await hindsight(running, shown(running, "Two."))

    assert "3 turns word for word and 20 of the messages" in told


async def test_it_says_what_was_edited_and_erased_since(database: Database) -> None:
    early, kept, gone = overheard("early"), overheard("kept"), overheard("gone")
    async with house(database, "One.", "Two.", adapter=Linking()) as running:
        await said(running, "first")
        await running.say(early, kept, gone)
        await running.say(Edited(message=replace(early, text="earlier"), at=early.at + 1))
        await said(running, "second")
        before = await hindsight(running, shown(running, "Two."))
        await running.say(Edited(message=replace(kept, text="changed"), at=kept.at + 1_000))
        await running.say(Deleted(address=HERE, id=gone.id))
        after, first = [await hindsight(running, shown(running, text)) for text in ("Two.", "One.")]

    assert "2 turns word for word and 3 of the messages" in before
    assert "since it was asked" not in before, "what was edited before was shown as it was then"
    assert after.splitlines()[:2] == [
        first_line(before),
        "Of these, 1 was edited and 1 was erased since it was asked.",
    ]
    assert "edited" not in first


async def test_times_are_told_in_the_zone_that_is_set_there(database: Database) -> None:
    async with house(database, "One.", "Two.", adapter=Linking()) as running:
        running.mind.policy = replace(running.mind.policy, may_set=None)
        await said(running, "!set zone Asia/Tokyo")
        await said(running, "first", at=1_700_000_000.0)
        await said(running, "second", at=1_700_000_100.0)
        status, told = await said(running, "!status"), await hindsight(running, shown(running, "Two."))

    assert status.startswith("I remember 4 turns here, since 2023-11-15 07:13 Asia/Tokyo.")
    assert "since 2023-11-15 07:13 Asia/Tokyo, and its question" in told


async def test_it_draws_what_each_part_took(database: Database) -> None:
    async with house(database, "One.", "Two.", adapter=Linking()) as running:
        await said(running, "first")
        await running.say(overheard("aside"))
        await said(running, "second")
        one, two = [await hindsight(running, shown(running, text)) for text in ("One.", "Two.")]

    assert set(bars(one)) == {"instructions", "question"}
    assert set(bars(two)) == {"instructions", "turns", "overheard", "question"}
    assert bars(two)["turns"][0] > bars(two)["overheard"][0] > 0
    assert "not shown" not in one + two


async def test_what_is_quoted_counts_as_the_model_will_be_shown_it(database: Database) -> None:
    """In brief, where the window holds it: so the next answer was shown what was foretold."""
    long = message("many words of this and that " * 40)
    quote = Quote(kind="replies to", text=long.text, author=ADA, at=long.at, message=long.id)
    async with house(database, adapter=Linking()) as running:
        await running.say(long)
        await running.over()
        await running.say(message("is it so?", quotes=(quote,)))
        await running.over()
        foretold = await said(running, "!context")
        await said(running, "last")
        told = await hindsight(running, shown(running, "You said: last"))

    assert bars(foretold)["turns"][0] == bars(told)["turns"][0]


async def test_it_says_what_was_set_aside_and_what_had_no_room(database: Database) -> None:
    """By what the question had before it: an undo of later makes no difference."""
    async with house(database, "One.", "Two.", "Three.", adapter=Linking()) as running:
        await said(running, "first")
        await said(running, "!reset")
        for number in range(25):
            await running.say(overheard(f"aside {number}"))
        await said(running, "second")
        await said(running, "!undo")
        await said(running, "third")
        two, three = [await hindsight(running, shown(running, text)) for text in ("Two.", "Three.")]

    aside, left = [line for line in two.splitlines() if line.startswith("- not shown")]
    assert aside.startswith("- not shown: 2 turns of ")
    assert aside.endswith(" tokens, set aside before that")
    assert left.startswith("- not shown: 5 turns of ")
    assert left.endswith(" tokens, left out for what is newer")
    assert "set aside" not in three


async def test_what_is_stored_without_its_words_is_not_told_as_left_out_for_want_of_room(database: Database) -> None:
    async with house(database, "One.", "Two.", adapter=Linking()) as running:
        running.mind.policy = replace(running.mind.policy, memory="lean")
        await said(running, "first")
        await running.say(overheard("aside"), overheard("and more"))
        await said(running, "second")
        told = await hindsight(running, shown(running, "Two."))

    assert "was shown 2 turns word for word" in told
    assert "not shown" not in told


async def test_of_a_summary_since_a_moment_it_says_that_the_rest_was_not_asked_for(database: Database) -> None:
    async with house(database, "One.", "Two.", "Of two.", "Of all.", adapter=Linking()) as running:
        await said(running, "first", at=1_700_000_000.0)
        await said(running, "second", at=1_700_100_000.0)
        await said(running, "!summarize since 1h", at=1_700_100_060.0)
        await said(running, "!summarize", at=1_700_100_070.0)
        ids = {reply.text.partition("\n")[0]: number for number, reply in running.adapter.screen.items()}
        part, whole = await hindsight(running, ids["Of two."]), await hindsight(running, ids["Of all."])

    (left,) = [line for line in part.splitlines() if line.startswith("- not shown")]
    assert left.startswith("- not shown: 2 turns of ")
    assert left.endswith(" tokens, older than what was asked for, or without room")
    assert "not shown" not in whole


async def test_it_says_which_records_were_shown_and_of_when_they_tell(database: Database) -> None:
    async with folding_house(database, adapter=Linking()) as running:
        await talk(running, 1, 30)
        await running.say(message("What was it?"))
        await running.over()
        place = await database.read(places.find, HERE)
        assert place is not None
        stood = [one for one in await database.read(recalling.shown, place.key) if one.kind is not Fold.STATE]
        *_, newest = running.adapter.screen
        told = await hindsight(running, newest)
        await talk(running, 31, 60)
        later = await hindsight(running, newest)

    spans = "; ".join(f"{moment(one.since)} – {moment(one.until)}" for one in stood)
    assert f"- what was said before that, told in {len(stood)} record{'s' * (len(stood) > 1)}: of {spans}" in told
    assert "checkpoints" in bars(told)
    assert later == told, "what has become of them since makes no difference"


async def test_it_says_what_was_billed_for_it(database: Database) -> None:
    async with house(database, "One.", adapter=Linking()) as running:
        await said(running, "first")
        place = await database.read(places.find, HERE)
        assert place is not None
        for number, (outcome, read) in enumerate([("answered", 1_234), ("answered", 3_210), ("ModelUnavailable", 9)]):
            call = Call(
                workspace=place.key.workspace,
                call=number,
                session=place.key.session,
                seq=1,
                at=1,
                author=None,
                purpose="answer",
                model="m",
                outcome=outcome,
                shown=read,
                cached=1_024,
                cache_written=0,
                written=55,
                reasoning=0,
                estimated=False,
            )
            await database.write(ledger.record, call)
            await database.write(ledger.record, replace(call, call=90 + number, seq=2, shown=7))
        told = await hindsight(running, shown(running, "One."))
        await database.write(
            ledger.record, replace(call, call=99, outcome="stopped", shown=5, cached=0, estimated=True)
        )
        stopped = await hindsight(running, shown(running, "One."))

    assert told.splitlines()[1] == (
        "It read 3,210 tokens for that, 1,024 of them from its provider's cache, and wrote 55."
    )
    assert sum(tokens for tokens, _ in bars(told).values()) == 3_210, "by section, as they were billed"
    assert "It read about 5 tokens" in stopped
    assert "wrote about 55" in stopped


async def test_it_says_what_a_link_does_not_lead_to(database: Database) -> None:
    there = replace(message("elsewhere"), address=THERE)
    async with house(database, "One.", "Elsewhere.", adapter=Linking()) as running:
        question = message("first")
        await running.say(question)
        await running.answered("One.")
        status = await said(running, "!status")
        await running.say(there)
        await running.adapter.until(lambda: "Elsewhere." in running.adapter.texts)
        await running.over()
        mine, theirs = shown(running, "One."), shown(running, "Elsewhere.")
        person, command, unknown, hidden = [
            await hindsight(running, number) for number in (question.id, shown(running, status), "m999", theirs)
        ]
        elsewhere = await hindsight(running, theirs, THERE)
        foreign = await said(running, "!context https://example.org/x")
        known = await hindsight(running, mine)

    assert {person, command, unknown, hidden} == {
        "The message at this link is none of my answers in this conversation."
    }
    assert elsewhere.startswith("This link leads to another conversation;")
    assert foreign == "This link leads to no message here."
    assert "its question alone" in known


async def test_it_says_so_where_it_is_not_known(database: Database) -> None:
    """An older release has not kept it."""
    async with house(database, "One.", adapter=Linking()) as running:
        await said(running, "first")
        await database.write(lambda connection: connection.execute(update(turns).values(shown_seqs=None)) and None)
        told = await hindsight(running, shown(running, "One."))

    assert told.startswith("I don't know what my model was shown for this answer")


async def test_every_message_of_a_long_answer_leads_to_it(database: Database) -> None:
    words = "many words " * 60
    async with house(database, words, adapter=Linking(max_text=300)) as running:
        await said(running, "first")
        parts = list(running.adapter.screen)
        told = [await hindsight(running, number) for number in parts[:2]]

    assert len(parts) > 1
    assert all("its question alone" in one for one in told)


async def test_an_answer_of_long_ago_is_known_by_its_turn(database: Database) -> None:
    async with house(database, "One.", adapter=Linking()) as running:
        await said(running, "first")
        assert await database.write(doubts.forget) == 1
        told = await hindsight(running, shown(running, "One."))

    assert "its question alone" in told


@pytest.mark.parametrize(
    "words", ["please", "http://links.example/x", "of my life", "https://a.example https://b.example"]
)
async def test_what_is_no_link_is_told_how_it_is_said_and_with_a_mention_is_talk(
    database: Database, words: str
) -> None:
    async with house(database, adapter=Linking()) as running:
        told = await said(running, f"!context {words}")
        talk = await said(running, f"context {words}", direct=False, audience=Audience.BOT)

    assert told == f"`{words}` is no link to a message. Say `context [LINK]`."
    assert talk == f"You said: context {words}"
