"""Discord's payloads in our words, without a wire."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.discord import commands, messages
from bots.discord.names import Names
from bots.discord.payloads import instant, snowflake_at
from bots.discord.ticket import Ticket
from core.seam.messages import Audience, Inbound, Rejected
from tests.values import SET

ME, ROLE = "100", "700"
NAMES = Names(
    me=ME,
    my_roles=frozenset({ROLE}),
    channel={"55": "general"}.get,
    role={"66": "admins"}.get,
)


BOT = {"id": ME, "username": "backscroll", "bot": True}


def said(content: str = "hello", **more: Any) -> dict[str, Any]:
    return {
        "id": "1300000000000000000",
        "type": 0,
        "channel_id": "20",
        "guild_id": "10",
        "author": {"id": "1", "username": "ada_l", "global_name": "Ada"},
        "content": content,
        "mentions": [],
        "mention_roles": [],
        **more,
    }


def heard(content: str = "hello", **more: Any) -> Inbound:
    inbound = messages.message(said(content, **more), None, NAMES)
    assert isinstance(inbound, Inbound)
    return inbound


def test_a_message_is_known_by_its_own_id_and_time() -> None:
    inbound = heard()
    assert (inbound.id, inbound.reply_to, inbound.text) == ("1300000000000000000", "1300000000000000000", "hello")
    assert heard(id="175928847299117063").at == 1462015105.796  # the example of Discord's reference
    assert inbound.audience is Audience.ROOM
    assert not inbound.direct
    assert inbound.verb is None


def test_places_have_the_addresses_of_the_contract() -> None:
    direct = said() | {"guild_id": None}
    assert heard().address.id == "discord:10:20"
    in_thread = messages.message(said(), "19", NAMES)
    by_hand = messages.message(direct, None, NAMES)
    assert isinstance(in_thread, Inbound)
    assert isinstance(by_hand, Inbound)
    assert in_thread.address.id == "discord:10:19:20"
    assert by_hand.address.id == "discord:@me:20"
    assert by_hand.direct


@pytest.mark.parametrize(
    ("member", "user", "name"),
    [
        ({"nick": "Countess"}, {"username": "ada_l", "global_name": "Ada"}, "Countess"),
        ({"nick": None}, {"username": "ada_l", "global_name": "Ada"}, "Ada"),
        (None, {"username": "ada_l", "global_name": None}, "ada_l"),
        (None, {"username": "ada_l", "global_name": "A\nd\u2028a"}, "A d a"),
    ],
)
def test_an_author_has_the_name_that_people_see(member: Any, user: dict[str, Any], name: str) -> None:
    assert heard(author={"id": "1"} | user, member=member).author.name == name


@pytest.mark.parametrize(
    "more",
    [
        {"mentions": [{"id": ME, "username": "backscroll"}]},
        {"mention_roles": [ROLE]},
        {"type": 19, "message_reference": {"message_id": "5"}, "referenced_message": said(author=BOT)},
    ],
)
def test_a_mention_our_role_and_a_reply_to_us_are_for_the_bot(more: dict[str, Any]) -> None:
    assert heard(**more).audience is Audience.BOT


@pytest.mark.parametrize(
    "more",
    [
        {"mentions": [{"id": "2", "username": "bob"}]},
        {"mention_roles": ["66"]},
        {"mention_everyone": True},
        {"type": 19, "message_reference": {"message_id": "5"}, "referenced_message": said()},
        {"type": 19, "message_reference": {"message_id": "5"}, "referenced_message": None},
        {"message_reference": {"type": 1, "message_id": "5"}, "referenced_message": said(author=BOT)},
    ],
)
def test_everything_else_is_for_the_room(more: dict[str, Any]) -> None:
    assert heard(**more).audience is Audience.ROOM


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<@100> hello", "hello"),
        ("<@!100>, reset", "reset"),
        ("<@100>: reset", "reset"),
        ("<@100> :smile:", ":smile:"),
        ("hello <@100> you", "hello you"),
        ("hello <@100>", "hello"),
        ("a\n<@100>\nb", "a\n\nb"),
        ("<@&700> hello", "hello"),
        ("ask <@2> and <@3>", "ask @Bob (2) and @3"),
        ("<@&66> in <#55> or <#56>", "@admins in #general or #56"),
        ("<:tea:9> <a:dance:8>", ":tea: :dance:"),
        ("use </session reset:77>", "use /session reset"),
        ("at <t:1700000000:R> or <t:1700000000>", "at 2023-11-14 22:13 UTC or 2023-11-14 22:13 UTC"),
        ("before <t:-1:F>", "before 1969-12-31 23:59 UTC"),
        ("<t:99999999999999:R> and `<t:1700000000:R>`", "<t:99999999999999:R> and `<t:1700000000:R>`"),
        ("`<@100>` and ```\n<@2> <:tea:9>\n```", "`<@100>` and ```\n<@2> <:tea:9>\n```"),
        ("<@100>", ""),
        ("\x00<@100>\x00 x", "x"),
    ],
)
def test_text_is_readable_and_without_our_own_mention(content: str, text: str) -> None:
    mentions = [{"id": ME, "username": "backscroll"}, {"id": "2", "username": "b", "member": {"nick": "Bob"}}]
    assert heard(content, mentions=mentions).text == text


@pytest.mark.parametrize(
    "more",
    [
        {"author": {"id": ME, "username": "backscroll", "bot": True}},
        {"author": {"id": "3", "username": "other", "bot": True}},
        {"webhook_id": "4"},
        {"author": {"id": "643945264868098049", "username": "discord", "system": True}},
        {"type": 7},
        {"type": 20},
        {"type": 21},
        {"content": ""},
    ],
)
def test_bots_webhooks_the_system_and_silence_are_not_passed_on(more: dict[str, Any]) -> None:
    assert messages.message(said(**more), None, NAMES) is None


def test_a_bare_mention_is_passed_on() -> None:
    assert heard("<@100>", mentions=[{"id": ME, "username": "b"}]).text == ""


@pytest.mark.parametrize("missing", ["id", "type", "channel_id", "author", "content"])
def test_a_message_that_can_not_be_read_is_rejected_with_its_payload(missing: str) -> None:
    payload = said()
    del payload[missing]
    rejected = messages.message(payload, None, NAMES)
    assert isinstance(rejected, Rejected)
    assert missing in rejected.reason
    assert json.loads(rejected.payload) == payload
    assert rejected.id


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.just("9" * 25),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [
    *said(),
    "member",
    "webhook_id",
    "message_reference",
    "referenced_message",
    "attachments",
    "message_snapshots",
    "embeds",
    "poll",
    "sticker_items",
    "components",
]


@given(st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=4))
def test_no_message_raises(changes: dict[str, Any]) -> None:
    payload = said() | changes
    assert isinstance(messages.message(payload, None, NAMES), Inbound | Rejected | None)
    messages.unresolved(payload)
    messages.earlier(payload, heard().address, NAMES)


def given_command(verb: str = "status", **more: Any) -> dict[str, Any]:
    return {
        "id": "1300000000000000000",
        "type": 2,
        "application_id": "99",
        "token": "secret",
        "channel_id": "20",
        "guild_id": "10",
        "member": {"nick": "Countess", "user": {"id": "1", "username": "ada"}},
        "data": {"name": "session", "options": [{"type": 1, "name": verb, "options": []}]},
        **more,
    }


def test_a_slash_command_is_a_verb_with_a_ticket() -> None:
    inbound = commands.interaction(given_command(), "19")
    assert isinstance(inbound, Inbound)
    assert (inbound.id, inbound.verb, inbound.text, inbound.reply_to) == ("1300000000000000000", "status", "", None)
    assert inbound.address.id == "discord:10:19:20"
    assert inbound.author.name == "Countess"
    assert not inbound.vague
    assert "secret" not in repr(inbound)
    ticket = Ticket.read(inbound.ticket, now=inbound.at + 899)
    assert ticket == Ticket(app="99", token="secret", until=inbound.at + 900, private=True)
    assert "secret" not in repr(ticket)
    assert Ticket.read(inbound.ticket, now=inbound.at + 900) is None


def test_a_slash_command_in_a_direct_message_has_a_user_and_no_member() -> None:
    payload = given_command("reset", user={"id": "1", "username": "ada"})
    del payload["guild_id"], payload["member"]
    inbound = commands.interaction(payload, None)
    assert isinstance(inbound, Inbound)
    assert inbound.direct
    assert inbound.address.id == "discord:@me:20"


def test_arguments_are_the_text_of_a_command() -> None:
    options = [{"type": 1, "name": "reset", "options": [{"name": "text", "type": 3, "value": " all "}]}]
    inbound = commands.interaction(given_command(data={"name": "session", "options": options}), None)
    assert isinstance(inbound, Inbound)
    assert inbound.text == "all"


def test_options_are_said_as_somebody_would_type_them() -> None:
    """In the order of the table, whatever Discord's is."""
    options = [{"name": "value", "type": 3, "value": "be kind"}, {"name": "name", "type": 3, "value": "persona"}]
    data = {"name": "session", "options": [{"type": 1, "name": "set", "options": options}]}
    inbound = commands.interaction(given_command(data=data), None, {"set": SET})
    assert isinstance(inbound, Inbound)
    assert inbound.text == "persona be kind"


