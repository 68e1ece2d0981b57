"""Whoever wants to be forgotten by a team is, by the running program and real clients, in every file and request."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from time import time

import pytest

from core.schema import checkpoints, erasures, turns
from core.seam.messages import Author
from core.session import Kind
from core.store import Database, connect
from core.store.inbound import accept
from core.timings import Timings
from tests.dumps import dumped
from tests.process import process
from tests.script import rows
from tests.stages import STAGES
from tests.talk import Running
from tests.test_folded_talk import asked_to_fold
from tests.test_off_the_record import forward, words_in
from tests.values import BEN, message
from tests.wire.discord import DiscordStage
from tests.wire.openai import OpenAIServer, Request
from tests.wire.slack import SlackStage
from tests.wire.slack.workspace import CHANNEL

OTHERS = ("ben", "cleo", "dora", "eve")
_MARK = re.compile(r"\b(?:ada|ben|cleo|dora|eve)word\d+\b")
FILLING = " and so we talked for long about this and that" * 30
BRISK = Timings(poll=0.1, fold=0.05, erase=0.1, reconcile=0.1)


def answer(request: Request) -> str:
    """All that it was shown, a line for each word; a record of what it is to fold."""
    asked = asked_to_fold(request)
    if asked is None:
        shown = _MARK.findall(str(request.texts))[-3:]
        return "\n".join(["Noted.", *(f"- I know {word}." for word in shown), "That is all."])
    told = sorted(set(_MARK.findall(request.texts[-1][1])))[:2]  # the alphabet begins with Ada
    return "\n".join(["# facts", *(f"- {word} was said ({asked[1]})" for word in told or ["nothing"])])


class Team:
    """Five people in threads of one channel, each with words of their own."""

    def __init__(self, stage: SlackStage, model: OpenAIServer, database: Database) -> None:
        self.stage, self.model, self.database = stage, model, database
        self.words: dict[str, list[str]] = {}

    async def say(self, author: str, *, place: str = "main", more: str = "", to_bot: bool = True) -> str:
        """Somebody says a word that nobody else says."""
        word = f"{author}word{sum(map(len, self.words.values()))}"
        self.words.setdefault(author, []).append(word)
        if to_bot:
            await self.stage.say(f"take {word} along{more}", place=place, author=author)
            return word
        other, root = self.stage.user("zoe"), self.stage._roots[place]
        typed = f"<@{other}> take {word} along"
        message = self.stage.server.workspace.add(CHANNEL, self.stage.user(author), typed, thread_ts=root)
        self.stage.sent(message, to_bot=False)
        await self.stage.change()
        return word

    async def answered(self, author: str, *, place: str = "main", more: str = "") -> Request:
        """The same, and what the model was shown for its answer, which is on screen by then."""
        word = await self.say(author, place=place, more=more)
        shown = self.stage.shown
        await self.stage.until(lambda: any(word in one.text and one.done for one in shown(place)), 60)
        return next(one for one in reversed(self.model.requests) if word in one.last and asked_to_fold(one) is None)

    async def until_stored(self, what, condition) -> None:
        async with asyncio.timeout(60):
            while not condition(await rows(self.database, what)):  # noqa: ASYNC110 – a database tells nobody
                await asyncio.sleep(0.05)


async def test_a_person_is_forgotten_by_a_team_of_five_with_folds_copies_and_a_queue(url: str) -> None:
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(OpenAIServer(answer=answer))
        stage = await stack.enter_async_context(SlackStage())
        database = connect(url)
        stack.push_async_callback(database.close)
        settings = {"clean_after": 0.2, "timings": BRISK, "backscroll_context_tokens": 6_000}
        async with Running(url, model, stage, **settings):
            team = Team(stage, model, database)
            await team.answered("ada")
            while not any(b"adaword" in one.body for one in await rows(database, checkpoints)):
                for author in (*OTHERS, "ada"):
                    await team.answered(author, more=FILLING)
            await team.say("ada", to_bot=False)
            await team.answered("ben", place="side")  # which has overheard how the first thread began
            await team.say("ada", place="side", to_bot=False)
            await stage.command("prefer about I am adaword999", author="ada")
            await stage.until(lambda: any("your about is" in one.text for one in stage.shown()))
            model.hold()
            for author in ("ben", "ada", "cleo"):
                await team.say(author)
            await stage.command("forget me", author="ada")
            await stage.until(lambda: any("It can't be undone" in one.text for one in stage.shown()))
            await stage.command("forget me yes", author="ada")
            await stage.until(lambda: any("I am forgetting it now" in one.text for one in stage.shown()))
            await team.until_stored(erasures, lambda found: any(one.done_at for one in found))
            model.release()
            await stage.until(lambda: any("I have forgotten you" in one.text for one in stage.shown()), 60)
            await team.until_stored(erasures, lambda found: not found)
            (receipt,) = [one for one in stage.shown() if "I have forgotten you" in one.text]
            known = len(model.requests)
            requests = [await team.answered(author) for author in ("ben", "cleo")]
            await team.answered("dora", place="side")
        assert receipt.private
        assert "in others' messages" not in receipt.text
        assert "1 person's preferences" in receipt.text
        assert _adas([str(one.texts) + one.instructions for one in model.requests[known:]]) == set()
        assert all(team.words["eve"][-1] in str(one.texts) for one in requests)
        said = [one.body.decode() for one in await rows(database, turns) if one.author is not None]
        others = [word for author in OTHERS for word in team.words[author]]
        assert [word for word in others if not any(word in one for one in said)] == [], "others' turns are intact"
        assert {stage.user("ada")} & {one.author for one in await rows(database, turns)} == set()
        await asyncio.wait_for(_clean(url), 30)


async def _clean(url: str) -> None:
    """SQLite's files are rid of it after a moment."""
    while _adas([await asyncio.to_thread(dumped, url)]):  # noqa: ASYNC110 – a file tells nobody
        await asyncio.sleep(0.1)


