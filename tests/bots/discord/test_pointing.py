"""What people point at reaches the model: whole questions over Discord's wire, and the model's requests for them."""

import re
from collections.abc import AsyncIterator

import pytest

from core.store import connect, presence
from core.timings import Timings
from tests.talk import Running
from tests.wire.discord import DiscordStage
from tests.wire.endless import ENDLESS
from tests.wire.openai import OpenAIServer


@pytest.fixture
def dialect() -> str:
    return "sqlite"


@pytest.fixture
async def model() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer() as server:
        server.answer = lambda request: f"answer {len(server.requests)}"
        yield server


class Talk:
    """One stage and one model, and what is asked and answered between them."""

    def __init__(self, stage: DiscordStage, model: OpenAIServer) -> None:
        self.stage, self.model = stage, model

    async def answered(self, count: int, place: str = "main") -> None:
        """The model was asked so many times in all, and the last answer is on screen."""
        await self.stage.until(lambda: any(one.text.startswith(f"answer {count}") for one in self.stage.shown(place)))

    def told(self, nth: int = -1) -> str:
        """The question as the model was shown it, with every instant as THEN."""
        return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "THEN", self.model.requests[nth].last)

    def who(self, name: str) -> str:
        return f"{name} ({self.stage.world.person(name)['id']})"


@pytest.fixture
async def talk(url: str, stage: DiscordStage, model: OpenAIServer) -> AsyncIterator[Talk]:
    async with Running(url, model, stage):
        yield Talk(stage, model)


def mention(stage: DiscordStage, text: str) -> str:
    return f"<@{stage.world.bot['id']}> {text}"


@pytest.mark.parametrize("between", [1, 23])
async def test_a_question_quotes_what_it_replies_to(talk: Talk, between: int) -> None:
    """C2: two messages back, or 24, where the window no longer holds it."""
    stage = talk.stage
    claim = await stage.say("water boils at 90 degrees", author="ben", to_bot=False)
    for number in range(between):
        await stage.say(f"chatter {number}", author="cy", to_bot=False)
    await stage.answer(mention(stage, "is this right?"), claim)
    await talk.answered(1)
    assert talk.told() == (
        f"[{talk.who('ada')} THEN quotes 1]\n"
        f"> [replies to {talk.who('ben')} THEN]\n"
        ">> water boils at 90 degrees\n\n"
        "is this right?"
    )


@pytest.mark.parametrize(("between", "is_whole"), [(1, False), (23, True)])
async def test_what_the_window_holds_is_quoted_briefly(talk: Talk, between: int, is_whole: bool) -> None:
    """C2"""
    stage = talk.stage
    claim = " ".join(f"word{number}" for number in range(150))
    said = await stage.attach(claim, ("app.log", b"a line\n" * 150, None), author="ben", to_bot=False)
    for number in range(between):
        await stage.say(f"chatter {number}", author="cy", to_bot=False)
    await stage.answer(mention(stage, "is this right?"), said)
    await talk.answered(1)
    told = [text for _, text in talk.model.requests[-1].texts]
    assert f"> [replies to {talk.who('ben')} THEN]\n>> word0 word1 " in talk.told()
    assert f"> [attaches {talk.who('ben')} THEN “app.log”]\n>> a line\n" in talk.told()
    assert talk.told().endswith("is this right?")
    assert ("word75" in talk.told()) is is_whole
    assert sum(text.count("word75") for text in told) == 1
    assert sum(text.count("a line") for text in told) in (range(150, 151) if is_whole else range(151, 200))


async def test_a_reply_to_the_last_answer_quotes_it_briefly(talk: Talk) -> None:
    """C2: people answer the bot so, time and again."""
    stage = talk.stage
    long = "answer 1: " + " ".join(f"word{number}" for number in range(150))
    talk.model.answer = lambda request: long if len(talk.model.requests) == 1 else "answer 2"
    await stage.say("hello")
    await talk.answered(1)
    await stage.until(lambda: stage.shown()[0].text == long)
    await stage.answer("is this right?", stage.shown()[0].id)
    await talk.answered(2)
    assert "> [replies to you THEN]\n>> answer 1: word0 " in talk.told()
    assert "word75" not in talk.told()
    assert ("assistant", long) in talk.model.requests[-1].texts


