"""The vault on both databases: keys are made once and survive, what was tampered with is one message lost."""

import asyncio
import secrets
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, select, update

from bots.program import vaults
from core.chores.sealing import HearingOfKeys, Resealing
from core.schema import data_keys, quotes, turns
from core.seam.messages import Author, Quote
from core.session import Kind, Role, Turn
from core.store import Database, bodies, connect, keys, places, resealing, rotating
from core.store.bodies import NotOpened, Place
from core.store.inbound import accept
from core.store.keys import DataKey, identity
from core.store.remembered import newest
from core.store.sealing import Vault
from core.vault.cipher import Cipher
from core.vault.packet import about, number_of
from core.vault.ring import OwnKeys
from tests.script import rows
from tests.values import HERE, message

RING = OwnKeys(bytes(32))


@pytest.fixture
def vault() -> Iterator[Vault]:
    """In use from here on, as after a start with a ring."""
    made = Vault(RING)
    bodies.use(made)
    yield made
    bodies.use(None)


def again() -> Vault:
    """As another process would have it, which has just been started."""
    made = Vault(RING)
    bodies.use(made)
    return made


async def say(database: Database, *texts: str, by: str = "U1", pointed: tuple[Quote, ...] = ()) -> None:
    for text in texts:
        said = message(text, author=Author(id=by, name=f"name of {by}"), quotes=pointed)
        await database.write(accept, said, kind=Kind.OVERHEARD, verb=None, tokens=3)


async def remembered(database: Database) -> list[Turn]:
    found = await database.read(places.find, HERE)
    assert found is not None
    return (await database.read(newest, found.key, budget=1_000_000))[::-1]


async def texts(database: Database) -> list[str]:
    return [turn.text for turn in await remembered(database)]


def stored(connection: Connection) -> list[tuple[int, bytes, str]]:
    return [tuple(row) for row in connection.execute(select(turns.c.seq, turns.c.body, turns.c.name))]


async def test_what_is_stored_is_no_text_and_opens_for_a_process_that_starts_later(
    vault: Vault, database: Database
) -> None:
    await say(database, "the secret", pointed=(Quote(kind="attaches", title="plan.txt", text="a secret file"),))

    ((_, body, name),) = await database.read(stored)
    assert b"secret" not in body
    assert body[0] == 0xFE
    assert len(body) == len("the secret") + 30
    assert "name" not in name
    again()
    (turn,) = await remembered(database)
    assert (turn.text, turn.author) == ("the secret", Author(id="U1", name="name of U1"))
    assert [(one.title, one.text) for one in turn.quotes] == [("plan.txt", "a secret file")]


async def test_each_person_has_one_data_key_for_their_own_words(vault: Vault, database: Database) -> None:
    await say(database, "one", "two")
    await say(database, "three", by="U2", pointed=(Quote(kind="attaches", title="plan.txt", text="mine"),))
    again()
    await say(database, "four")

    found = await rows(database, data_keys)
    assert sorted(row.author for row in found) == ["U1", "U2"]
    authors = {row.number: row.author for row in found}
    sealed = [authors[number] for number in await numbers(database, turns.c.body)]
    assert sealed == ["U1", "U1", "U2", "U1"]
    assert [authors[number] for number in await numbers(database, quotes.c.body)] == ["U2"]


async def numbers(database: Database, column) -> list[int]:
    def read(connection: Connection) -> list[int]:
        return [row[0][1] for row in connection.execute(select(column)).all()]  # a small number is one byte

    return await database.read(read)


async def test_a_key_is_made_once_by_two_processes_that_need_it_at_the_same_moment(
    vault: Vault, database: Database, url: str
) -> None:
    await say(database, "the workspace is known")
    other, beside = connect(url), Vault(RING)

    made = await asyncio.gather(
        *(database.write(keys.ensure, 1, f"U{n}", vault.wrap_new) for n in range(10)),
        *(other.write(keys.ensure, 1, f"U{n}", beside.wrap_new) for n in range(10)),
    )

    stored = {(row.number, row.author): row.wrapped for row in await rows(database, data_keys)}
    assert all(stored[one.number, one.author] == one.wrapped for one in made)
    assert len(stored) == len({number for number, _ in stored})
    await other.close()


