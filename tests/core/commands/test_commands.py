"""The commands: how they are recognised in every form, what they are given, and that each of them is done."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.commands import deeds, orders
from core.commands.lines import Given, Misfit, arguments, line_of, parse
from core.commands.table import COMMANDS, UNKNOWN, Command, Cost, Parameter, find
from core.schema import turns
from core.seam.messages import Audience
from core.session import Kind, Progress, Role, SessionKey, Turn, Validity
from core.store import Database
from tests.script import house, rows
from tests.values import HERE, SET, SUMMARIZE, message

BOT, ROOM = Audience.BOT, Audience.ROOM

TITLE = Command(name="title", help="Name it", parameters=(Parameter(name="text", help="The name", rest=True),))
PAIR = Command(name="pair", help="Two", parameters=(Parameter(name="one", help="1"), Parameter(name="two", help="2")))
PLAIN = Command(name="plain", help="Takes nothing")
TABLE = {command.name: command for command in (SET, SUMMARIZE, TITLE, PAIR, PLAIN)}


@pytest.mark.parametrize(
    ("text", "audience", "verb"),
    [
        ("!reset", ROOM, "reset"),
        ("!RESET please", ROOM, "reset"),
        ("  !status", ROOM, "status"),
        ("/undo", ROOM, "undo"),
        ("reset", BOT, "reset"),
        ("Help", BOT, "help"),
        ("reset", ROOM, None),
        ("help me with this", BOT, None),
        ("!nice work", BOT, None),
        ("!", BOT, None),
        ("", BOT, None),
        ("! reset", BOT, None),
        ("please !reset", BOT, None),
    ],
)
def test_a_word_that_is_not_a_known_command_is_talk(text: str, audience: Audience, verb: str | None) -> None:
    found = parse(message(text, audience=audience))

    assert (found and found.verb) == verb


def test_what_the_platform_calls_a_command_is_one() -> None:
    assert parse(message("this thread", verb="Summarize")) == Given(verb="summarize", line="this thread")
    assert parse(message("", verb="frobnicate")) == Given(verb="frobnicate")
    assert find("frobnicate") is UNKNOWN


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"text": "!set zone Europe/Berlin", "audience": ROOM}, {"name": "zone", "value": "Europe/Berlin"}),
        ({"text": "  /SET  ZONE   UTC ", "audience": ROOM}, {"name": "zone", "value": "UTC"}),
        ({"text": "set persona a  kind\none", "audience": BOT}, {"name": "persona", "value": "a  kind\none"}),
        ({"text": "persona be kind", "verb": "set"}, {"name": "persona", "value": "be kind"}),
        ({"text": "zone UTC", "verb": "SET", "audience": ROOM}, {"name": "zone", "value": "UTC"}),
        ({"text": "!summarize since yesterday noon"}, {"since": "yesterday noon"}),
        ({"text": "summarize Since yesterday", "audience": BOT}, {"since": "yesterday"}),
        ({"text": "since yesterday", "verb": "summarize"}, {"since": "yesterday"}),
        ({"text": "", "verb": "summarize"}, {}),
        ({"text": "!summarize"}, {}),
        ({"text": '!pair "two words" "a \\"quote\\""'}, {"one": "two words", "two": 'a "quote"'}),
        ({"text": '!title It\'s "here"'}, {"text": 'It\'s "here"'}),
        ({"text": "!plain and simple"}, {}),
    ],
)
def test_arguments_are_the_same_however_they_are_given(facts: dict[str, object], expected: dict[str, str]) -> None:
    found = parse(message(**facts), TABLE)

    assert found is not None
    assert arguments(find(found.verb, TABLE), found.line) == expected


@pytest.mark.parametrize(
    ("text", "audience"),
    [
        ("set up a meeting tomorrow", BOT),
        ("summarize this article for me", BOT),
        ("set", BOT),
        ("set zone", BOT),
        ("plain and simple", BOT),
        ("set zone UTC", ROOM),
        ("!sets zone UTC", BOT),
    ],
)
def test_a_verb_with_what_it_does_not_take_behind_it_is_talk(text: str, audience: Audience) -> None:
    assert parse(message(text, audience=audience), TABLE) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("!set", "I miss zone|persona. Say `set zone|persona VALUE`."),
        ("!set zone", "I miss VALUE."),
        ("!set colour red", "`colour` is none of zone, persona."),
        ("!summarize before noon", "I don't understand `before noon` here. Say `summarize [since SINCE]`."),
        ("!summarize since", "I don't understand `since` here."),
    ],
)
def test_a_command_that_is_certainly_meant_says_how_it_is_said(text: str, words: str) -> None:
    found = parse(message(text), TABLE)

    assert found is not None
    with pytest.raises(Misfit) as wrong:
        arguments(find(found.verb, TABLE), found.line)
    assert words in str(wrong.value)


WORDS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1)


@given(st.fixed_dictionaries({"one": WORDS, "two": WORDS}), WORDS, st.none() | WORDS)
def test_what_is_given_by_name_is_read_as_it_was_given(pair: dict[str, str], text: str, since: str | None) -> None:
    summary = {} if since is None else {"since": since}

    assert arguments(PAIR, line_of(PAIR, pair)) == pair
    assert arguments(TITLE, line_of(TITLE, {"text": text})) == {"text": text}
    assert arguments(SUMMARIZE, line_of(SUMMARIZE, summary)) == summary


def test_the_table_fits_every_surface() -> None:
    """Discord: descriptions of at most 100 characters, names of 32 lowercase ones, what is optional at the end."""
    assert list(COMMANDS) == [
        *("reset", "undo", "summarize", "status", "context", "usage", "stop"),
        *("off-the-record", "on-the-record"),
        *("settings", "set", "unset", "prefer", "preferences"),
        *("export", "forget", "help"),
    ]
    for command in COMMANDS.values():
        for one in (command, *command.parameters):
            assert 1 <= len(one.help) <= 100
            assert one.name.islower()
            assert len(one.name) <= 32
        optional = [parameter.optional for parameter in command.parameters]
        assert optional == sorted(optional)


def test_every_command_is_done_or_asked_of_the_model() -> None:
    for command in (*COMMANDS.values(), UNKNOWN):
        assert (command.name in deeds.EFFECTS) == (command.cost is Cost.NOTHING)
        assert (command.name in orders.PROMPTS) == (command.cost is Cost.MODEL)


def turn(**facts) -> Turn:
    state = {"kind": Kind.COMMAND, "progress": Progress.WAITING, "validity": Validity.STANDS}
    return Turn(seq=1, role=Role.PERSON, **state, tokens=1, at=0.0, **{"text": "", **facts})


KEY = SessionKey(workspace=1, session=1, address=HERE)


def test_a_command_whose_arguments_do_not_fit_is_not_asked_of_the_model() -> None:
    fine = orders.Order(key=KEY, turn=turn(verb="summarize", text="since noon"), command=SUMMARIZE)
    odd = orders.Order(key=KEY, turn=turn(verb="summarize", text="before noon"), command=SUMMARIZE)

    assert fine.is_for_the_model
    assert not odd.is_for_the_model
    assert odd.misfit is not None
    assert "summarize [since SINCE]" in odd.misfit


@pytest.fixture
def with_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table has one more row, with parameters, and the deeds what is done for it."""
    monkeypatch.setitem(COMMANDS, "set", SET)  # type: ignore[arg-type]  # a dict, behind its type
    monkeypatch.setitem(deeds.EFFECTS, "set", lambda _, desk: orders.Said(text=f"{dict(desk.order.arguments)}"))  # type: ignore[arg-type]


FORMS: list[dict[str, object]] = [
    {"text": "!set persona be kind"},
    {"text": "set persona be kind", "audience": BOT},
    {"text": "persona be kind", "verb": "set"},
]


@pytest.mark.parametrize("form", FORMS, ids=["typed", "mentioned", "native"])
@pytest.mark.usefixtures("with_set")
async def test_a_command_is_done_with_its_arguments_in_whatever_form_it_came(
    database: Database, form: dict[str, object]
) -> None:
    async with house(database) as running:
        await running.say(message(**form))
        await running.answered("{'name': 'persona', 'value': 'be kind'}")
        (turn, *_) = await rows(database, turns)

    assert (turn.verb, turn.body) == ("set", b"persona be kind")
    assert running.model.prompts == []


@pytest.mark.usefixtures("with_set")
async def test_a_command_that_lacks_something_says_so_and_one_that_may_be_talk_is_answered(database: Database) -> None:
    async with house(database) as running:
        await running.say(message("!set colour red"))
        await running.answered("`colour` is none of zone, persona. Say `set zone|persona VALUE`.")
        await running.say(message("set up a meeting", audience=BOT))
        await running.adapter.until(lambda: running.adapter.texts[1:] == ["You said: set up a meeting"])
        await running.over()
