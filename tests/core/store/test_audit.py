"""The audit: nothing is done unrecorded, and whoever changes the record is found out."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from core.chores.sealing import Resealing
from core.commands.auditing import LOST
from core.schema import audit as table
from core.schema import audit_chains
from core.seam.messages import Audience
from core.store import Database, audit, bodies, connect, keys, policies
from core.store.audit import Outcome
from core.store.engine.sql import this_moment
from core.store.sealing import Vault
from core.store.workspaces import workspace_of
from core.vault import ring
from tests.script import house, rows
from tests.sealed import seal_if_told
from tests.values import ADA, BEN, HERE, message

NAME = "console:local"


@pytest.fixture(params=["plain", "sealed"])
def codec(request: pytest.FixtureRequest) -> Iterator[None]:
    """Without a key ring, and with one. What can't be opened is read as it is by operators."""
    bodies.use(Vault(OURS) if request.param == "sealed" else None)
    yield
    seal_if_told()


OURS = ring.read(ring.generate())


async def chain(database: Database, *deeds: str, name: str = "local") -> int:
    """A workspace of which these deeds are recorded."""
    workspace = await database.write(workspace_of, "console", name)
    for deed in deeds:
        await database.write(audit.record, workspace, deed, actor=ADA.id)
    return workspace


async def verified(database: Database, workspace: int) -> tuple[int, int | None]:
    """How many rows it has, and the number of the first that is broken."""
    many, broken = await database.write(audit.verify, workspace, NAME)
    return many, None if broken is None else broken.number


async def deeds(database: Database) -> list[tuple[str | None, str, str]]:
    return [(one.actor, one.deed, one.outcome) for one in await database.read(audit.found, most=100)]


@pytest.mark.usefixtures("codec")
async def test_a_record_that_nobody_has_touched_is_whole(database: Database) -> None:
    workspace, other = await chain(database, *"abc"), await chain(database, "a", name="other")

    assert await verified(database, workspace) == (3, None)
    assert await verified(database, other) == (1, None)
    assert [one for one, _ in await database.read(audit.recorded)] == [workspace, other]


def _change(connection: Connection, workspace: int, number: int) -> None:
    connection.execute(update(table).where(table.c.workspace == workspace, table.c.number == number).values(actor="U9"))


def _take(connection: Connection, workspace: int, number: int) -> None:
    connection.execute(delete(table).where(table.c.workspace == workspace, table.c.number == number))


def _move(connection: Connection, workspace: int, number: int) -> None:
    """Another row's hash in its place."""
    other = connection.execute(select(table.c.hash).where(table.c.workspace == workspace, table.c.number == 1)).scalar()
    this = update(table).where(table.c.workspace == workspace, table.c.number == number)
    connection.execute(this.values(hash=b"0" if number == 1 else other))


def _add(connection: Connection, workspace: int, number: int) -> None:
    """One that nobody recorded, behind the end."""
    newest = select(table).where(table.c.workspace == workspace).order_by(table.c.number.desc()).limit(1)
    row = dict(connection.execute(newest).one()._mapping)
    _take(connection, workspace, number)
    connection.execute(insert(table).values(row | {"number": row["number"] + 1}))


@pytest.mark.usefixtures("codec")
@pytest.mark.parametrize("number", [1, 2, 4])
@pytest.mark.parametrize("harm", [_change, _take, _move, _add])
async def test_the_first_row_that_is_not_as_it_was_recorded_is_named(database: Database, harm, number: int) -> None:
    workspace = await chain(database, *"abcd")

    await database.write(harm, workspace, number)

    assert await verified(database, workspace) == (4, number)


async def test_a_last_row_with_a_hash_that_fits_is_not_what_the_end_says(database: Database) -> None:
    """Whoever changes it without a key ring can reckon that, and forgets what the chain knows of its end."""
    bodies.use(None)
    workspace = await chain(database, *"abcd")

    def forge(connection: Connection) -> None:
        _take(connection, workspace, 4)
        ends = connection.execute(select(audit_chains)).one()
        before = connection.execute(select(table.c.hash).where(table.c.number == 3)).scalar_one()
        connection.execute(update(audit_chains).values(last=b"3 " + before))
        audit.record(connection, workspace, "x", actor=BEN.id)
        connection.execute(update(audit_chains).values(last=ends.last))

    await database.write(forge)

    assert await verified(database, workspace) == (4, 4)
    seal_if_told()