async def test_a_transaction_that_is_taken_back_leaves_no_key_in_use_that_is_not_stored(
    vault: Vault, database: Database
) -> None:
    await say(database, "the workspace is known")

    def fail(connection: Connection) -> None:
        bodies.TURN.seal(bodies.Mine(1, 1), (9, 0), "lost", by="U9")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.write(fail)
    await say(database, "kept", by="U9")
    again()

    assert await texts(database) == ["the workspace is known", "kept"]


async def change(database: Database, seq: int, **become: object) -> None:
    await database.write(lambda connection: connection.execute(update(turns).where(turns.c.seq == seq).values(become)))


LOST = "[a message that can't be read any more]"


async def test_one_bit_that_was_changed_is_one_message_lost_and_a_line_in_the_log(
    vault: Vault, database: Database
) -> None:
    await say(database, "first", "the secret", "last")
    body = bytearray((await database.read(stored))[1][1])
    body[-1] ^= 1
    await change(database, 2, body=bytes(body))

    with structlog.testing.capture_logs() as lines:
        assert await texts(database) == ["first", LOST, "last"]

    assert [(line["event"], line["table"], line["column"]) for line in lines] == [("can't be read", "turns", "body")]
    assert "secret" not in str(lines)


async def test_a_body_that_was_moved_is_lost_and_the_others_stay(vault: Vault, database: Database) -> None:
    await say(database, "first", "second", "third")
    _, second, _ = await database.read(stored)
    await change(database, 1, body=second[1])
    await change(database, 3, name=second[2])

    assert await texts(database) == [LOST, "second", "third"]
    assert [turn.author and turn.author.name for turn in await remembered(database)] == ["name of U1", "name of U1", ""]


@pytest.mark.parametrize(
    "garbage", [b"\xfe", b"\xfe\x80\x80", b"\xfe\x01short", b"\xfe\xff\xff\xff\xff\x07" + bytes(40)]
)
async def test_garbage_is_one_message_lost(vault: Vault, database: Database, garbage: bytes) -> None:
    await say(database, "first", "second")
    await change(database, 1, body=garbage)

    assert await texts(database) == [LOST, "second"]


async def test_words_by_a_key_that_was_destroyed_are_lost_quietly_and_nobody_elses_are(
    vault: Vault, database: Database
) -> None:
    await say(database, "mine")
    await say(database, "yours", by="U2")
    hearing = HearingOfKeys(database=database, vault=vault)
    await hearing.look()
    other = again()
    await database.write(keys.destroy, 1, "U1")

    with structlog.testing.capture_logs() as lines:
        assert await texts(database) == [LOST, "yours"]
    assert lines == []

    bodies.use(vault)
    await hearing.look()
    assert await texts(database) == [LOST, "yours"]
    await say(database, "I am back")
    assert await texts(database) == [LOST, "yours", "I am back"]
    assert len({row.number for row in await rows(database, data_keys)}) == len(await rows(database, data_keys))
    assert other is not vault


async def test_a_wrapped_key_that_takes_anothers_place_opens_nothing(vault: Vault, database: Database) -> None:
    await say(database, "mine")
    await say(database, "yours", by="U2")

    def swap(connection: Connection) -> None:
        one, other = (keys.newest(connection, 1, by) for by in ("U1", "U2"))
        assert one is not None
        assert other is not None
        this = data_keys.c.number == one.number
        connection.execute(update(data_keys).where(this).values(wrapped=other.wrapped))

    await database.write(swap)
    again()

    assert await texts(database) == [LOST, "yours"]
    await say(database, "and now by a new key")
    assert await texts(database) == [LOST, "yours", "and now by a new key"]


async def test_what_was_in_the_clear_is_sealed_and_then_nothing_in_the_clear_is_believed(database: Database) -> None:
    bodies.use(None)
    await say(database, "in the clear", pointed=(Quote(kind="attaches", title="plan.txt", text="a file"),))
    await say(database, "by another", by="U2")
    vault = again()
    assert await texts(database) == ["in the clear", "by another"]

    told: list[int] = []
    assert await Resealing(database=database, vault=vault, tell=told.append).seal_all() == 3

    assert sum(told) == 2 * await database.read(resealing.size)
    assert all(body[0] == 0xFE for _, body, _ in await database.read(stored))
    assert await texts(database) == ["in the clear", "by another"]
    assert vault.all_sealed
    await change(database, 1, body=b"forged")
    assert await texts(database) == [LOST, "by another"]
    bodies.use(None)