def _adas(texts: Sequence[str]) -> set[str]:
    return {word for text in texts for word in re.findall(r"adaword\d+", text)}


async def test_an_erasure_that_was_killed_is_finished_by_whoever_is_there(url: str, tmp_path: Path) -> None:
    """By the operator's command, killed -9 in the midst of it, and by the program that is started then."""
    words, database = [f"adaword{number}" for number in range(600)], connect(url)
    begun = time() - 3_600  # what was overheard long ago is not kept anyway
    for number, word in enumerate(words):
        said = message(f"take {word} along", author=Author(id="local", name="Ada"), at=begun + number)
        other = message(f"take benword{number} along", author=BEN, at=begun + 0.5 + number)
        for one in (said, other):
            await database.write(accept, one, kind=Kind.OVERHEARD, verb=None, tokens=5)
    async with process(
        tmp_path, "forget", "--user", "local", DATABASE_URL=url, BACKSCROLL_LEASE_SECONDS="5"
    ) as operator:
        async with asyncio.timeout(60):
            while not await rows(database, erasures):  # noqa: ASYNC110 – a database tells nobody
                await asyncio.sleep(0.005)
        operator.kill()
    (left,) = await rows(database, erasures)
    assert left.done_at is None
    async with process(tmp_path, "run", "console", DATABASE_URL=url, BACKSCROLL_LEASE_SECONDS="5"):
        async with asyncio.timeout(60):
            while not (await rows(database, erasures))[0].done_at:  # noqa: ASYNC110 – a database tells nobody
                await asyncio.sleep(0.05)
    found = " ".join(one.body.decode() for one in await rows(database, turns))
    (done,) = await rows(database, erasures)
    assert '"messages": 600' in done.counts
    assert (len(re.findall(r"adaword", found)), len(re.findall(r"benword", found))) == (0, 600)
    await database.close()


