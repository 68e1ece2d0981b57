"""Slack: what people point at reaches the model, as quoted material with its author and time: whole conversations."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from bots.slack import SlackAdapter
from tests.bots.slack.ear import Ear
from tests.talk import Running
from tests.wire.endless import ENDLESS
from tests.wire.openai import OpenAIServer
from tests.wire.slack import Message, SlackStage
from tests.wire.slack.workspace import BOT_USER, CHANNEL, TEAM

ELSEWHERE = "C0OTHER"
MENTION = f"<@{BOT_USER}>"


@dataclass(kw_only=True)
class Talk:
    """A running program with Slack and a model."""

    stage: SlackStage
    model: OpenAIServer

    async def asked(self, number: int = 1) -> str:
        """The newest message by people in the last of so many requests, without its speaker's brackets' time."""
        await self.model.until(lambda: len(self.model.requests) >= number and self.model.requests[number - 1].done)
        return self.model.requests[number - 1].last

    def seen(self, number: int) -> str:
        """All that this request shows to the model."""
        return "\n".join(text for _, text in self.model.requests[number].texts)

    async def answered(self) -> str:
        """What is on screen in answer to the first question, once it is whole."""
        await self.stage.until(lambda: any(one.done for one in self.stage.shown()))
        return self.stage.shown()[0].text

    def shared(self, text: str, *, channel: str = ELSEWHERE, **more: Any) -> Message:
        """Ben has said this in another channel, and is known there."""
        return self.stage.server.workspace.add(channel, self.stage.user("ben"), text, **more)


@pytest.fixture
def dialect() -> str:
    return "sqlite"


@pytest.fixture
async def talk(url: str, stage: SlackStage) -> AsyncIterator[Talk]:
    async with OpenAIServer() as model:
        model.answer = lambda request: "Fine."
        async with Running(url, model, stage):
            await stage.until(lambda: len(stage.server.sockets) == 2)
            yield Talk(stage=stage, model=model)


def spoken(request: str) -> list[str]:
    """The lines of a message as the model reads it, without dates and times, of which tests know nothing."""
    return [line for line in request.split("\n") if line]


async def test_a_forwarded_message_is_quoted_with_its_author_and_its_time(talk: Talk) -> None:
    """C1, with a note."""
    shared = talk.shared("the *build* is red\n&gt; since &lt;monday&gt; says <@U0CARA>")
    talk.stage.user("cara")
    forward = talk.stage.server.workspace.forward(shared)
    await talk.stage.write(f"{MENTION} is this right?", attachments=[forward])
    brackets, head, *lines, words = spoken(await talk.asked())
    assert brackets.startswith("[ada (U0ADA) ")
    assert brackets.endswith(" quotes 1]")
    assert head.startswith("> [forwards ben (U0BEN) 20")
    assert lines == [">> the *build* is red", ">> > since <monday> says @cara (U0CARA)"]
    assert words == "is this right?"


async def test_a_forwarded_message_without_a_note_is_a_question_too(talk: Talk) -> None:
    """C1, in a thread in which the bot is talked to."""
    await talk.stage.say("hi")
    await talk.asked()
    forward = talk.stage.server.workspace.forward(talk.shared("the build is red"))
    await talk.stage.write("", to_bot=False, attachments=[forward])
    _, head, line = spoken(await talk.asked(2))
    assert head.startswith("> [forwards ben (U0BEN) 20")
    assert line == ">> the build is red"


async def test_a_mention_with_a_forwarded_message_and_no_word_is_answered(talk: Talk) -> None:
    """C1: nothing but the mention is written beside it."""
    forward = talk.stage.server.workspace.forward(talk.shared("what is 2 + 2?"))
    await talk.stage.write(MENTION, attachments=[forward])
    assert spoken(await talk.asked())[1:] == [spoken(await talk.asked())[1], ">> what is 2 + 2?"]
    assert await talk.answered() == "Fine."


async def test_a_forwarded_message_that_has_blocks_alone_is_read_from_them(talk: Talk) -> None:
    """C1: what apps post is often text in blocks."""
    forward = talk.stage.server.workspace.forward(talk.shared("")) | {"text": "", "fallback": "[no preview available]"}
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": "a < b & "}, USER, SPACE, LINK]}
    code = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "x = 1"}]}
    items = [{"type": "rich_text_section", "elements": [{"type": "text", "text": word}]} for word in ("one", "two")]
    ordered = {"type": "rich_text_list", "style": "ordered", "elements": items}
    blocks = [{"type": "rich_text", "elements": [section, code, ordered]}]
    forward["message_blocks"] = [{"team": TEAM, "channel": ELSEWHERE, "message": {"blocks": blocks}}]
    talk.stage.user("cara")
    await talk.stage.write(f"{MENTION} look", attachments=[forward])
    _, _, *lines, _ = spoken(await talk.asked())
    said = [
        ">> a < b & @cara (U0CARA) [docs](https://x.example)",
        ">> ```",
        ">> x = 1",
        ">> ```",
        ">> 1. one",
        ">> 2. two",
    ]
    assert lines == said


USER = {"type": "user", "user_id": "U0CARA"}
SPACE, LINK = {"type": "text", "text": " "}, {"type": "link", "url": "https://x.example", "text": "docs"}


async def test_what_another_app_has_posted_is_heard(talk: Talk) -> None:
    """C1: an alert is text in attachments and blocks; a question in its thread is about it."""
    alert = {"color": "#f00", "title": "Disk full", "text": "91 % on <https://x.example|db1>", "fallback": "alert"}
    field = {"title": "host", "value": "db1", "short": True}
    workspace = talk.stage.server.workspace
    root = workspace.add(CHANNEL, "U0ALERTS", "", bot="B0ALERTS", attachments=[alert | {"fields": [field]}])
    talk.stage._roots["main"] = root.ts
    await talk.stage.say("what do we do?")
    await talk.asked()
    (_, heard), _ = talk.model.requests[0].texts
    assert spoken(heard)[1:] == [
        "> [embeds “Disk full”]",
        ">> 91 % on [db1](https://x.example)",
        ">> host: db1",
    ]


async def test_the_preview_of_a_message_of_slacks_is_quoted_with_its_author(talk: Talk) -> None:
    """C1: a link to a message, which Slack shows beneath it."""
    preview = talk.stage.server.workspace.forward(talk.shared("ship it"))
    del preview["is_share"]
    await talk.stage.write(f"{MENTION} see <{preview['from_url']}>", attachments=[preview])
    _, head, line, _ = spoken(await talk.asked())
    assert head.startswith("> [embeds ben (U0BEN) 20")
    assert line == ">> ship it"


async def test_a_preview_that_slack_adds_asks_nobody_again(talk: Talk) -> None:
    """C1: it is no edit."""
    ts = await talk.stage.say("see https://x.example")
    await talk.asked()
    await talk.stage.unfurl(ts)
    await talk.stage.say("and?")
    await talk.asked(2)
    assert len(talk.model.requests) == 2


async def test_a_forwarded_message_of_this_channel_follows_its_edits_and_goes_with_it(talk: Talk) -> None:
    shared = talk.shared("my password is swordfish", channel=CHANNEL)
    await talk.stage.write(f"{MENTION} look", attachments=[talk.stage.server.workspace.forward(shared)])
    assert ">> my password is swordfish" in await talk.asked()
    await talk.stage.edit(shared.ts, "never mind", to_bot=False)
    await talk.stage.say("and now?")
    await talk.asked(2)
    assert ">> never mind" in talk.seen(1)
    assert "swordfish" not in talk.seen(1)
    await talk.stage.delete(shared.ts)
    await talk.stage.say("and then?")
    await talk.asked(3)
    assert "never mind" not in talk.seen(2)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("deploy.log", {"mimetype": "text/plain"}),
        ("Untitled", {"mode": "snippet"}),
        ("data.csv", {"mimetype": "text/csv"}),
        ("run", {"mimetype": "application/octet-stream"}),
        ("page.html", {"mimetype": "text/html"}),
    ],
)
@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_text_file_is_read(talk: Talk, name: str, facts: dict[str, str], *, elsewhere: bool) -> None:
    """C4: whatever its name says, and from another organisation too."""
    file = talk.stage.server.workspace.upload(name, b"line one\n<html> & two", elsewhere=elsewhere, **facts)
    await talk.stage.write(f"{MENTION} what is wrong?", files=[file], subtype="file_share")
    _, head, *lines = spoken(await talk.asked())
    assert head == ("> [attaches “F00001”]" if elsewhere else f"> [attaches “{name}”]")
    assert lines == [">> line one", ">> <html> & two", "what is wrong?"]
    assert await talk.answered() == "Fine."


async def test_a_file_in_a_forwarded_message_is_read(talk: Talk) -> None:
    """C4: it is among the attachment's files, and in none of the message's own."""
    file = talk.stage.server.workspace.upload("deploy.log", b"boom")
    forward = talk.stage.server.workspace.forward(talk.shared("look at this", files=[file]))
    await talk.stage.write(f"{MENTION} why?", attachments=[forward])
    _, forwarded, words, attached, content, _ = spoken(await talk.asked())
    assert forwarded.startswith("> [forwards ben (U0BEN) ")
    assert words == ">> look at this"
    assert attached.startswith("> [attaches ben (U0BEN) ")
    assert attached.endswith(" “deploy.log”]")
    assert content == ">> boom"


@pytest.mark.parametrize("first", ["message", "app_mention"])
async def test_a_mention_whose_event_lacks_the_files_is_answered_with_them(talk: Talk, first: str) -> None:
    """C4: the two events of a mention come in either order, and the mention's has no files."""
    server = talk.stage.server
    file = server.workspace.upload("deploy.log", b"boom")
    message = server.workspace.add(CHANNEL, talk.stage.user("ada"), f"{MENTION} why?", files=[file])
    talk.stage._roots["main"] = message.ts
    whole = {**message.payload(), "channel": CHANNEL, "event_ts": message.ts, "channel_type": "channel"}
    mention = {name: value for name, value in whole.items() if name != "files"} | {"type": "app_mention"}
    talk.model.hold()
    for number, event in enumerate((whole, mention) if first == "message" else (mention, whole), 1):
        server.event(event)
        await talk.stage.until(lambda: len(server.envelopes) == number and server.envelopes[-1].acked.is_set())  # noqa: B023
        await talk.model.until(lambda: talk.model.requests)
    await talk.model.until(lambda: ">> boom" in talk.model.requests[-1].last)
    talk.model.release()
    await talk.stage.until(lambda: [one.done for one in talk.stage.shown()] == [True])
    assert len(talk.model.requests) == (1 if first == "message" else 2)