async def test_a_row_behind_the_end_is_nobodys(database: Database) -> None:
    workspace = await chain(database, *"abc")

    await database.write(_add, workspace, 9)

    assert await verified(database, workspace) == (3, 4)


async def test_a_chain_without_its_ends_is_broken(database: Database) -> None:
    workspace = await chain(database, *"abc")

    await database.write(lambda connection: connection.execute(delete(audit_chains)) and None)

    assert (await verified(database, workspace))[1] == 1


@pytest.mark.usefixtures("codec")
async def test_what_was_changed_is_not_forgotten_by_taking_the_chains_ends_away(database: Database) -> None:
    """As if nothing had been recorded yet, a new chain would begin behind it by the next deed."""
    workspace = await chain(database, *"abcd")

    def harm(connection: Connection) -> None:
        _change(connection, workspace, 2)
        _forget(connection)

    await database.write(harm)

    with pytest.raises(audit.ChainLost):
        await chain(database, "e")
    assert await verified(database, workspace) == (0, 1)
    assert len(await rows(database, audit_chains)) == 0


async def test_without_the_key_ring_nobody_makes_a_chain_anew(database: Database) -> None:
    """Whoever computes hashes that fit can't seal them."""
    bodies.use(Vault(OURS, all_sealed=True))
    try:
        workspace = await chain(database, *"abc")
        bodies.use(None)

        def rewrite(connection: Connection) -> None:
            connection.execute(delete(table))
            connection.execute(delete(audit_chains))
            for deed in "abd":
                audit.record(connection, workspace, deed, actor=ADA.id)

        await database.write(rewrite)
        bodies.use(Vault(OURS, all_sealed=True))

        assert await verified(database, workspace) == (0, 1)
        with pytest.raises(audit.ChainLost):
            await chain(database, "e")
    finally:
        seal_if_told()


@pytest.mark.usefixtures("codec")
async def test_nothing_is_added_to_a_chain_whose_ends_are_lost(database: Database) -> None:
    workspace = await chain(database, *"ab")

    await database.write(lambda connection: connection.execute(update(audit_chains).values(last=b"x")) and None)

    with pytest.raises(audit.ChainLost):
        await chain(database, "c")
    assert await verified(database, workspace) == (0, 1)
    assert (await database.write(audit.prune, workspace, NAME, before=2**60))[0] == 0


def _lose(connection: Connection) -> None:
    connection.execute(update(audit_chains).values(last=b"x"))


def _forget(connection: Connection) -> None:
    connection.execute(delete(audit_chains))


@pytest.mark.usefixtures("codec")
@pytest.mark.parametrize("harm", [_lose, _forget, lambda connection: _change(connection, 1, 2)])
async def test_what_is_broken_is_recorded_on_behind_it_once_it_is_begun_anew(database: Database, harm) -> None:
    """It can be verified again from there on, and what stands before it goes when its time is over."""
    workspace = await chain(database, *"abc")
    await database.write(harm)
    before = await verified(database, workspace)

    broken = await database.write(audit.mend, workspace, NAME)

    assert broken is not None
    assert broken.number == before[1]
    assert await verified(database, workspace) == (1, None)
    await chain(database, "d")
    assert await verified(database, workspace) == (2, None)
    recorded = await deeds(database)
    assert recorded[-2:] == [(None, "audit begin-anew", "done"), (ADA.id, "d", "done")]
    assert len(recorded) == 5
    assert await database.write(audit.mend, workspace, NAME) is None, "it is whole"
    assert await database.write(audit.prune, workspace, NAME, before=2**60) == (2, None)
    assert await deeds(database) == []


