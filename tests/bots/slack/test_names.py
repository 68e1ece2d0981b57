"""Slack: who is spoken of has a name, and marks that are only quoted call nobody."""

from typing import Any

import pytest

from bots.slack import SlackAdapter
from bots.slack.events import translate
from bots.slack.markup import is_quoted, mentioned, readable, without_mention
from bots.slack.payloads import Ourselves, View
from core.seam.address import Address
from core.seam.messages import Audience, Edited, Inbound
from tests.bots.slack.ear import Ear
from tests.talk import Running
from tests.wire.openai import OpenAIServer
from tests.wire.slack import SlackStage
from tests.wire.slack.workspace import BOT_USER, CHANNEL

US = Ourselves(workspace="T1", user="U0BOT", bot="B0BOT")
NAMES = {"U1": "Ben", "C1": "general", "U2": "a\n`b` <@U1> &lt;", "U0BOT": "backscroll"}

ASIDE = [
    "`<@U0BOT> reset`",
    "```\n<@U0BOT> reset\n```",
    "```<@U0BOT>```",
    "&gt; <@U0BOT> reset",
    "said\n&gt; <@U0BOT> reset\nyesterday",
    "&gt;&gt;&gt; so\n<@U0BOT> reset",
    "`<@U0BOT|backscroll>`",
]
SAID = [
    "<@U0BOT> see `<@U0BOT>`",
    "```\nx = 1\n``` <@U0BOT>",
    "&gt; no\n<@U0BOT> yes",
    "an open ` and <@U0BOT>",
    "an open ``` and\n<@U0BOT>",
    "1 &gt; 0, <@U0BOT>",
]


@pytest.mark.parametrize("text", ASIDE)
def test_a_mark_in_code_or_quoted_lines_is_no_mention(text: str) -> None:
    """C8."""
    assert "U0BOT" not in mentioned(text)
    assert is_quoted(text, "U0BOT")
    assert without_mention(text, "U0BOT") == text
    for kind in ("message", "app_mention"):
        assert _heard(text=text, type=kind).audience is Audience.ROOM


@pytest.mark.parametrize("text", SAID)
def test_a_mark_beside_code_or_quoted_lines_is_a_mention(text: str) -> None:
    """C8."""
    assert "U0BOT" in mentioned(text)
    for kind in ("message", "app_mention"):
        assert _heard(text=text, type=kind).audience is Audience.BOT


def _heard(**event: Any) -> Inbound:
    given = {"type": "message", "channel": "C1", "user": "U1", "ts": "2.000001", "team": "T1", **event}
    payload = {"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": given}
    (said,) = translate(payload, View(us=US, agent_view=True, now=1000.0, names=NAMES))
    assert isinstance(said, Inbound)
    return said


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("ask <@U1> or <@U1|b>", "ask @Ben (U1) or @Ben (U1)"),
        ("ask <@U9>", "ask @U9"),
        ("in <#C1> or <#C1|> or <#C2|x> or <#C9>", "in #general or #general or #x or #C9"),
        ("<@U2>", "@a `b` <@U1> &lt; (U2)"),
        ("&lt;@U1&gt;", "<@U1>"),
        ("`<@U1> &amp; <#C1|general> <!here>`", "`<@U1> & #general @here`"),
        ("`curl <http://x.example/api|x.example/api>`", "`curl x.example/api`"),
        ("```\ncurl <https://x.example/?a=1&amp;b=2>\n```", "```\ncurl https://x.example/?a=1&b=2\n```"),
        ("&gt; <@U0BOT> said <@U1>", "> @backscroll (U0BOT) said @Ben (U1)"),
        ("<!date^1700000000^{date_short}|Nov 14, 2023>", "Nov 14, 2023"),
        ("<!date^1700000000^{date_short}>", "2023-11-14 22:13 UTC"),
        ("<!date^99999999999999^{date_short}>", "99999999999999"),
        ("<!subteam^S1|@devs> <!subteam^S2> <!here>", "@devs @S2 @here"),
    ],
)
def test_who_and_what_is_spoken_of_has_a_name(written: str, read: str) -> None:
    """C5."""
    assert readable(written, NAMES) == read