async def test_of_a_large_file_the_beginning_is_read(talk: Talk) -> None:
    """C4: and the model is told."""
    file = talk.stage.server.workspace.upload("big.log", b"first line\n" + b"word " * 100_000)
    await talk.stage.write(f"{MENTION} why?", files=[file])
    request = await talk.asked()
    assert ">> first line" in request
    assert ">> [… only the first 262,144 bytes of this file were read …]" in request


async def test_a_file_is_fetched_once_with_our_token(talk: Talk) -> None:
    file = talk.stage.server.workspace.upload("deploy.log", b"boom")
    await talk.stage.write(f"{MENTION} why?", files=[file])
    await talk.asked()
    await talk.stage.say("and?")
    await talk.asked(2)
    assert ">> boom" in talk.model.requests[1].texts[0][1]
    assert [(given["path"], token) for method, given, token in talk.stage.server.calls if method == "file"] == [
        (f"/files-pri/{TEAM}-F00001/download/deploy.log", "xoxb-test")
    ]


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ({"mimetype": "image/png"}, "it is an image"),
        ({"mimetype": "video/mp4"}, "it is a video"),
        ({"mimetype": "audio/mp4"}, "it is a recording"),
        ({"mode": "tombstone"}, "it was deleted"),
        ({"mode": "external"}, "it is kept outside of Slack"),
        ({"mode": "hidden_by_limit"}, "Slack hides files that are over the workspace's limit"),
        ({"file_access": "access_denied"}, "Slack does not show it to me"),
        ({"url_private": None, "url_private_download": None, "id": None}, "Slack does not say where it is"),
    ],
)
async def test_what_is_not_read_is_told_the_model_and_the_asker(talk: Talk, file: dict[str, Any], why: str) -> None:
    """C4: and no request is made for it."""
    given = talk.stage.server.workspace.upload("thing", b"words") | file
    await talk.stage.write(f"{MENTION} look", files=[given])
    assert f"> [attaches “thing”, which you can't read: {why}]" in await talk.asked()
    assert await talk.answered() == f"Fine.\n\n_(I have not read thing ({why}).)_"
    assert talk.stage.server.number_of("file") == 0