@pytest.mark.parametrize("platform", ["slack", "discord"])
@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_what_was_forwarded_of_somebody_is_forgotten_with_their_words(url: str, platform: str) -> None:
    """On Discord as well, where a forward does not say whose they are, and nobody is told."""
    async with (
        STAGES[platform]() as stage,
        OpenAIServer(answer=lambda request: "Noted.") as model,
        Running(url, model, stage, timings=BRISK),
    ):
        theirs = await stage.say("my tuna", author="ben")
        others = await stage.say("and bread", author="cleo")
        await stage.until(lambda: len(stage.shown()) == 2 and stage.shown()[-1].done)
        if isinstance(stage, DiscordStage):
            await stage.thread("other")
        for number, one in enumerate((theirs, others), 1):
            await forward(stage, one)
            await stage.until(
                lambda number=number: len(stage.shown("other")) == number and stage.shown("other")[-1].done
            )
        before = str(model.requests[-1].texts)
        await stage.say("!forget me yes", author="ben")
        await stage.until(lambda: any("I have forgotten you" in one.text for one in stage.shown()), 60)
        await stage.say("what was it?", place="other")
        await stage.until(lambda: len(stage.shown("other")) == 3 and stage.shown("other")[-1].done)

    after = str(model.requests[-1].texts)
    assert ("tuna" in before, "bread" in before, "tuna" in after, "bread" in after) == (True, True, False, True)
    assert "tuna" not in await words_in(url)
    if platform == "discord":
        assert "[forwards 20" in before, "nobody is told whose it is"


@pytest.mark.parametrize("platform", ["slack", "discord"])
@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_what_was_forgotten_is_not_learnt_again_from_a_forward_of_it(url: str, platform: str) -> None:
    """Into another conversation of the channel; on Discord, where nobody is told whose it was, as well."""
    async with (
        STAGES[platform]() as stage,
        OpenAIServer(answer=lambda request: "Noted.") as model,
        Running(url, model, stage, timings=BRISK),
    ):
        forgotten = await stage.say("my tuna", author="ada")
        await stage.until(lambda: stage.shown() and stage.shown()[-1].done)
        if isinstance(stage, DiscordStage):
            await stage.thread("other")
        await stage.say("!forget me yes", author="ada")
        await stage.until(lambda: any("I have forgotten you" in one.text for one in stage.shown()), 60)
        await forward(stage, forgotten)
        await stage.until(lambda: stage.shown("other") and stage.shown("other")[-1].done)
        kept = await stage.say("and bread", author="ben")
        await forward(stage, kept)
        await model.until(lambda: len(model.requests) == 4)

    assert "tuna" in str(model.requests[0].texts)
    assert "tuna" not in str([request.texts for request in model.requests[1:]])
    assert "bread" in str(model.requests[-1].texts), "what nobody wants forgotten is quoted"
    assert "tuna" not in await words_in(url)


async def test_what_was_forwarded_before_it_was_heard_is_forgotten_with_its_speakers_words(url: str) -> None:
    """Discord tells of no forward whose words it has, and they reach us later, in the place that they were said in."""
    async with (
        DiscordStage() as stage,
        OpenAIServer(answer=answer) as model,
        Running(url, model, stage, timings=BRISK),
    ):
        early = await stage.say("adaword1 it was", author="ada", to_bot=False)
        await stage.say("benword2 as well", author="ben", to_bot=False)
        asking = f"<@{stage.world.bot['id']}> what is that?"
        await stage.forward(early, asking, place="other", author="ben")
        await stage.until(lambda: stage.shown("other") and stage.shown("other")[-1].done)
        await stage.say("what was said?", author="ben")
        await stage.until(lambda: stage.shown() and stage.shown()[-1].done)
        assert all(_adas([str(one.texts)]) for one in model.requests)
        await stage.say("!forget me yes", author="ada")
        await stage.until(lambda: any("I have forgotten you" in one.text for one in stage.shown()), 60)
        await stage.say("what was it?", place="other")
        await stage.until(lambda: len(stage.shown("other")) == 2 and stage.shown("other")[-1].done)

    assert _adas([str(model.requests[-1].texts), await words_in(url)]) == set()