async def test_a_reply_to_the_bots_own_answer_quotes_it_after_a_reset(talk: Talk) -> None:
    """C2"""
    stage = talk.stage
    await stage.say("hello")
    await talk.answered(1)
    (answer,) = stage.shown()
    await stage.say("!reset")
    await stage.until(lambda: any("aside" in one.text for one in stage.shown()))
    await stage.answer("is this right?", answer.id)
    await talk.answered(2)
    assert [text for _, text in talk.model.requests[-1].texts] == [talk.model.requests[-1].last]
    assert talk.told() == (f"[{talk.who('ada')} THEN quotes 1]\n> [replies to you THEN]\n>> answer 1\n\nis this right?")


async def test_what_is_quoted_follows_its_message(talk: Talk) -> None:
    """C2: also where nobody has heard it when it was said."""
    stage = talk.stage
    claims = [await stage.say(text, author="ben", to_bot=False) for text in ("the old claim", "to be deleted")]
    for number in range(23):
        await stage.say(f"chatter {number}", author="cy", to_bot=False)
    for count, claim in enumerate(claims, 1):
        await stage.answer(mention(stage, "is this right?"), claim)
        await talk.answered(count)
    await stage.edit(claims[0], "the new claim")
    await stage.delete(claims[1])
    await stage.say("and now?")
    await talk.answered(3)
    told = "\n".join(text for _, text in talk.model.requests[-1].texts)
    assert ">> the new claim" in told
    assert "old claim" not in told
    assert "deleted" not in told


async def test_an_edited_question_still_quotes_what_it_replies_to(talk: Talk) -> None:
    stage = talk.stage
    claim = await stage.say("water boils at 90 degrees", author="ben", to_bot=False)
    question = await stage.answer(mention(stage, "is this right?"), claim)
    await talk.answered(1)
    await stage.edit(question, mention(stage, "is this wrong?"))
    await stage.say("and now?")
    await talk.answered(2)
    told = "\n".join(text for _, text in talk.model.requests[-1].texts)
    assert ">> water boils at 90 degrees\n\nis this wrong?" in told


async def test_a_forwarded_message_with_a_note_is_quoted(talk: Talk) -> None:
    """C1"""
    stage = talk.stage
    there = await stage.say("the build is red", place="builds", author="ben", to_bot=False)
    await stage.forward(there, mention(stage, "what now?"))
    await talk.answered(1)
    assert talk.told() == f"[{talk.who('ada')} THEN quotes 1]\n> [forwards THEN]\n>> the build is red\n\nwhat now?"


async def test_a_forwarded_message_without_a_note_is_a_question(talk: Talk) -> None:
    """C1"""
    stage = talk.stage
    there = await stage.say("the build is red", place="builds", author="ben", to_bot=False)
    await stage.direct("alone")
    await stage.forward(there, place="alone")
    await talk.answered(1, "alone")
    assert talk.told() == f"[{talk.who('ada')} THEN quotes 1]\n> [forwards THEN]\n>> the build is red"


BUILD = {
    "type": "rich",
    "title": "Build #12 (main) failed",
    "description": "3 tests are red",
    "fields": [{"name": "Branch", "value": "main", "inline": True}],
}


async def test_a_reply_to_an_embed_quotes_it(talk: Talk) -> None:
    """C3"""
    stage = talk.stage
    crawler = stage.world.person("crawler", bot=True)
    build = await stage.speak("", author=crawler, embeds=[BUILD])
    await stage.answer(mention(stage, "why?"), build)
    await talk.answered(1)
    assert talk.told() == (
        f"[{talk.who('ada')} THEN quotes 2]\n"
        f"> [replies to {talk.who('crawler')} THEN]\n"
        f"> [embeds {talk.who('crawler')} THEN]\n"
        ">> Build #12 (main) failed\n"
        ">> 3 tests are red\n"
        ">> Branch: main\n\n"
        "why?"
    )


POLL = {
    "question": {"text": "Where shall we eat?"},
    "answers": [{"answer_id": n, "poll_media": {"text": text}} for n, text in ((1, "Pizza"), (2, "Sushi"))],
}