def _no_scope(stage: SlackStage) -> None:
    stage.server.scopes = stage.server.scopes.replace("files:read,", "")


def _sent_away(stage: SlackStage) -> None:
    _no_scope(stage)
    stage.server.sign_in_at = f"{stage.server.url}/api/auth.test"


def _in_circles(stage: SlackStage) -> None:
    _no_scope(stage)
    stage.server.sign_in_at = "deploy.log"


def _gone(stage: SlackStage) -> None:
    stage.server.workspace.files.clear()


def _failing(stage: SlackStage) -> None:
    stage.server.fail("file", 500)


@pytest.mark.parametrize("trouble", [_no_scope, _sent_away, _in_circles, _gone, _failing])
@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_file_that_slack_refuses_is_told_and_the_question_answered(
    talk: Talk, trouble: Callable[[SlackStage], None], *, elsewhere: bool
) -> None:
    """C4: a page for signing in is no file."""
    file = talk.stage.server.workspace.upload("deploy.log", b"boom", elsewhere=elsewhere)
    trouble(talk.stage)
    calls = talk.stage.server.number_of("auth.test")
    await talk.stage.write(f"{MENTION} why?", files=[file])
    assert "which you can't read: it could not be fetched]" in await talk.asked()
    assert "Sign in" not in await talk.asked()
    assert (await talk.answered()).endswith("(it could not be fetched).)_")
    assert talk.stage.server.number_of("auth.test") == calls