@given(st.dictionaries(st.sampled_from([*given_command(), "user", "channel"]), json_values, max_size=4))
def test_no_interaction_raises(changes: dict[str, Any]) -> None:
    assert isinstance(commands.interaction(given_command() | changes, None), Inbound | Rejected | None)


@pytest.mark.parametrize(
    "note", [None, "", "null", "[]", "7", "{}", '{"app": 1}', "not json", '{"app": "1", "token": "x", "until": "x"}']
)
def test_a_note_that_is_no_ticket_is_no_ticket(note: str | None) -> None:
    assert Ticket.read(note, now=0) is None


def test_snowflakes_are_instants() -> None:
    assert instant(snowflake_at(1730011550.5)) == 1730011550.5


@pytest.mark.parametrize("unit", [" ", "\t", "\n", "<@100>", " <@100>", "`", "<", "<:a"])
def test_no_text_keeps_us_busy(unit: str) -> None:
    assert heard(f"a{unit * 40_000}b <@100> c").text.startswith("a")


@pytest.mark.parametrize("content", ["a <@100> <@100> b", "a\t<@100>b", "<@100> a <@100>   b<@100>"])
def test_one_space_is_left_where_our_mention_stood(content: str) -> None:
    assert heard(content).text == "a b"


def test_what_is_kept_of_an_unreadable_interaction_can_not_answer_it() -> None:
    rejected = commands.interaction(given_command(data={"options": [{"ticket": "secret", "name": "x"}]}), None)
    assert isinstance(rejected, Rejected)
    assert "secret" not in rejected.payload
    assert '"name": "x"' in rejected.payload