async def test_a_poll_is_quoted_with_its_question_and_answers(talk: Talk) -> None:
    """C3"""
    stage = talk.stage
    poll = await stage.speak("", author=stage.world.person("ben"), poll=POLL)
    await stage.answer(mention(stage, "which one?"), poll)
    await talk.answered(1)
    assert (
        f"> [embeds {talk.who('ben')} THEN “poll”]\n>> Where shall we eat?\n>> - Pizza\n>> - Sushi\n\nwhich one?"
    ) in talk.told()


async def test_a_sticker_is_quoted(talk: Talk) -> None:
    """C3"""
    stage = talk.stage
    sticker = {"id": "7", "name": "Wave", "format_type": 1}
    await stage.speak(mention(stage, "guess"), sticker_items=[sticker])
    await talk.answered(1)
    assert talk.told() == f"[{talk.who('ada')} THEN quotes 1]\n> [embeds “sticker”]\n>> Wave\n\nguess"


async def test_the_preview_of_a_link_that_comes_later_is_no_edit(talk: Talk) -> None:
    """C3"""
    stage = talk.stage
    question = await stage.say("see https://example.org")
    await talk.answered(1)
    await stage.unfurl(question)
    await stage.say("and now?")
    await talk.answered(2)
    assert len(talk.model.requests) == 2
    assert [text.partition("] ")[2] for role, text in talk.model.requests[-1].texts if role == "user"] == [
        "see https://example.org",
        "and now?",
    ]


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("message.txt", "a long paste\nof two lines", "text/plain; charset=utf-8"),
        ("app.log", "12:00 it broke", None),
        ("sales.csv", "tea,4\ncoffee,12", "text/csv; charset=utf-8"),
        ("main.py", "print('hé')", "text/x-python"),
        ("notes", "who knows", "application/octet-stream"),
    ],
)
async def test_a_text_file_is_read(talk: Talk, name: str, data: str, kind: str | None) -> None:
    """C4: whatever it is called, and whatever Discord takes it for."""
    await talk.stage.attach("what is wrong here?", (name, data.encode(), kind))
    await talk.answered(1)
    quoted = "\n".join(f">> {line}" for line in data.splitlines())
    assert talk.told() == (f"[{talk.who('ada')} THEN quotes 1]\n> [attaches “{name}”]\n{quoted}\n\nwhat is wrong here?")
    (asked,) = talk.stage.world.asked("GET /cdn/")
    assert "Authorization" not in asked.body, "the file's server is not told our token"


async def test_a_paste_without_a_word_is_a_question(talk: Talk) -> None:
    """C4: Discord makes a file of what is too long, and nothing else is left."""
    await talk.stage.direct("alone")
    await talk.stage.attach("", ("message.txt", b"so much to say", "text/plain"), place="alone", to_bot=False)
    await talk.answered(1, "alone")
    assert talk.told() == f"[{talk.who('ada')} THEN quotes 1]\n> [attaches “message.txt”]\n>> so much to say"


async def test_what_is_not_read_is_said_to_the_asker_in_one_line(talk: Talk) -> None:
    """C4: an image is not even fetched; a document that says that it is text is known by its content."""
    files = [("cat.png", b"\x89PNG", "image/png"), ("plan.txt", b"%PDF-1.7", "text/plain")]
    await talk.stage.attach("look", *files)
    await talk.answered(1)
    (shown,) = talk.stage.shown()
    assert shown.text.splitlines()[-1] == (
        "_(I have not read cat.png (it is an image), plan.txt (it is a PDF document).)_"
    )
    assert "> [attaches “cat.png”, which you can't read: it is an image]\n" in talk.told()
    assert "> [attaches “plan.txt”, which you can't read: it is a PDF document]\n" in talk.told()
    assert len(talk.stage.world.asked("GET /cdn/")) == 1


async def test_a_file_whose_address_is_too_old_is_asked_for_again(talk: Talk) -> None:
    """C4: addresses are signed, and good for a day."""
    stage = talk.stage
    await stage.say("hello")
    await talk.answered(1)
    old = await stage.attach("see", ("app.log", b"it broke", None), author="ben", to_bot=False)
    await stage.say("heard", place="elsewhere")
    await talk.answered(2, "elsewhere")
    stage.world.signature += 1
    await stage.say("what is wrong?")
    await talk.answered(3)
    assert any("> [attaches “app.log”]\n>> it broke\n\nsee" in text for _, text in talk.model.requests[-1].texts)
    assert len(stage.world.asked(f"GET /channels/.*/messages/{old}$")) == 1
    assert len(stage.world.asked("GET /cdn/")) == 2