async def test_a_new_chain_begins_once_the_keys_of_a_workspace_are_destroyed(database: Database) -> None:
    bodies.use(Vault(OURS))
    try:
        workspace = await chain(database, *"abc")
        await database.write(keys.destroy, workspace, None)
        bodies.use(Vault(OURS))

        assert await verified(database, workspace) == (0, None)
        await chain(database, *"de")

        assert await verified(database, workspace) == (2, None)
        assert [one.number for one in await database.read(audit.found, most=9)] == [1, 2, 3, 4, 5]
        await database.write(_change, workspace, 5)
        assert await verified(database, workspace) == (2, 5)
        assert (await database.write(audit.prune, workspace, NAME, before=2**60))[0] == 0
        assert [one.number for one in await database.read(audit.found, most=9)] == [4, 5]
    finally:
        seal_if_told()


async def test_what_is_sealed_anew_is_still_whole(database: Database) -> None:
    bodies.use(None)
    workspace = await chain(database, *"abc")
    vault = Vault(OURS)
    bodies.use(vault)
    try:
        await Resealing(database=database, vault=vault).seal_all()

        assert vault.all_sealed
        assert await verified(database, workspace) == (3, None)
    finally:
        seal_if_told()


async def test_two_replicas_at_once_make_one_chain(url: str) -> None:
    databases = [connect(url), connect(url)]
    try:
        workspace = await databases[0].write(workspace_of, "console", "local")
        await asyncio.gather(
            *(databases[one % 2].write(audit.record, workspace, f"deed {one}", actor=None) for one in range(40))
        )

        assert await verified(databases[0], workspace) == (40, None)
        found = await databases[1].read(audit.found, most=100)
        assert [one.number for one in found] == list(range(1, 41))
    finally:
        for database in databases:
            await database.close()


async def test_what_is_taken_back_was_not_recorded(database: Database) -> None:
    workspace = await chain(database, "a")

    def fails(connection: Connection) -> None:
        audit.record(connection, workspace, "b", actor=None)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await database.write(fails)

    assert await verified(database, workspace) == (1, None)


@pytest.mark.usefixtures("codec")
async def test_what_has_been_kept_long_enough_goes_and_the_rest_is_still_verified(database: Database) -> None:
    workspace = await chain(database, *"abc")
    while await database.read(_clock) == (await database.read(audit.found, most=1))[0].at:
        pass
    await chain(database, *"de")
    since = (await database.read(audit.found, most=2))[0].at

    assert await database.write(audit.prune, workspace, NAME, before=since) == (3, None)
    assert await database.write(audit.prune, workspace, NAME, before=since) == (0, None)
    assert await verified(database, workspace) == (2, None)

    await database.write(_take, workspace, 4)
    assert await verified(database, workspace) == (2, 4)


def _clock(connection: Connection) -> int:
    return connection.execute(select(this_moment(connection))).scalar_one()


async def test_pruning_wipes_no_traces(database: Database) -> None:
    """What was changed before its time is over stays, so that it is still found."""
    workspace = await chain(database, *"abc")
    await database.write(_change, workspace, 2)

    gone, broken = await database.write(audit.prune, workspace, NAME, before=2**60)

    assert gone == 0
    assert broken is not None
    assert broken.number == 2
    assert await verified(database, workspace) == (3, 2)


async def test_all_of_a_long_chain_is_looked_at_and_pruned_a_bounded_number_of_rows_at_once(database: Database) -> None:
    workspace = await chain(database)

    def much(connection: Connection) -> None:
        for _ in range(1_003):
            audit.record(connection, workspace, "reset", actor=None)

    await database.write(much)
    assert await verified(database, workspace) == (1_003, None)

    await database.write(_change, workspace, 1_002)

    assert await verified(database, workspace) == (1_003, 1_002)
    assert await database.write(audit.prune, workspace, NAME, before=2**60) == (1_000, None)
    assert await verified(database, workspace) == (3, 1_002)


async def test_what_commands_did_is_recorded_by_whom_and_without_a_word_of_it(database: Database) -> None:
    async with house(database, may_stop=frozenset()) as running:
        for text in ("hello there", "!context", "!reset", "!undo", "!undo", "!status", "!help", "!prefer tone calm"):
            await running.say(message(text))
            await running.over()
        await running.say(message("!stop", author=BEN))
        await running.over()

    assert await deeds(database) == [(ADA.id, one, "done") for one in ("context", "reset", "undo", "undo")]
    assert "hello" not in str(await rows(database, table))
    found = await database.read(audit.found, most=1)
    assert (found[0].workspace, found[0].session) == (NAME, HERE.id)