async def test_what_this_process_has_sealed_a_moment_ago_goes_with_its_key(vault: Vault, database: Database) -> None:
    hearing = HearingOfKeys(database=database, vault=vault)
    await hearing.look()
    await say(database, "mine")
    await say(database, "by another", by="U2")
    await database.write(keys.destroy, 1, "U1")

    await hearing.look()

    assert await texts(database) == [LOST, "by another"]


async def test_a_row_that_changes_while_it_is_sealed_keeps_what_it_has_become(vault: Vault, database: Database) -> None:
    bodies.use(None)
    await say(database, "first", "second")
    bodies.use(vault)
    seen = await database.read(resealing.look, vault, "turns", None, renew=False)
    sealed = bodies.TURN.seal(bodies.Mine(1, 1), (1, 0), "edited", by="U1")
    await change(database, 1, body=sealed)

    assert await database.write(resealing.put, "turns", seen.changes) == 1
    assert await texts(database) == ["edited", "second"]


async def test_new_data_keys_seal_all_anew_and_a_rotation_that_was_cut_off_goes_on(
    vault: Vault, database: Database
) -> None:
    await database.write(keys.ensure, keys.DEPLOYMENT, keys.PROOF, vault.wrap_new)
    await say(database, "one")
    await say(database, "two", by="U2")
    before = await database.read(stored)
    since = await rotating.begin(vault, database)
    await asyncio.sleep(0.002)  # the clock tells milliseconds
    made = await database.read(rotating.to_be_made, since)

    assert await rotating.begin(vault, database) == since
    await rotating.make_all(vault, database, since, lambda _: None)
    assert made > 0
    assert await database.read(rotating.to_be_made, since) == 0
    assert await Resealing(database=database, vault=vault).walk(renew=True) == 2
    assert await Resealing(database=database, vault=vault).walk(renew=True) == 0
    await database.write(rotating.end)

    after = await database.read(stored)
    assert {body[1] for _, body, _ in before}.isdisjoint({body[1] for _, body, _ in after})
    again()
    assert await texts(database) == ["one", "two"]
    assert await rotating.begin(vault, database) > since


async def test_a_rotation_that_was_cut_off_begins_anew_where_the_ring_has_another_key_by_now(
    vault: Vault, database: Database
) -> None:
    """What it had made before could be opened by whoever has the older key, and a copy of before."""
    await database.write(keys.ensure, keys.DEPLOYMENT, keys.PROOF, vault.wrap_new)
    await say(database, "one")
    await database.write(age)
    cut_off = await rotating.begin(vault, database)
    await rotating.make_all(vault, database, cut_off, lambda _: None)
    await database.write(age)
    bodies.use(renewed := Vault(OwnKeys(bytes([1] * 32), bytes(32))))
    await rotating.wrap_all(renewed.ring, database, lambda _: None)

    since = await rotating.begin(renewed, database)

    made = {(one.workspace, one.author) for one in await rows(database, data_keys) if one.workspace != keys.DEPLOYMENT}
    assert await database.read(rotating.to_be_made, since) == len(made) > 0
    assert await rotating.begin(renewed, database) == since
    await rotating.make_all(renewed, database, since, lambda _: None)
    await database.write(rotating.end)
    (proof,) = [one for one in await rows(database, data_keys) if one.workspace == keys.DEPLOYMENT]
    assert proof.ring == renewed.ring.newest


def age(connection: Connection) -> None:
    """The same as waiting for ten seconds."""
    connection.execute(
        update(data_keys).values(made_at=data_keys.c.made_at - 10_000, changed_at=data_keys.c.changed_at - 10_000)
    )


async def test_the_newest_key_of_a_ring_wraps_all_and_the_old_one_may_go(vault: Vault, database: Database) -> None:
    await say(database, "one")
    await say(database, "two", by="U2")
    both = OwnKeys(secrets.token_bytes(32), bytes(32))

    await rotating.wrap_all(both, database, lambda _: None)

    assert await database.read(rotating.to_be_wrapped, both.newest) == 0
    assert await database.read(keys.rings) == {both.newest}
    bodies.use(Vault(both))
    assert await texts(database) == ["one", "two"]