@pytest.mark.parametrize(
    "where",
    [
        "https://evil.example/files-pri/x",
        "https://files.slack.com.evil.example/x",
        "https://files.slack.com@evil.example/x",
        "http://files.slack.com/x",
        "{server}/api/auth.test",
        "{server}//api//auth.test/",
        "{server}/%61pi/auth.test",
        "{server}/files-pri/../api/auth.test",
        "{server}/./api/auth.test",
        "{server}/%2E/api/auth.test",
        "not a url",
        "https://[",
    ],
)
async def test_our_token_goes_to_slacks_files_alone(talk: Talk, where: str) -> None:
    """C4: whatever an address says."""
    address = where.format(server=talk.stage.server.url)
    file = {"id": "F1", "name": "deploy.log", "mimetype": "text/plain", "url_private": address}
    calls = len(talk.stage.server.calls)
    await talk.stage.write(f"{MENTION} why?", files=[file])
    assert "which you can't read: it could not be fetched]" in await talk.asked()
    after = [method for method, _, _ in talk.stage.server.calls[calls:]]
    assert not {"file", "auth.test"} & set(after)


async def test_a_file_that_never_ends_is_read_as_far_as_it_is_shown(talk: Talk) -> None:
    """Although it is packed so well that little of it comes over the wire."""
    file = talk.stage.server.workspace.upload("deploy.log", ENDLESS)
    await talk.stage.write(f"{MENTION} why?", files=[file])
    assert "[… only the first 262,144 bytes of this file were read …]" in await talk.asked()


async def test_a_file_that_people_delete_is_forgotten(talk: Talk) -> None:
    """Its message stays, and its words."""
    file = talk.stage.server.workspace.upload("deploy.log", b"swordfish")
    ts = await talk.stage.write(f"{MENTION} why?", files=[file])
    assert "swordfish" in await talk.asked()
    talk.stage.server.workspace.remove_file(talk.stage.server.workspace.find(CHANNEL, ts), file["id"])
    await talk.stage.say("and now?")
    await talk.asked(2)
    first = talk.model.requests[1].texts[0][1]
    assert "which you can't read: it was deleted]" in first
    assert "swordfish" not in first
    assert first.endswith("\nwhy?")


async def test_an_edit_keeps_what_its_message_points_at(talk: Talk) -> None:
    file = talk.stage.server.workspace.upload("deploy.log", b"boom")
    forward = talk.stage.server.workspace.forward(talk.shared("the build is red"))
    ts = await talk.stage.write(f"{MENTION} why?", files=[file], attachments=[forward])
    await talk.asked()
    await talk.stage.edit(ts, "why is it?")
    await talk.stage.say("and now?")
    await talk.asked(2)
    first = talk.model.requests[1].texts[0][1]
    assert [line for line in spoken(first) if line.startswith(">>")] == [">> the build is red", ">> boom"]
    assert first.endswith("\nwhy is it?")


async def test_what_was_said_before_points_at_the_same(talk: Talk) -> None:
    """C1 and C4: a file that somebody else has attached before the question is read, too."""
    workspace = talk.stage.server.workspace
    forward, file = workspace.forward(talk.shared("the build is red")), workspace.upload("deploy.log", b"boom")
    root = workspace.add(CHANNEL, talk.stage.user("ben"), "see", attachments=[forward], files=[file])
    talk.stage._roots["main"] = root.ts
    await talk.stage.say("why?")
    await talk.asked()
    (_, heard), _ = talk.model.requests[0].texts
    assert [line for line in spoken(heard) if line.startswith(">>")] == [">> the build is red", ">> boom"]
    assert heard.endswith("\nsee")


async def test_what_was_missed_points_at_what_it_would_have(stage: SlackStage, adapter: SlackAdapter, ear: Ear) -> None:
    workspace = stage.server.workspace
    shared = workspace.add(ELSEWHERE, stage.user("ben"), "the build is red")
    given = {"attachments": [workspace.forward(shared)], "files": [workspace.upload("deploy.log", b"boom")]}
    await stage.write("see", to_bot=False, **given)
    (heard,) = await ear.until(1)
    assert [one.kind for one in heard.quotes] == ["forwards", "attaches"]
    assert await adapter.since(heard.address, 0) == [heard]