async def test_exports_are_recorded_and_erasures_whenever_they_are_begun(database: Database) -> None:
    """Also where more of the same is asked for meanwhile, but not where it is only asked what that would be."""
    async with house(database) as running:
        for text in ("hello there", "!export", "!forget me", "!forget me yes", "!forget me yes"):
            await running.say(message(text))
            await running.over()

    assert await deeds(database) == [(ADA.id, one, "done") for one in ("export", "forget me", "forget me")]


async def test_settings_are_recorded_by_name_and_refusals_too(database: Database) -> None:
    async with house(database) as running:
        await running.say(message("hello"))
        await running.over()
        await database.write(_let, HERE.id, may_set="U1")
        for text in ("!set zone Europe/Berlin", "!set workspace may_set admins", "!unset zone", "!unset zone"):
            await running.say(message(text))
            await running.over()
        await running.say(message("!set zone UTC", author=BEN, direct=False))
        await running.over()

    assert "Berlin" not in str(await rows(database, table))
    assert await deeds(database) == [
        (ADA.id, "set zone", "done"),
        (ADA.id, "set workspace may_set", "denied"),
        (ADA.id, "unset zone", "done"),
        (BEN.id, "set zone", "denied"),
    ]


async def test_what_can_not_be_recorded_is_not_done_and_that_is_said_at_once(database: Database) -> None:
    """What is denied is so all the same, and nobody waits for several attempts."""
    bodies.use(None)

    def lose(connection: Connection) -> None:
        connection.execute(update(audit_chains).values(last=b"lost"))

    async with house(database) as running:
        for text in ("hello", "!reset", "!undo"):
            await running.say(message(text))
            await running.over()
        await database.write(lose)
        before = len(running.adapter.texts)
        for text in ("!reset", "!context", "!forget me yes"):
            await running.say(message(text))
            await running.over()
        await running.say(message("!export session", author=BEN, direct=False))
        await running.over()
        told = running.adapter.texts[before:]
        await running.say(message("do you know it still?"))
        await running.over()

    assert told[:3] == [LOST.text] * 3
    assert told[3].startswith("Only admins may be shown")
    assert "hello" in running.model.asked()[0], "nothing was set aside, or forgotten"
    assert [one for _, one, _ in await deeds(database)] == ["reset", "undo"]
    seal_if_told()


async def test_who_looked_at_what_all_people_have_used_is_recorded(database: Database) -> None:
    """What they have used themselves is nobody's business."""
    async with house(database) as running:
        await running.say(message("hello"))
        await running.over()
        await database.write(_let, "", may_set="U1")
        for author in (ADA, BEN):
            for text in ("!usage", "!usage channel", "!usage workspace"):
                await running.say(message(text, author=author, direct=False, audience=Audience.BOT))
                await running.over()

    told = ("usage channel", "usage workspace")
    assert await deeds(database) == [
        *((ADA.id, one, "done") for one in told),
        *((BEN.id, one, "denied") for one in told),
    ]


def _let(connection: Connection, scope: str, **settings: object) -> None:
    """Writes by hand what is set, beside the program."""
    workspace = workspace_of(connection, HERE.platform, HERE.workspace)
    policies.keep(connection, bodies.Mine(workspace), scope, json.dumps(settings))


async def test_the_newest_of_a_person_since_a_moment_are_found(database: Database) -> None:
    workspace = await chain(database, "a")
    await database.write(audit.record, workspace, "b", Outcome.DENIED, actor=BEN.id)
    await database.write(audit.record, workspace, "c", actor=None)

    assert [one.deed for one in await database.read(audit.found, most=2)] == ["b", "c"]
    assert [one.deed for one in await database.read(audit.found, actor=BEN.id, most=9)] == ["b"]
    assert [one.deed for one in await database.read(audit.found, since=2**60, most=9)] == []
    assert await database.read(audit.found, workspace="console:other", most=9) == []