async def test_processes_that_are_given_a_new_key_one_after_the_other_read_what_each_other_stores(
    database: Database,
) -> None:
    """Until the rotation, by which all of them have it, data keys are made by the key that all have."""
    old, new = OwnKeys(bytes(32)), OwnKeys(secrets.token_bytes(32), bytes(32))
    before = await vaults.enter(old, database)
    await say(database, "one")
    after = await vaults.enter(new, database)
    assert before is not None
    assert after is not None
    await say(database, "two", by="U2")
    bodies.use(before)
    assert await texts(database) == ["one", "two"], "also where it has yet to be told of the new key"

    restarted = await vaults.enter(new, database)
    assert restarted is not None
    hearing = HearingOfKeys(database=database, vault=restarted)
    await hearing.look()
    await rotating.wrap_all(new, database, lambda _: None)
    await say(database, "three", by="U3")  # by a process that has not heard of it yet
    assert 0 < await rotating.unheard(database, within=20) <= 20
    await hearing.look()
    await rotating.wrap_all(new, database, lambda _: None)
    await say(database, "four", by="U4")

    assert await database.read(keys.rings) == {new.newest}, "the old key may go"
    assert await rotating.unheard(database, within=0) == 0


async def test_a_process_hears_of_keys_that_another_has_made(vault: Vault, database: Database) -> None:
    await say(database, "one")
    hearing = HearingOfKeys(database=database, vault=vault)
    await hearing.look()
    number = vault.newest(1, "U1")
    other = Vault(RING)
    row = await database.write(keys.ensure, 1, "U1", other.wrap_new, after=number)

    await hearing.look()

    assert vault.newest(1, "U1") == row.number > number


def test_a_place_is_written_as_the_vault_does() -> None:
    place = Place("preferences", "body", 7, 0, ("U1|2", 3, Role.ASSISTANT))
    vault, shared = Vault(RING), bytes(32)
    vault.know([DataKey(7, 300, "", RING.newest, RING.wrap(RING.newest, shared, identity(7, 300, "")))])

    packet = vault.seal(place, b"words", "")

    number, start = number_of(packet)
    assert number == 300
    assert Cipher(shared).open(packet, about("preferences.body", 7, 0, "U1|2", 3, 1), start=start) == b"words"


PLACE = Place("turns", "body", 1, 7, (3, 0))
MOVED = {
    "table": PLACE._replace(table="quotes"),
    "column": PLACE._replace(column="name"),
    "workspace": PLACE._replace(workspace=2),
    "session": PLACE._replace(session=8),
    "row": PLACE._replace(row=(4, 0)),
    "role": PLACE._replace(row=(3, 1)),
}


@pytest.mark.parametrize("moved", MOVED.values(), ids=MOVED)
@pytest.mark.parametrize("row", [PLACE.row, ("U1",), ("U1", 3)], ids=["as most are", "of a name", "of both"])
def test_what_was_moved_opens_in_no_other_place(moved: Place, row: tuple[int | str, ...]) -> None:
    """Even if both had the same key, and whatever the two have in common."""
    moved, place = (one if one.row != PLACE.row else one._replace(row=row) for one in (moved, PLACE))
    vault, shared = Vault(RING), secrets.token_bytes(32)
    for workspace in (1, 2):
        about_it = identity(workspace, 1, "")
        vault.know([DataKey(workspace, 1, "", RING.newest, RING.wrap(RING.newest, shared, about_it))])
    packet = vault.seal(place, b"words", "")

    assert vault.open(place, packet) == b"words"
    with pytest.raises(NotOpened):
        vault.open(moved, packet)


PARTS = st.tuples(
    st.sampled_from(["turns", "quotes", "deliveries"]),
    st.sampled_from(["body", "name", "error"]),
    st.integers(1, 2),
    st.integers(0, 2),
    st.lists(st.one_of(st.integers(-2, 2), st.sampled_from(["", "U1", "1", "C1"])), min_size=1, max_size=2).map(tuple),
)


@given(one=PARTS, other=PARTS, words=st.binary(min_size=1, max_size=40))
def test_a_body_opens_in_no_other_place(one: tuple, other: tuple, words: bytes) -> None:
    vault = Vault(RING)
    shared = secrets.token_bytes(32)
    for workspace in (1, 2):  # even if both had the same key
        row = DataKey(workspace, 1, "", RING.newest, RING.wrap(RING.newest, shared, identity(workspace, 1, "")))
        vault.know([row])
    packet = vault.seal(Place(*one), words, "")

    if one == other:
        assert vault.open(Place(*other), packet) == words
    else:
        with pytest.raises(NotOpened):
            vault.open(Place(*other), packet)
