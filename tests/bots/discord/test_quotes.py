"""What a message points at, in our words, without a wire."""

from typing import Any

import pytest

from bots.discord import messages
from bots.discord.names import Names
from bots.discord.payloads import instant
from bots.discord.quotes import File
from core.seam.address import Address
from core.seam.messages import Author, Inbound, Quote

ME = "100"
BEN = {"id": "2", "username": "ben", "global_name": "Ben"}
NAMES = Names(me=ME, channel={"20": "How do we deploy?"}.get)
NUMBER, OLDER = "1300000000000000000", "1200000000000000000"


def said(content: str = "hello", **more: Any) -> dict[str, Any]:
    return {
        "id": NUMBER,
        "type": 0,
        "channel_id": "20",
        "guild_id": "10",
        "author": {"id": "1", "username": "ada", "global_name": "Ada"},
        "content": content,
        "mentions": [],
        **more,
    }


def older(content: str = "before", **more: Any) -> dict[str, Any]:
    return said(content, **({"id": OLDER, "author": BEN} | more))


def replying(answered: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    reference = {"type": 0, "message_id": OLDER, "channel_id": "20"}
    return said("is this right?", type=19, message_reference=reference, referenced_message=answered, **more)


def quotes(payload: dict[str, Any], parent: str | None = None) -> tuple[Quote, ...]:
    inbound = messages.message(payload, parent, NAMES)
    assert isinstance(inbound, Inbound)
    return inbound.quotes


def test_a_reply_quotes_what_it_replies_to() -> None:
    """C2"""
    (quote,) = quotes(replying(older("see <@100> and <:tea:9>")))
    assert quote == Quote(
        kind="replies to",
        text="see and :tea:",
        author=Author(id="2", name="Ben"),
        at=instant(OLDER),
        message=OLDER,
    )


def test_a_reply_to_ourselves_quotes_us() -> None:
    """C2"""
    (quote,) = quotes(replying(older(author={"id": ME, "username": "backscroll", "bot": True})))
    assert quote.author == Author(id=ME, name="backscroll", is_bot=True, is_self=True)


def test_a_reply_knows_the_name_that_people_see_where_discord_says_it() -> None:
    (quote,) = quotes(replying(older(), mentions=[BEN | {"member": {"nick": "Benny"}}]))
    assert quote.author is not None
    assert quote.author.name == "Benny"


def test_a_reply_to_what_is_gone_quotes_nothing() -> None:
    assert quotes(replying(None)) == ()


EMBED = {
    "type": "rich",
    "title": "Build #12 (main) failed",
    "url": "https://ci.example/12",
    "description": "3 tests are red",
    "author": {"name": "CI"},
    "fields": [{"name": "Branch", "value": "main"}, {"name": "Commit", "value": "abc", "inline": True}],
    "footer": {"text": "took 4 min"},
}
EMBEDDED = "CI\nBuild #12 (main) failed (https://ci.example/12)\n3 tests are red\nBranch: main\nCommit: abc\ntook 4 min"
POLL = {
    "question": {"text": "Where shall we eat?"},
    "answers": [
        {"answer_id": 1, "poll_media": {"text": "Pizza", "emoji": {"name": "🍕"}}},
        {"answer_id": 2, "poll_media": {"text": "Sushi"}},
    ],
}
COMPONENTS = [{"type": 17, "components": [{"type": 9, "components": [{"type": 10, "content": "# Deployed"}]}]}]


def test_a_reply_to_an_embed_quotes_title_text_and_fields() -> None:
    """C3"""
    words, embed = quotes(replying(older("", embeds=[EMBED])))
    assert (words.kind, words.text) == ("replies to", "")
    assert embed == Quote(kind="embeds", text=EMBEDDED, author=words.author, at=words.at, message=OLDER)


@pytest.mark.parametrize(
    ("carried", "text"),
    [
        ({"embeds": [EMBED]}, EMBEDDED),
        ({"embeds": [{"type": "link", "provider": {"name": "News"}, "title": "Rain"}]}, "News\nRain"),
        ({"poll": POLL}, "Where shall we eat?\n- 🍕 Pizza\n- Sushi"),
        (
            {"poll": POLL | {"results": {"answer_counts": [{"id": 1, "count": 1}]}}},
            "Where shall we eat?\n- 🍕 Pizza (1 vote)\n- Sushi (0 votes)",
        ),
        ({"sticker_items": [{"id": "7", "name": "Wave", "format_type": 1}]}, "Wave"),
        ({"components": COMPONENTS, "flags": 1 << 15}, "# Deployed"),
    ],
)
def test_embeds_polls_and_stickers_are_quoted(carried: dict[str, Any], text: str) -> None:
    """C3: also where nothing else is said."""
    (quote,) = quotes(said("", **carried))
    assert (quote.kind, quote.text, quote.message) == ("embeds", text, None)


def test_an_embed_that_is_a_picture_is_named_and_not_read() -> None:
    picture = {"type": "image", "url": "https://example.org/a/cat.png"}
    assert quotes(said(embeds=[picture])) == (Quote(kind="embeds", title="cat.png", unread="it is an image"),)


def test_an_embed_that_says_nothing_is_nothing() -> None:
    assert quotes(said(embeds=[{"type": "rich"}])) == ()


FORWARDED = {
    "message_reference": {"type": 1, "message_id": "5", "channel_id": "21", "guild_id": "11"},
    "message_snapshots": [
        {
            "message": {
                "content": "one\ntwo <@2>",
                "timestamp": "2026-11-22T17:00:00.000000+00:00",
                "mentions": [BEN],
                "embeds": [EMBED],
                "attachments": [{"id": "8", "filename": "plan.txt", "url": "https://cdn.discordapp.com/plan.txt"}],
            }
        }
    ],
}


def test_forwarded_words_are_quoted_with_their_time_and_what_they_carry() -> None:
    """C1: whose they were, Discord tells nobody."""
    words, file, embed = quotes(said("", **FORWARDED))
    assert words == Quote(kind="forwards", text="one\ntwo @Ben (2)", at=1795366800.0)
    assert (file.kind, file.title, file.author, file.at) == ("attaches", "plan.txt", None, words.at)
    assert File.read(file.source or "") == File(
        channel="20", message=NUMBER, id="8", url="https://cdn.discordapp.com/plan.txt"
    )
    assert (embed.kind, embed.text) == ("embeds", EMBEDDED)


def test_a_reply_to_a_forwarded_message_quotes_what_was_forwarded() -> None:
    words, forwarded, file, embed = quotes(replying(older("", **FORWARDED)))
    assert (words.kind, words.text) == ("replies to", "")
    assert (forwarded.kind, forwarded.text, forwarded.author) == ("forwards", "one\ntwo @Ben (2)", None)
    assert File.read(file.source or "").message == OLDER
    assert {one.message for one in (forwarded, file, embed)} == {OLDER}


@pytest.mark.parametrize(
    ("kind", "unread"),
    [
        ("image/png", "it is an image"),
        ("audio/ogg", "it is a recording"),
        ("video/mp4", "it is a video"),
    ],
)
def test_what_discord_calls_an_image_is_named_with_its_description(kind: str, unread: str) -> None:
    """C4"""
    file = {"id": "7", "filename": "a\nb", "content_type": kind, "url": "https://x", "description": "a red cat"}
    assert quotes(said("", attachments=[file])) == (
        Quote(kind="attaches", title="a b", text="a red cat", unread=unread),
    )


@pytest.mark.parametrize("more", [{"content_type": "text/plain; charset=utf-8"}, {"content_type": None}, {}])
def test_any_other_file_is_to_be_fetched(more: dict[str, Any]) -> None:
    """C4: what it is, its content says."""
    file = {"id": "7", "filename": "message.txt", "url": "https://cdn.discordapp.com/m.txt?ex=1", **more}
    (quote,) = quotes(said("", attachments=[file]))
    assert (quote.kind, quote.title, quote.text, quote.unread) == ("attaches", "message.txt", "", None)
    assert quote.is_open
    assert "cdn" not in repr(quote)


def test_the_file_of_a_message_that_is_replied_to_is_found_by_that_message() -> None:
    """C4"""
    file = {"id": "7", "filename": "app.log", "url": "https://cdn.discordapp.com/app.log"}
    _, quote = quotes(replying(older(attachments=[file])))
    assert File.read(quote.source or "").message == quote.message == OLDER
    assert quote.author is not None
    assert quote.author.id == "2"


def test_the_first_message_of_a_post_is_under_its_title() -> None:
    """C11"""
    first = said(id="20")
    assert quotes(first, "19") == (Quote(kind="is under", title="How do we deploy?"),)
    assert quotes(said(), "19") == ()
    assert quotes(first) == ()


def test_a_thread_that_began_with_a_message_is_no_post() -> None:
    here = Address(platform="discord", workspace="10", channel="19", thread="20")
    opened = said("", type=21, referenced_message=older(id="20", channel_id="19"))
    first = messages.earlier(opened, here, NAMES)
    assert first is not None
    assert (first.text, first.quotes) == ("before", ())


@pytest.mark.parametrize("broken", [{"embeds": [7]}, {"attachments": [{"id": "7"}]}, {"poll": 7}])
def test_what_points_at_something_in_an_unknown_form_is_heard_all_the_same(broken: dict[str, Any]) -> None:
    (quote,) = quotes(said("look", **broken))
    assert quote.unread == "it has a form that I don't know"


def test_history_is_read_with_its_quotes() -> None:
    here = Address(platform="discord", workspace="10", channel="20")
    for payload in (replying(older()), said("", poll=POLL), said("", **FORWARDED)):
        inbound = messages.earlier(payload, here, NAMES)
        assert inbound is not None
        assert inbound.quotes == quotes(payload)
