"""Slack: slash commands, message shortcuts, the list of sessions, and answers for the asker's eyes alone."""

from dataclasses import replace

import pytest

from bots.slack import SlackAdapter
from bots.slack.ticket import Ticket
from core.errors import DeliveryUnknown
from core.seam.address import Address
from core.seam.messages import Audience, Choice, Rejected, Reply
from tests.bots.slack.ear import ADA, Ear, asked
from tests.wire.slack import SlackStage
from tests.wire.slack.server import APP_TOKEN, BOT_TOKEN
from tests.wire.slack.workspace import CHANNEL, DM, HOME, TEAM


@pytest.mark.parametrize(("verb", "number"), [("reset", 3), ("summarize", 3), ("status", 3)])
async def test_a_command_reaches_the_session_that_it_is_for(
    stage: SlackStage, ear: Ear, verb: str, number: int
) -> None:
    await stage.say("hi")
    await ear.until(2)
    await stage.command(verb)
    given = (await ear.until(number))[-1]
    assert given.address.id == stage.session("main")
    assert (given.verb, given.text) == ((None, "!status") if verb == "status" else (verb, ""))
    assert not given.vague


@pytest.mark.parametrize("is_root", [True, False])
async def test_a_messages_menu_gives_its_link_to_a_command_that_takes_one(
    stage: SlackStage, ear: Ear, *, is_root: bool
) -> None:
    root = await stage.say("hi")
    reply = await stage.say("and so on", to_bot=False)
    await ear.until(3)
    chosen = stage.server.workspace.find(CHANNEL, root if is_root else reply)
    stage.shortcut("session_context", chosen, "U0BEN")
    given = (await ear.until(4))[-1]
    assert (given.verb, given.author.id, given.address.id) == ("context", "U0BEN", stage.session("main"))
    query = "" if is_root else f"?thread_ts={root}&cid={CHANNEL}"
    assert given.text == f"{HOME}archives/{CHANNEL}/p{chosen.ts.replace('.', '')}{query}"
    assert not given.vague


@pytest.mark.parametrize(
    ("typed", "verb", "text"),
    [
        ("", "help", ""),
        ("Reset", "reset", ""),
        ("  status   now please ", "status", "now please"),
        ("Frobnicate it", "Frobnicate", "it"),
    ],
)
async def test_a_slash_command_cannot_tell_its_thread(
    stage: SlackStage, ear: Ear, typed: str, verb: str, text: str
) -> None:
    stage.slash(typed)
    (given,) = await ear.until(1)
    await stage.until(stage.server.envelopes[0].acked.is_set)
    assert (given.verb, given.text, given.vague, given.audience) == (verb, text, True, Audience.BOT)
    assert given.address == Address(platform="slack", workspace=TEAM, channel=CHANNEL)
    assert "respond" not in repr(given)


@pytest.mark.parametrize(
    ("verb", "channel", "query", "thread"),
    [
        ("context", CHANNEL, f"?thread_ts=1700000000.000100&cid={CHANNEL}", "1700000000.000100"),
        ("context", CHANNEL, "", None),
        ("context", "C0OTHER", "?thread_ts=1700000000.000100&cid=C0OTHER", None),
        ("reset", CHANNEL, f"?thread_ts=1700000000.000100&cid={CHANNEL}", None),
    ],
)
async def test_a_link_tells_a_slash_command_its_thread(
    stage: SlackStage, ear: Ear, verb: str, channel: str, query: str, thread: str | None
) -> None:
    link = f"{HOME}archives/{channel}/p1700000005000200{query}"
    stage.slash(f"{verb} {link}")
    (given,) = await ear.until(1)
    assert given.address == Address(platform="slack", workspace=TEAM, channel=CHANNEL, thread=thread)
    assert (given.verb, given.text, given.vague) == (verb, link, thread is None)


@pytest.mark.parametrize("agent_view", [True, False])
async def test_a_plain_direct_message_is_one_session_and_nothing_is_vague(
    stage: SlackStage, *, agent_view: bool
) -> None:
    adapter = SlackAdapter(
        bot_token=BOT_TOKEN, app_token=APP_TOKEN, api_url=f"{stage.server.url}/api/", agent_view=agent_view
    )
    async with Ear(stage, adapter) as ear:
        stage.slash("reset", channel=DM)
        (given,) = await ear.until(1)
    await adapter.close()
    assert (given.vague, given.direct, given.address.thread) == (agent_view, True, None)


async def test_a_private_answer_goes_where_the_command_was_typed(
    stage: SlackStage, adapter: SlackAdapter, ear: Ear
) -> None:
    stage.slash("status")
    (given,) = await ear.until(1)
    reply = Reply(
        key="k", address=given.address, text="fine", asked_at=given.at, asker=ADA, private=True, ticket=given.ticket
    )
    for number in range(6):  # a response_url is good for 5 answers
        await adapter.deliver(replace(reply, key=f"k{number}"))
    answers = [one for one in stage.server.workspace.messages if one.only_for == "U0ADA"]
    assert [one.seen for one in answers] == ["fine"] * 6
    assert stage.server.number_of("response_url") == 6
    assert stage.server.number_of("chat.postEphemeral") == 1


async def test_an_expired_ticket_is_not_tried(stage: SlackStage, adapter: SlackAdapter) -> None:
    url = stage.server.response_url(CHANNEL, "U0ADA")
    await adapter.deliver(await asked(stage, private=True, ticket=Ticket(url=url, until=1.0).written()))
    assert stage.server.number_of("response_url") == 0
    assert [(one.text, one.private) for one in stage.shown()] == [("**Hello** Ada", True)]