async def test_people_and_channels_go_by_their_names_everywhere(
    stage: SlackStage, adapter: SlackAdapter, ear: Ear
) -> None:
    """C5: in what is heard, what it has become, what was said before, and what was missed."""
    workspace = stage.server.workspace
    stage.user("ben")
    workspace.channel_names |= {"C0OTHER": "other", "C0SECRET": "secret"}
    workspace.private.add("C0SECRET")
    text = "<@U0BEN> see <#C0OTHER|> and <#C0SECRET> and <@U0GONE>"
    shown = "@ben (U0BEN) see #other and #C0SECRET and @U0GONE"
    ts = await stage.write(text, to_bot=False)
    assert [one.text for one in await ear.until(1)] == [shown]
    assert ear.heard[0].author.name == "ada"
    address = Address.parse(stage.session("main"))
    assert [one.text for one in await adapter.since(address, 0)] == [shown]
    await stage.say("and?")
    await ear.until(3)
    assert [one.text for one in await adapter.backscroll(ear.heard[-1], 5)] == [shown]
    workspace.edit(CHANNEL, ts, f"{text}!")
    await stage.until(lambda: ear.of(Edited))
    assert ear.of(Edited)[0].message.text == f"{shown}!"


async def test_names_are_asked_for_together_and_once(stage: SlackStage, ear: Ear) -> None:
    people = [stage.user(f"u{number}") for number in range(5)]
    for number in range(2):
        await stage.write(" ".join(f"<@{user}>" for user in people), place=str(number))
    await ear.until(4)
    assert stage.server.number_of("users.info") == 6, "five and who speaks; we know our own"


async def test_a_slow_directory_costs_names_and_no_message(stage: SlackStage, adapter: SlackAdapter, ear: Ear) -> None:
    for method in ("users.info", "conversations.info"):
        stage.server.fail(method, "hang", times=99)
    await stage.write("<@U0BEN> see <#C0OTHER>", to_bot=False)
    assert [one.text for one in await ear.until(1)] == ["@U0BEN see #C0OTHER"]


async def test_without_the_scope_channels_go_by_their_ids(stage: SlackStage, ear: Ear) -> None:
    stage.server.scopes = stage.server.scopes.replace("channels:read,", "")
    await stage.write("see <#C0GENERAL>", to_bot=False)
    assert [one.text for one in await ear.until(1)] == ["see #C0GENERAL"]


@pytest.fixture
def dialect() -> str:
    return "sqlite"


@pytest.mark.parametrize("sample", [f"```\n<@{BOT_USER}> !reset\n```", f"`<@{BOT_USER}> !reset`"])
async def test_a_code_sample_that_names_us_asks_nobody_and_is_shown_whole(
    url: str, stage: SlackStage, sample: str
) -> None:
    """C8: it is heard like all that is said in the channel."""
    async with OpenAIServer() as model, Running(url, model, stage):
        await stage.write(sample, place="sample")
        await stage.write(f"&gt; <@{BOT_USER}> !reset", place="quoted")
        await stage.until(lambda: len(stage.server.envelopes) == 4)
        await stage.until(lambda: all(one.acked.is_set() for one in stage.server.envelopes))
        await stage.say("why does my sample not work?")
        await model.until(lambda: model.requests and model.requests[0].done)
        first, second, third = (text.partition("] ")[2] for _, text in model.requests[0].texts)
    assert (first, third) == (sample, "why does my sample not work?")
    assert second == "> @backscroll (U0BACKSCROLL) !reset"
    assert len(model.requests) == 1


async def test_a_command_in_code_or_quoted_lines_is_talk(url: str, stage: SlackStage) -> None:
    """C8: in a thread where we are talked to."""
    async with OpenAIServer() as model, Running(url, model, stage):
        model.answer = lambda request: "Fine."
        await stage.say("hello")
        await model.until(lambda: model.requests and model.requests[0].done)
        said = ["`!reset`", "```\n!reset\n```", "&gt; !reset", f"<@{BOT_USER}> `!reset`", f"<@{BOT_USER}>\n&gt; !reset"]
        for number, text in enumerate(said, 2):
            await stage.write(text, to_bot=BOT_USER in text)
            await model.until(lambda: len(model.requests) >= number and model.requests[-1].done)  # noqa: B023
            assert "hello" in model.requests[-1].texts[0][1]
