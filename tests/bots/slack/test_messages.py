"""Slack: payloads in our words, as a table."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from bots.slack.events import translate
from bots.slack.markup import escaped, readable, unescaped, without_mention
from bots.slack.messages import past
from bots.slack.payloads import Ourselves, View
from bots.slack.replies import digest, fallback
from bots.slack.ticket import Ticket
from core.seam.address import Address
from core.seam.messages import Audience, Author, Event, Inbound, Rejected, Reply

US = Ourselves(workspace="T1", user="U0BOT", bot="B0BOT")
VIEW = View(us=US, agent_view=True, now=1000.0)
PLAIN = View(us=US, agent_view=False, now=1000.0)
INSTALL = {"team_id": "T1", "enterprise_id": "E1", "is_enterprise_install": False}


def _event(view: View = VIEW, *, install: dict[str, Any] | None = None, **event: Any) -> Event | None:
    given = {"type": "message", "channel": "C1", "user": "U1", "ts": "2.000001", "text": "hi", "team": "T1", **event}
    kept = {name: value for name, value in given.items() if value is not ...}
    payload = {"type": "event_callback", "team_id": "T9", "event_id": "Ev1", "event": kept}
    return _only(translate({**payload, "authorizations": [install or INSTALL]}, view))


def _only(events: tuple[Event, ...]) -> Event | None:
    return events[0] if len(events) == 1 else None if not events else pytest.fail("more than one event")


def _heard(view: View = VIEW, **event: Any) -> Inbound:
    inbound = _event(view, **event)
    assert isinstance(inbound, Inbound)
    return inbound


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        ("&amp;lt;", "&lt;"),
        ("ask <@U123> or <@U123|ada>", "ask @U123 or @U123"),
        ("in <#C1|general> or <#C2> or <#C3|>", "in #general or #C2 or #C3"),
        ("see <https://x.example/?a=1&amp;b=2>", "see https://x.example/?a=1&b=2"),
        ("see <https://x.example|the docs>", "see [the docs](https://x.example)"),
        ("see <http://x.example|x.example>", "see http://x.example"),
        ("mail <mailto:a@x.example|a@x.example>", "mail a@x.example"),
        ("<!here> <!channel> <!everyone>", "@here @channel @everyone"),
        ("<!subteam^S1|@devs> <!subteam^S2>", "@devs @S2"),
        ("<!date^1700000000^{date}|Nov 14>", "Nov 14"),
        ("&lt;@U123&gt;", "<@U123>"),
        ("a < b", "a < b"),
        ("*bold* `code`", "*bold* `code`"),
    ],
)
def test_slacks_writing_becomes_markdown(written: str, read: str) -> None:
    assert readable(written) == read


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<@U0BOT> hi", "hi"),
        ("<@U0BOT>: hi", "hi"),
        ("<@U0BOT|backscroll>, hi", "hi"),
        (" <@U0BOT> <@U0BOT> hi", "hi"),
        ("hey <@U0BOT> how are you", "hey how are you"),
        ("thanks <@U0BOT>!", "thanks!"),
        ("<@U0BOT>", ""),
        ("<@U0BOTTOM> hi", "<@U0BOTTOM> hi"),
        ("<@U0BOT> !reset", "!reset"),
    ],
)
def test_our_mention_is_taken_out(text: str, left: str) -> None:
    assert without_mention(text, "U0BOT") == left


@pytest.mark.parametrize("text", ["<!channel> & <@U1>", "&lt;", "a &amp;lt; b"])
def test_escaping_is_undone_by_unescaping(text: str) -> None:
    assert unescaped(escaped(text)) == text
    assert "<" not in escaped(text)


@pytest.mark.parametrize(
    ("event", "audience"),
    [
        ({"text": "hi"}, Audience.ROOM),
        ({"text": "<!here> hi"}, Audience.ROOM),
        ({"text": "<@U2> hi"}, Audience.OTHERS),
        ({"text": "<!subteam^S1|@devs> hi"}, Audience.OTHERS),
        ({"text": "<@U2> and <@U0BOT> hi"}, Audience.BOT),
        ({"text": "<@U0BOT> hi"}, Audience.BOT),
        ({"text": "<@U0BOT> hi", "type": "app_mention"}, Audience.BOT),
        ({"text": "hi", "type": "app_mention"}, Audience.BOT),
        ({"text": "&lt;@U0BOT&gt;"}, Audience.ROOM),
    ],
)
def test_whom_a_message_is_for(event: dict[str, Any], audience: Audience) -> None:
    assert _heard(**event).audience is audience


@pytest.mark.parametrize("fields", [{}, {"thread_ts": "1.5"}, {"channel": "D1"}, {"files": [{"name": "a.pdf"}]}])
def test_both_events_of_a_mention_are_the_same(fields: dict[str, Any]) -> None:
    both = {"text": "<@U0BOT> hi", **fields}
    kind = "im" if fields.get("channel") else "channel"
    assert _heard(**both, channel_type=kind, client_msg_id="x") == _heard(**both, type="app_mention")


@pytest.mark.parametrize(
    ("view", "event", "thread", "reply_to"),
    [
        (VIEW, {}, "2.000001", None),
        (VIEW, {"thread_ts": "1.5"}, "1.5", None),
        (VIEW, {"thread_ts": "2.000001"}, "2.000001", None),
        (VIEW, {"channel": "D1"}, "2.000001", None),
        (VIEW, {"channel": "D1", "thread_ts": "1.5"}, "1.5", None),
        (PLAIN, {"channel": "D1"}, None, None),
        (PLAIN, {"channel": "D1", "thread_ts": "1.5"}, None, "1.5"),
        (PLAIN, {"channel": "D1", "thread_ts": "2.000001"}, None, None),
        (PLAIN, {"channel": "G1", "channel_type": "mpim"}, "2.000001", None),
        (VIEW, {"subtype": "thread_broadcast", "thread_ts": "1.5", "root": {}}, "1.5", None),
    ],
)
def test_where_a_message_belongs(view: View, event: dict[str, Any], thread: str | None, reply_to: str | None) -> None:
    inbound = _heard(view, **event)
    assert (inbound.address.thread, inbound.reply_to) == (thread, reply_to)
    assert inbound.id == "2.000001"


@pytest.mark.parametrize(
    ("install", "workspace"),
    [
        (INSTALL, "T1"),
        ({**INSTALL, "team_id": "T2"}, "T2"),
        ({**INSTALL, "is_enterprise_install": True, "team_id": None}, "E1"),
        ({"team_id": None}, "T1"),
    ],
)
def test_the_workspace_is_the_installations(install: dict[str, Any], workspace: str) -> None:
    assert _heard(install=install).address.workspace == workspace


@pytest.mark.parametrize(
    "event",
    [
        {"bot_id": "B1"},
        {"user": "U0BOT"},
        {"user": "USLACKBOT"},
        {"hidden": True},
        {"subtype": "bot_message", "bot_id": "B1"},
        {"subtype": "message_changed", "message": {}},
        {"subtype": "channel_topic"},
        {"subtype": "assistant_app_thread"},
        {"type": "reaction_added"},
    ],
)
def test_what_is_not_for_us(event: dict[str, Any]) -> None:
    assert _event(**event) is None


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"channel": ...}, "no channel"),
        ({"ts": ...}, "no ts"),
        ({"user": ...}, "no user"),
        ({"user": 7}, "no user"),
        ({"ts": "soon"}, "a time that is no time"),
        ({"text": {}, "files": 1}, "not of Slack's shape (TypeError)"),
        ({"text": ["x"]}, "the text is no text"),
        ({"thread_ts": 3}, "no thread_ts"),
    ],
)
def test_what_cannot_be_read_is_kept(event: dict[str, Any], reason: str) -> None:
    kept = _event(**event)
    assert isinstance(kept, Rejected)
    assert (kept.id, kept.reason) == ("Ev1", reason)


@pytest.mark.parametrize("payload", [{"type": "event_callback"}, {"type": "event_callback", "event": []}])
def test_an_event_without_an_event_is_kept_under_a_name_of_its_own(payload: dict[str, Any]) -> None:
    first, second = _only(translate(payload, VIEW)), _only(translate(dict(payload), VIEW))
    assert isinstance(first, Rejected)
    assert first == second
    assert len(first.id) == 24


@pytest.mark.parametrize("payload", [{}, {"type": "view_submission"}, {"type": "message_action", "callback_id": "x"}])
def test_other_payloads_are_nobodys_business(payload: dict[str, Any]) -> None:
    assert translate(payload, VIEW) == ()


def test_files_are_named() -> None:
    files = [{"title": "Plan"}, {"name": "a.pdf"}, {"id": "F1", "file_access": "check_file_info"}]
    said = _heard(subtype="file_share", text="look", files=files)
    assert (said.text, [(one.kind, one.title) for one in said.quotes]) == (
        "look",
        [("attaches", "Plan"), ("attaches", "a.pdf"), ("attaches", "F1")],
    )
    assert _heard(subtype="file_share", text="", files=files[:1]).text == ""


def test_a_name_that_comes_along_is_taken() -> None:
    profile = {"display_name": "", "real_name": "Ada L.", "name": "ada"}
    assert _heard(user_profile=profile).author == Author(id="U1", name="Ada L.")
    assert _heard().author == Author(id="U1", name="U1")


def test_a_guests_own_team_is_noted_for_streams() -> None:
    assert Ticket.read(_heard(user_team="T7").ticket) == Ticket(team="T7")
    assert _heard().ticket is None
    assert Ticket(url="https://x", until=3.0).written() is not None
    assert "https" not in repr(Ticket(url="https://x", until=3.0))


@pytest.mark.parametrize(
    ("message", "author", "text"),
    [
        ({"user": "U1", "text": "hi"}, Author(id="U1", name="U1"), "hi"),
        ({"user": "U0BOT", "text": "x"}, Author(id="U0BOT", name="U0BOT", is_bot=True, is_self=True), "x"),
        (
            {"bot_id": "B0BOT", "text": "x", "blocks": [{"type": "markdown", "text": "**x**"}]},
            Author(id="B0BOT", name="B0BOT", is_bot=True, is_self=True),
            "**x**",
        ),
        (
            {"bot_id": "B1", "subtype": "bot_message", "username": "CI", "attachments": [{"fallback": "red"}]},
            Author(id="B1", name="CI", is_bot=True),
            "",
        ),
        ({"bot_id": "B1", "bot_profile": {"name": "CI"}, "text": "x"}, Author(id="B1", name="CI", is_bot=True), "x"),
    ],
)
def test_the_past_holds_bots_and_ourselves(message: dict[str, Any], author: Author, text: str) -> None:
    address = Address(platform="slack", workspace="T1", channel="C1", thread="1.5")
    said = past({"ts": "1.6", **message}, address, VIEW)
    assert said is not None
    assert (said.author, said.text, said.address, said.id) == (author, text, address, "1.6")


@pytest.mark.parametrize("message", [{"subtype": "channel_join"}, {"ts": None}, {"ts": "soon"}, {"hidden": True}])
def test_the_past_holds_no_housekeeping(message: dict[str, Any]) -> None:
    address = Address(platform="slack", workspace="T1", channel="C1")
    assert past({"ts": "1.6", "user": "U1", "text": "x", **message}, address, VIEW) is None


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("## Title\n**bold** and __strong__", "Title\nbold and strong"),
        ("```py\nx = 1\n```", "x = 1"),
        ("![chart](https://x.example/c.png)", "chart"),
        ("", "…"),
        ("a" * 5_000, "a" * 3_899 + "…"),
    ],
)
def test_notifications_are_plain_and_short(text: str, plain: str) -> None:
    address = Address(platform="slack", workspace="T1", channel="C1")
    assert fallback(Reply(key="k", address=address, text=text, asked_at=0)) == plain


def test_digests_tell_texts_apart() -> None:
    assert digest("a") != digest("b")
    assert len(digest("\ud800")) == 16


N = 40_000
NASTY = [" " * N, "[" * N, "[](" * N, "[](()" * N, "<" * N, "<@" * N, "&" * N, "*" * N, "`" * N, "|" * N, "\n" * N]


@pytest.mark.parametrize("text", NASTY, ids=lambda text: repr(text[:5]))
def test_no_text_keeps_us_busy(text: str) -> None:
    assert _heard(text=f"hey{text}<@U0BOT>").text.startswith("hey")
    address = Address(platform="slack", workspace="T1", channel="C1")
    assert len(fallback(Reply(key="k", address=address, text=f"x{text}x", asked_at=0))) <= 3_900


def test_blanks_without_end_before_our_mention_are_taken_out_with_it() -> None:
    assert without_mention(f"hey{' ' * N}<@U0BOT> you{' ' * N}there", "U0BOT") == f"hey you{' ' * N}there"


@pytest.mark.parametrize(
    ("text", "plain"), [("[wiki](https://x.example/a_(b)) [x [y](z)", "wiki [x y"), ("[a](b [c](d)", "[a](b c")]
)
def test_links_in_notifications_are_their_labels(text: str, plain: str) -> None:
    address = Address(platform="slack", workspace="T1", channel="C1")
    assert fallback(Reply(key="k", address=address, text=text, asked_at=0)) == plain


def test_what_is_kept_of_an_unreadable_event_holds_no_secrets() -> None:
    secret = {"token": "s3cret", "response_url": "https://s3cret", "trigger_id": "1.s3cret", "ticket": "s3cret"}
    payload = {"type": "message_action", "callback_id": "session_reset", **secret, "parts": [{"in": secret, "x": "y"}]}
    (kept,), (other,) = translate(payload, VIEW), translate({**payload, "trigger_id": "2"}, VIEW)
    assert isinstance(kept, Rejected)
    assert isinstance(other, Rejected)
    assert "s3cret" not in kept.payload
    assert '"x": "y"' in kept.payload
    assert kept.id != other.id, "two events without an ID are told apart by what is not kept"


@pytest.mark.parametrize(
    ("session", "picked"),
    [("slack:T1:C1:1.5", True), ("slack:T1:C2:1.5", False), ("slack:T2:C1:1.5", False), ("discord:T1:C1:1", False)],
)
@pytest.mark.parametrize("is_button", [False, True])
def test_only_sessions_of_the_same_channel_can_be_picked(session: str, *, picked: bool, is_button: bool) -> None:
    option: dict[str, Any] = {"action_id": "session_picker", "selected_option": {"value": f"reset {session}"}}
    if is_button:
        option = {"action_id": "session_button_0", "value": f"reset {session}"}
    payload = {"type": "block_actions", "trigger_id": "1", "user": {"id": "U1"}, "channel": {"id": "C1"}}
    with capture_logs() as logs:
        events = translate({**payload, "actions": [option]}, VIEW)
    assert [isinstance(event, Inbound) for event in events] == ([True] if picked else [])
    assert [(line["log_level"], line["platform"]) for line in logs] == ([] if picked else [("warning", "slack")])


@pytest.mark.parametrize(
    "message", [{"text": 7}, {"text": ["x"]}, {"files": 1}, {"blocks": 1}, {"files": [], "text": {"x": 1}}]
)
def test_what_cannot_be_read_of_the_past_is_left_out(message: dict[str, Any]) -> None:
    address = Address(platform="slack", workspace="T1", channel="C1")
    said = past({"ts": "1.6", "user": "U1", **message}, address, VIEW)
    assert said is None