@pytest.mark.parametrize("ticket", ["", "no json", "[]", '{"until": "x"}', '{"later": 1}'])
async def test_a_ticket_that_nobody_can_read_is_no_matter(
    stage: SlackStage, adapter: SlackAdapter, ticket: str
) -> None:
    await adapter.deliver(await asked(stage, private=True, ticket=ticket))
    assert [one.private for one in stage.shown()] == [True]


async def test_a_private_answer_is_nobody_elses_where_its_asker_has_left(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    reply = await asked(stage, private=True)
    stage.server.workspace.outside[CHANNEL] = {"U0ADA"}
    await adapter.deliver(reply)
    assert stage.shown() == []


async def test_a_private_answer_that_can_not_be_shown_to_one_is_a_plain_one(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    stage.server.fail("chat.postEphemeral", "restricted_action")
    await adapter.deliver(await asked(stage, private=True))
    await adapter.deliver(await asked(stage, private=True, asker=None, key="k2"))
    assert [one.private for one in stage.shown()] == [False, False]


async def test_a_response_url_that_breaks_leaves_a_doubt(stage: SlackStage, adapter: SlackAdapter) -> None:
    ticket = Ticket(url=f"{stage.server.url}/api/nowhere", until=9e9).written()
    stage.server.fail("nowhere", 500)
    with pytest.raises(DeliveryUnknown):
        await adapter.deliver(await asked(stage, private=True, ticket=ticket))


async def test_what_is_picked_from_the_list_is_a_command_for_that_session(
    stage: SlackStage, adapter: SlackAdapter, ear: Ear
) -> None:
    await stage.say("one", place="one")
    await stage.say("two", place="two")
    stage.slash("reset")
    await ear.until(5)
    typed = next(one for one in ear.heard if one.vague)
    choices = tuple(
        Choice(label=f"{place} " * 30, verb="reset", address=Address.parse(stage.session(place)), line="all of it")
        for place in ("one", "two")
    )
    await adapter.deliver(
        Reply(
            key="k",
            address=typed.address,
            text="Which?",
            asked_at=typed.at,
            asker=ADA,
            private=True,
            choices=choices,
            ticket=typed.ticket,
        )
    )
    (menu,) = [one for one in stage.server.workspace.messages if one.only_for == "U0ADA"]
    assert menu.seen == "Which?"
    stage.choose(menu, 1)
    picked = (await ear.until(6))[-1]
    assert (picked.verb, picked.address.id, picked.author.id) == ("reset", stage.session("two"), "U0ADA")
    assert picked.text == "all of it", "what the command was given with comes along"
    assert not picked.vague
    assert picked.id != typed.id
    await adapter.deliver(replace(await asked(stage), private=True, ticket=picked.ticket, text="done"))
    assert [one.seen for one in stage.server.workspace.messages if one.only_for] == ["Which?", "done"]


async def test_a_list_without_a_way_to_be_private_is_shown_all_the_same(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    reply = await asked(stage, asker=None)
    await adapter.deliver(replace(reply, choices=(Choice(label="one", verb="reset", address=reply.address),)))
    (message,) = [one for one in stage.server.workspace.messages if one.bot]
    assert message.blocks[1]["elements"][0]["options"][0]["text"]["text"] == "one"


async def test_a_choice_that_names_no_session_is_kept_as_unreadable(stage: SlackStage, ear: Ear) -> None:
    message = stage.server.workspace.add(CHANNEL, "U0ADA", "x")
    option = {"text": {"type": "plain_text", "text": "x"}, "value": "reset nowhere"}
    menu = {"action_id": "session_picker", "options": [option]}
    message.blocks = [{"type": "actions", "block_id": "session_picker", "elements": [menu]}]
    stage.choose(message, 0)
    await stage.until(lambda: ear.arrived)
    assert [type(one) for one in ear.arrived] == [Rejected]


async def test_a_private_answer_to_a_question_nobody_replied_to_is_seen_in_the_channel(
    stage: SlackStage, adapter: SlackAdapter
) -> None:
    await adapter.deliver(await asked(stage, private=True))
    (message,) = [one for one in stage.server.workspace.messages if one.only_for]
    assert (message.thread_ts, message.only_for) == (None, "U0ADA")
    assert [one.private for one in stage.shown()] == [True]


async def test_a_private_answer_is_seen_in_a_thread_that_is_active(
    stage: SlackStage, adapter: SlackAdapter, ear: Ear
) -> None:
    question = await asked(stage, private=True)
    await stage.say("me too", author="bob", to_bot=False)
    await ear.until(3)
    await adapter.deliver(question)
    answered = await asked(stage, private=True, address=question.address, key="k2")
    await adapter.deliver(answered)
    root = question.address.thread
    assert [one.thread_ts for one in stage.server.workspace.messages if one.only_for] == [root, root]


async def test_our_own_answer_makes_a_thread_active(stage: SlackStage, adapter: SlackAdapter) -> None:
    reply = await asked(stage)
    await adapter.deliver(reply)
    await adapter.deliver(replace(reply, key="k2", private=True))
    assert [one.private for one in stage.shown()] == [False, True]
    assert {one.thread_ts for one in stage.server.workspace.messages if one.bot} == {reply.address.thread}