async def test_a_file_that_is_gone_is_said_to_be_unread(talk: Talk) -> None:
    """C4"""
    talk.stage.world.fault("GET /cdn/", status=404, times=2)
    await talk.stage.attach("look", ("a.txt", b"text", None))
    await talk.answered(1)
    assert "which you can't read: it could not be fetched]" in talk.told()
    assert "I have not read a.txt (it could not be fetched)" in talk.stage.shown()[0].text


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/attachments/1/2/a.txt",
        "https://cdn.discordapp.com.evil.example/a.txt",
        "https://cdn.discordapp.com@evil.example/a.txt",
        "http://cdn.discordapp.com/a.txt",
        "http://127.0.0.1:1/cdn/a.txt",
        "file:///etc/passwd",
        "",
    ],
)
async def test_a_file_is_fetched_from_discords_hosts_alone(talk: Talk, elsewhere: str) -> None:
    """C4"""
    file = {"id": "7", "filename": "a.txt", "size": 1, "url": elsewhere}
    talk.stage.world.signed = lambda part: part  # type: ignore[method-assign]  # this address is not Discord's own
    await talk.stage.speak(mention(talk.stage, "look"), attachments=[file])
    await talk.answered(1)
    assert "which you can't read: it could not be fetched]" in talk.told()
    assert not talk.stage.world.asked("GET /cdn/")


async def test_no_redirect_of_a_file_is_followed(talk: Talk) -> None:
    """C4"""
    talk.stage.world.fault("GET /cdn/", status=302, headers={"Location": "http://127.0.0.1:1/secret"})
    await talk.stage.attach("look", ("a.txt", b"text", None))
    await talk.answered(1)
    assert "which you can't read: it could not be fetched]" in talk.told()


async def test_a_file_that_does_not_come_holds_nobody_up(url: str, stage: DiscordStage, model: OpenAIServer) -> None:
    """C4"""
    talk = Talk(stage, model)
    stage.world.fault("GET /cdn/", hang=True)
    async with Running(url, model, stage, timings=Timings(fetch=0.1)):
        await stage.attach("look", ("a.txt", b"text", None))
        await talk.answered(1)
    assert "which you can't read: it could not be fetched in time]" in talk.told()


async def test_of_a_large_file_no_more_than_its_share_is_shown(talk: Talk) -> None:
    """C4"""
    await talk.stage.attach("look", ("big.log", b"line of a log\n" * 100_000, None))
    await talk.answered(1)
    assert "only the first 262,144 bytes" in talk.told()
    assert 5_000 < len(talk.told()) < 40_000


async def test_a_file_that_never_ends_is_read_as_far_as_it_is_shown(talk: Talk) -> None:
    await talk.stage.attach("look", ("big.log", ENDLESS, None))
    await talk.answered(1)
    assert "only the first 262,144 bytes" in talk.told()


async def test_a_thread_on_the_bots_own_answer_begins_with_it(talk: Talk) -> None:
    """C6"""
    stage = talk.stage
    await stage.say("hello")
    await talk.answered(1)
    (answer,) = stage.shown()
    await stage.thread("aside", on=answer.id)
    await stage.say("what did you mean?", place="aside")
    await talk.answered(2, "aside")
    texts = talk.model.requests[-1].texts
    assert texts[0] == ("assistant", "answer 1")
    assert texts[-1][1].endswith("what did you mean?")
    assert len(texts) == 2


async def test_a_long_thread_still_begins_with_what_it_hangs_on(talk: Talk) -> None:
    """C6: the newest of what was said is heard, and the answer that all of it is about."""
    stage = talk.stage
    await stage.say("hello")
    await talk.answered(1)
    (answer,) = stage.shown()
    await stage.thread("aside", on=answer.id)
    ben, began = stage.world.person("ben"), stage.world.now()
    ids = [stage.world.snowflake(began + number / 1000) for number in range(31)]  # no two in one millisecond
    for number in range(30):
        await stage.speak(f"comment {number}", place="aside", author=ben, id=ids[number])
    await stage.speak(mention(stage, "what did you mean?"), place="aside", id=ids[30])
    await talk.answered(2, "aside")
    texts = talk.model.requests[-1].texts
    assert texts[0] == ("assistant", "answer 1")
    assert [text.partition("] ")[2] for _, text in texts[1:]] == [
        *(f"comment {number}" for number in range(11, 30)),
        "what did you mean?",
    ]


@pytest.mark.parametrize("cached", [True, False])
async def test_a_posts_title_is_part_of_the_talk(talk: Talk, cached: bool) -> None:
    """C11"""
    stage = talk.stage
    post = await stage.thread("How do we deploy?", of="forum", post=True, cached=cached)
    await stage.speak(mention(stage, "any ideas?"), place="How do we deploy?", id=post)
    await talk.answered(1, "How do we deploy?")
    assert talk.told() == f"[{talk.who('ada')} THEN quotes 1]\n> [is under “How do we deploy?”]\n\nany ideas?"


async def test_a_posts_title_is_heard_however_late_the_bot_is_called(talk: Talk) -> None:
    """C11"""
    stage = talk.stage
    place = "How do we deploy?"
    post = await stage.thread(place, of="forum", post=True)
    await stage.speak("any ideas?", place=place, author=stage.world.person("ben"), id=post)
    for number in range(30):
        await stage.say(f"comment {number}", place=place, author="cy", to_bot=False)
    await stage.say("and you?", place=place)
    await talk.answered(1, place)
    told = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "THEN", talk.model.requests[-1].texts[0][1])
    assert told == f"[{talk.who('ben')} THEN quotes 1]\n> [is under “How do we deploy?”]\n\nany ideas?"


async def test_an_answer_is_written_in_what_discord_draws(talk: Talk) -> None:
    """C11: and the session remembers what the model has written."""
    written = "The area is $\\pi r^2$:\n\n~~~py\nprint(3 * r ** 2)\n~~~\n\nRun `npm install @here/maps-api`, @everyone."
    talk.model.answer = lambda request: written if len(talk.model.requests) == 1 else "answer 2"
    await talk.stage.say("how?")
    await talk.stage.until(lambda: any("everyone." in one.text for one in talk.stage.shown()))
    (shown,) = talk.stage.shown()
    assert shown.text == (
        "The area is `\\pi r^2`:\n\n```py\nprint(3 * r ** 2)\n```\n\nRun `npm install @here/maps-api`, @everyone."
    )
    posts = [one.body for one in talk.stage.world.asked("POST|PATCH") if "content" in (one.body or {})]
    assert all(body["allowed_mentions"]["parse"] == [] for body in posts), "C9: nobody is called all the same"
    await talk.stage.say("and now?")
    await talk.answered(2)
    assert ("assistant", written) in talk.model.requests[-1].texts


async def test_what_was_missed_is_read_with_its_quotes(url: str, stage: DiscordStage, model: OpenAIServer) -> None:
    """C2"""
    talk = Talk(stage, model)
    async with Running(url, model, stage):
        claim = await stage.say("water boils at 90 degrees", author="ben")
        await talk.answered(1)
    database = connect(url)
    await database.write(presence.beat, stage.platform, within=60.0)  # the talk so far was heard
    await database.close()
    stage.wait = False
    await stage.answer(mention(stage, "is this right?"), claim)
    async with Running(url, model, stage):
        await talk.answered(2)
    assert ">> water boils at 90 degrees\n\nis this right?" in talk.told()


async def test_a_file_that_is_taken_out_of_a_message_goes(talk: Talk) -> None:
    """C4: the words stay as they are; whose address is signed anew, stays too."""
    stage = talk.stage
    files = [("a.txt", b"the first", None), ("b.txt", b"the second", None)]
    question = await stage.attach("look", *files)
    await talk.answered(1)
    kept = stage.kept(question).payload
    kept["attachments"] = kept["attachments"][1:]
    await stage.edit(question, kept["content"])
    await stage.say("and now?")
    await talk.answered(2)
    told = "\n".join(text for _, text in talk.model.requests[-1].texts)
    assert ">> the second" in told
    assert "the first" not in told
