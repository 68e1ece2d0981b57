"""Isolation: no function of the store reads or changes another workspace, whatever identifiers it is given.

Two workspaces have the same of everything: the same numbers of sessions, turns and checkpoints, the same IDs of people,
channels and messages. Each function of the store is called in one of them, with identifiers of both: what it returns is
the same as if the other one was not there, and the other one is as it was.
A new function is called by itself, if its parameters are like others'; otherwise the test says which it does not know.
"""

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib import import_module
from inspect import Parameter, isfunction, signature
from itertools import product
from pkgutil import iter_modules
from random import Random

import pytest
from sqlalchemy import Connection, Integer, Table, insert, select
from sqlalchemy.exc import NoResultFound

from core import store
from core.policy import NOTHING
from core.schema import metadata
from core.schema import sessions as sessions_table
from core.seam.address import Address
from core.seam.messages import Deleted, Draft, Edited, Quote, Reply
from core.session import Answer, Bill, Checkpoint, Fold, Kind, Lease, Progress, Role, SessionKey, Turn, Validity
from core.store import (
    Database,
    arrivals,
    audit,
    bodies,
    budgets,
    checkpoints,
    deliveries,
    denials,
    doubts,
    erasures,
    expiring,
    folds,
    inbound,
    keys,
    ledger,
    notices,
    policies,
    preferences,
    pseudonyms,
    receipts,
    retiring,
    timeouts,
    turns,
    unrecorded,
)
from core.store.erasures import Asked, Counts, Erasure, Scope
from core.store.workspaces import workspace_of
from tests.script import house
from tests.values import ADA, BEN, HERE, message

NEXT_DOOR = "NEXTDOOR"
"""The other workspace's name, and what stands in each of its texts."""

ELSEWHERE = 99
"""A session that is there next door alone."""

ACROSS = {
    # what is whose turn, by one process for all: each of what it finds carries its workspace
    *("claims.claim", "claims.free_dead", "claims.call_back", "queue.news", "queue.renew", "timeouts.present"),
    *("doubts.due", "doubts.suspect", "folds.due", "presence.conversations"),
    *("expiring.page", "pseudonyms.forget"),
    # what is over, or long ago, wherever it was
    *("doubts.forget", "gone.forget", "unrecorded.over", "expiring.drop_rejected"),
    # what a platform's or the deployment's, and no workspace's
    *("presence.beat", "presence.missed", "presence.caught_up", "presence.lose", "inbound.reject"),
    *("chores.take", "chores.extend", "chores.leave", "servers.recall", "servers.keep", "servers.told", "servers.tell"),
    *("hearers.hear", "hearers.leave", "hearers.heard", "hearers.is_there", "hearers.bury"),
    *("denials.forget", "erasures.forget", "erasures.under_way"),
    # the key ring is the deployment's, and so is all that it seals
    *("keys.changed", "keys.older", "keys.rings", "keys.are_gone"),
    *("resealing.look", "resealing.put", "resealing.numbers"),
    *("resealing.is_empty", "resealing.size", "rotating.wrapped_by", "rotating.to_be_wrapped", "rotating.to_be_made"),
    "rotating.end",
    # what the operator asks for on the command line
    *("health.try_writing", "health.moment", "health.queue", "dead.number"),
    *("dead.listed", "audit.found", "audit.recorded", "erasures.workspaces_with", "erasures.leftovers"),
}
"""The functions that are for all workspaces, each with its reason."""

BY_ROW = {"quotes.follow", "changes.end"}
"""Those that are handed a row that was read by its key."""


class _Over(Exception):
    """Takes everything back."""


def functions() -> Iterator[tuple[str, Callable[..., object]]]:
    """Every function of the store that takes a connection, by module and name."""
    for one in iter_modules(store.__path__):
        module = import_module(f"core.store.{one.name}")
        for name, found in vars(module).items():
            own = isfunction(found) and found.__module__ == module.__name__ and not name.startswith("_")
            if own and "connection" in signature(found).parameters:
                yield f"{one.name}.{name}", found


FUNCTIONS = dict(functions())


@dataclass(frozen=True, kw_only=True)
class Worlds:
    """Here, and next door: a copy of everything, of which nobody here may learn."""

    here: int
    there: int
    next_door: Mapping[Table, Sequence[dict[str, object]]]

    @property
    def keys(self) -> Sequence[SessionKey]:
        away = replace(HERE, thread="away")
        return [
            SessionKey(workspace=self.here, session=1, address=HERE),
            SessionKey(workspace=self.here, session=ELSEWHERE, address=away),
        ]

    @property
    def leases(self) -> Sequence[Lease]:
        fences = {row["session"]: int(str(row["fence"])) for row in self.next_door[sessions_table]}
        return [
            Lease(key=key, fence=fences[key.session], attempts=1, backscroll_read=True)  # it holds, also next door
            for key in self.keys
        ]

    def enter(self, connection: Connection) -> None:
        """What is next door comes to be."""
        for table, rows in self.next_door.items():
            if rows:
                connection.execute(insert(table), rows)

    def seen(self, connection: Connection) -> list[object]:
        """All that is next door."""
        led = [table for table in metadata.sorted_tables if "workspace" in table.c]
        return [
            connection.execute(select(table).where(table.c.workspace == self.there).order_by(*table.primary_key)).all()
            for table in led
        ]


async def furnished(database: Database) -> Worlds:
    """Something of everything."""
    async with house(database) as running:
        for text in ("hello", "again", "!reset", "!undo", "more", "!prefer tone calm", "!set zone UTC", "late"):
            await running.say(message(text, id=f"m{text}", quotes=(Quote(kind="replies to", text="q", message="mq"),)))
            await running.over()
        await running.say(message("gone", id="mgone"))
        await running.say(message("aside", id="maside", author=BEN, address=replace(HERE, thread="side")))
        await running.over()
        await running.say(Deleted(address=HERE, id="mgone"), Deleted(address=HERE, id="mnever"))
    here = await database.write(_furnish, HERE)
    there = await database.write(workspace_of, HERE.platform, NEXT_DOOR)
    copies = {table: await database.read(_copied, table, bodies.Mine(here), there) for table in metadata.sorted_tables}
    return Worlds(here=here, there=there, next_door={table: rows for table, rows in copies.items() if rows})


def _furnish(connection: Connection, address: Address) -> int:
    """What does not come about by talking for a moment."""
    here = workspace_of(connection, address.platform, address.workspace)
    key = SessionKey(workspace=here, session=1, address=address)
    _furnish_what_is_spent_and_forgotten(connection, key)
    waits = message("waits", id="mwaits")
    inbound.accept(connection, waits, kind=Kind.SAID, verb=None, tokens=3)
    inbound.accept(connection, message("heard", id="mheard"), kind=Kind.OVERHEARD, verb=None, tokens=3)
    boundary = checkpoints.boundary(connection, key, 1, 2)
    checkpoints.commit(connection, key, [_MADE], boundary)
    folds.mark(connection, key)
    policies.keep(connection, key, policies.WORKSPACE, '{"zone": "UTC"}')
    preferences.change(connection, key, ADA.id, "name", "Ada")
    ledger.record(connection, _call(here))
    notices.tell(connection, key, name="warning", text="notice")
    for seq in (1, 2):
        deliveries.record_draft(connection, key, seq, 7, Draft(id=f"d{seq}", text="draft"))
    audit.record(connection, here, "reset", actor=ADA.id, session=1)
    unrecorded.begin(connection, key, 1, since=5, until=9)
    away = {"workspace": here, "session": 1, "seq": 2, "part": 9, "message": "p1"}
    connection.execute(insert(_table("parts")).values(away))
    return here


def _furnish_what_is_spent_and_forgotten(connection: Connection, key: SessionKey) -> None:
    budgets.hold(connection, key, _HOLD, lease=None, seconds=9e6)
    budgets.book(connection, key, ADA.id, Bill(hold=2, was_held=False, day=1, model="m", above=0, shown=1))
    budgets.warn(connection, key.workspace, HERE.id, ADA.id, "5 usd/day", since=1)
    sums = dict.fromkeys(("answers", "shown", "cached", "cache_written", "written"), 1)
    facts = {"workspace": key.workspace, "day": 1, "author": ADA.id, "model": "m"}
    connection.execute(insert(_table("usage")).values(facts | sums))  # as releases before had it
    pseudonyms.rename(connection, key.workspace, ADA.id, since=0)
    keys.ensure(connection, key.workspace, ADA.id, lambda _: ("ring", b"wrapped"))
    erasures.begin(connection, Erasure(workspace=key.workspace, scope=Scope.PERSON, subject=BEN.id))
    erasures.begin(connection, Erasure(workspace=key.workspace, scope=Scope.PERSON, subject=ADA.id))
    denials.deny(connection, message("no", id="mno", author=BEN, verb="not admitted"), each_time=False)


_HOLD = budgets.Hold(hold=3, session=1, seq=None, author=ADA.id, model="m", shown=1, written=1)


def _copied(connection: Connection, table: Table, here: bodies.Mine, there: int) -> list[dict[str, object]]:
    if "workspace" not in table.c or table.name == "workspaces":
        return []
    rows = connection.execute(select(table).where(table.c.workspace == here.workspace)).all()
    copies = [_marked(table, dict(row._mapping)) | {"workspace": there} for row in rows]
    if "session" in table.c and table.c.session.primary_key:
        copies += [_elsewhere(row) for row in copies if row["session"] == 1 and row.get("message") is None]
    return copies


def _marked(table: Table, row: dict[str, object]) -> dict[str, object]:
    """The same identifiers, and other words and numbers."""
    sealed = {one.column.name: one for one in bodies.ALL if one.column.table is table}
    for name in sealed:
        if row[name]:
            row[name] = NEXT_DOOR.encode() if isinstance(sealed[name], bodies.Body) else NEXT_DOOR
    for name in ("tokens", "shown", "written"):
        if name in row and isinstance(table.c[name].type, Integer):
            row[name] = 77_777
    for name in ("address", "channel"):
        if table is sessions_table:
            row[name] = str(row[name]).replace(f":{HERE.workspace}:", f":{NEXT_DOOR}:")
    return row


def _elsewhere(row: dict[str, object]) -> dict[str, object]:
    return row | {"session": ELSEWHERE} | ({"address": f"{row['address']}:away"} if "address" in row else {})


_MADE = checkpoints.Made(
    kind=Fold.CHECKPOINT, level=0, first=1, last=2, since=1.0, until=2.0, text="folded", tokens=5, model="m"
)


def _call(workspace: int) -> ledger.Call:
    numbers = {"shown": 1, "cached": 1, "cache_written": 1, "written": 1, "reasoning": 0, "estimated": False}
    facts = {"call": 5, "session": 1, "seq": 1, "at": 1, "author": ADA.id, "purpose": "answer", "model": "m"}
    return ledger.Call(workspace=workspace, outcome="answered", **facts, **numbers)  # type: ignore[arg-type]


def _turn(seq: int, text: str = "words") -> Turn:
    return Turn(
        seq=seq,
        role=Role.PERSON,
        kind=Kind.SAID,
        progress=Progress.WAITING,
        validity=Validity.STANDS,
        text=text,
        tokens=1,
        at=1_700_000_000.0,
        author=ADA,
        message="mwaits",
    )


_LATE = 1_700_900_000.0


def _pools(worlds: Worlds) -> Mapping[str, Sequence[object]]:
    """What is tried for a parameter, by the function's and its own name, by its name and type, or by its name."""
    address = [HERE, replace(HERE, thread="away"), replace(HERE, thread="side"), replace(HERE, channel="other")]
    seqs = [1, 3, 9, 13]
    ids = ["mhello", "mq", "p1", "p3", "mwaits", "mheard", "d1", "mnever"]
    present = [timeouts.Present(key=key, since=1, spoken_at=1, now=2, overrides=NOTHING) for key in worlds.keys]
    waking = timeouts.Waking(is_over=lambda _: True, line=lambda *_: "welcome", burst=2.0)
    doubt = [
        doubts.Doubt(key=key, cause=_turn(seq), part=part, text="t", stands=stands, draft=None)
        for key, seq, part, stands in product(worlds.keys, (1, 2), (0, 7), ("p1", None))
    ]
    due = [folds.Due(key, at, 0) for key in worlds.keys for at in (1, worlds.next_door[_table("folds")][0]["due_at"])]
    session = arrivals.Session(worlds.here, 1, 1, 1, None, 9, 1, True, None, 1, None, None, True)
    reply = Reply(address=HERE, text="said", asked_at=1.0, key="k")
    return {
        "Address": address,
        "SessionKey": worlds.keys,
        "Lease": worlds.leases,
        "Lease | None": [None, *worlds.leases],
        "Turn": [_turn(seq) for seq in seqs],
        "Turn | None": [None, _turn(13)],
        "Answer": [Answer(parts=("a", "b"), memory="a", tokens=1, model="m")],
        "Inbound": [message("x", id=one, at=_LATE, quotes=(Quote(kind="q", message="mq"),)) for one in (*ids, "mnew")],
        "Edited": [Edited(message=message("other", id=one, at=_LATE), at=2_000_000_000.0) for one in (*ids, "mnew")],
        "Draft": [Draft(id="d1", text="x")],
        "drafts": [{0: "x"}],
        "Arrival": [
            receipts.Arrival(part=part, message="p1", doubtful=one) for part in (0, 7) for one in (False, True)
        ],
        "Doubt": doubt,
        "Due": due,
        "Session": [session],
        "Waking": [waking],
        "Waking | None": [None, waking],
        "Call": [_call(worlds.here)],
        "Reply": [reply],
        "Kind": [Kind.SAID, Kind.OVERHEARD],
        "Progress": [Progress.WAITING],
        "Outcome": list(audit.Outcome),
        "Overrides": [NOTHING],
        "Erasure": _erasures(worlds),
        "Scope": list(Scope),
        "Counts": [Counts(messages=1)],
        "Times": [expiring.Times(said=2**60, overheard=2**60, words=2**60)],
        "Bill": [Bill(hold=one, was_held=True, day=1, model="m", above=0, shown=1) for one in (3, 4)],
        "Hold": [replace(_HOLD, hold=one) for one in (3, 9)],
        "Claimant | None": [None, arrivals.Claimant(owner="h:b:1:x.", lease=9.0)],
        "Boundary": [checkpoints.Boundary(newest, 2, 0, 0, 1, 2) for newest in (0, 1)],
        "Checkpoint": [Checkpoint(number=1, kind=Fold.CHECKPOINT, level=0, first=1, last=2, tokens=5)],
        "bool": [False, True],
        "float": [0.0],
        "Row": [],
        "seq": seqs,
        "part": [0, 1, 7],
        "place: int": [0, 1],
        "message: str": ids,
        "messages": [ids],
        "keep.messages": [[message("old", id=one) for one in ("mold", "mheard")]],
        "keep.tokens": [[1, 1]],
        "numbers": [[1, 2]],
        "ranges": [[(1, 50)]],
        "seqs": [seqs],
        "parts": [[0, 1, 7]],
        "author": [ADA.id, BEN.id],
        "authors": [[ADA.id, BEN.id]],
        "actor": [ADA.id],
        "workspace: int": [worlds.here],
        "workspace: str": [HERE.workspace],
        "workspace: str | None": [f"{HERE.platform}:{HERE.workspace}"],
        "session: int": [1],
        "platform": [HERE.platform],
        "scope": [policies.WORKSPACE, HERE.id],
        "name": ["zone", "tone"],
        "value": ["calm", None],
        "settings": ["{}"],
        "hearer": ["h:b:1:x."],
        "letter": [f"{HERE.id}#1", f"{HERE.id}#13"],
        "key: str": ["k", "1:0", "3:0"],
        "made": [[_MADE]],
        "over": [present],
        "pointed": [
            [
                Quote(kind="replies to", text="q", message="mq"),
                Quote(kind="forwards", text="q", at=7e-6, said_in="main"),
            ]
        ],
        "become": [{"body": b"x"}],
        "around.found": [[message("old", id=one, at=_LATE) for one in ("mold", "mheard", "mhello")]],
        "found": [[_turn(1)._replace(quotes=turns._LATER)]],
        "leases": [worlds.leases],
        "covered": [[(1, 2)], []],
        "shown_seqs": [((1, 2),)],
        "shown_parts": [()],
        "covers": [1],
        "pieces": [lambda said, _: [said]],
        "count": [len],
        "fit": [lambda words, _: words],
        "size": [lambda turn: len(turn.text)],
        "sizes": [[0.0]],
        "is_answered": [None, lambda _: True],
        "error": [None, (1, "why")],
        "verb": [None, "reset"],
        "talk_at": [None, 5],
        "heard": [5.0],
        "history": [[message("old", id=one, at=_LATE) for one in ("mold", "mheard", "mhello")]],
        "beside": [None, *address],
        "text": ["words"],
        "words": ["words"],
        "model": ["m"],
        "reason": ["why"],
        "deed": ["reset"],
        "subject": [ADA.id],
        "channel": [HERE.id],
        "cap": ["5 usd/day"],
        "make": [lambda _: ("ring", b"wrapped")],
        "shorter": [lambda words: words[:1]],
        "number": [1],
        "after: tuple[int, int]": [(-9, 0)],
        "since: int": [0, 5],
        "since: float | None": [None, 5.0],
        "until: int": [9, 2**60],
        "at: int": [6, 2**50],
        "but: int": [0, 3],
        "but: int | None": [None, 3],
        "to: str | None": [None, ADA.id],
        "public: bool | None": [None, True],
        "Owner": worlds.keys,
        "by: str": [ADA.id],
        "check": [None],
        **{one: [1] for one in ("first", "attempts", "failures", "tail", "missed", "tokens", "after: int")},
        **{one: [50] for one in ("last", "before", "limit", "most", "budget")},
        "prune.before": [2**60],
        "workspace_of.name": [HERE.workspace],
        "in_workspace": [None],
        "in_channel": [None],
        "extend.claimant": [None],  # as `accept` has it
    }


def _erasures(worlds: Worlds) -> Sequence[Erasure]:
    """All that can be forgotten here."""
    subjects = {Scope.PERSON: ADA.id, Scope.SESSION: HERE.id, Scope.CHANNEL: HERE.id, Scope.WORKSPACE: ""}
    asked = Asked(session=1, seq=1, author=ADA.id)
    return [
        Erasure(workspace=worlds.here, scope=scope, subject=subject, asked=asked, last_key=9)
        for scope, subject in subjects.items()
    ]


def _table(name: str) -> Table:
    return metadata.tables[name]


class Unknown(Exception):
    """The test does not know what to give to a function."""


_MOST = 60  # calls of one function


def calls(name: str, pools: Mapping[str, Sequence[object]]) -> Iterator[dict[str, object]]:
    """Arguments for a function, of identifiers of both workspaces."""
    parameters = [one for one in signature(FUNCTIONS[name]).parameters.values() if one.name != "connection"]
    choices = [_choices(name, one, pools) for one in parameters]
    named = [one.name for one in parameters]
    every = list(product(*choices))
    for chosen in every if len(every) <= _MOST else Random(name).sample(every, _MOST):
        yield dict(zip(named, chosen, strict=True))


def _choices(function: str, parameter: Parameter, pools: Mapping[str, Sequence[object]]) -> Sequence[object]:
    own = parameter.annotation
    kind = own.__name__ if isinstance(own, type) else str(own).replace("core.", "")
    short = " | ".join(part.rpartition(".")[2] for part in kind.split(" | "))
    name, tried = parameter.name, function.partition(".")[2]
    for one in (f"{tried}.{name}", f"{name}: {short}", short, name):
        if one in pools:
            return pools[one]
    raise Unknown(f"{function}: what is `{name}: {kind}`? Name it among the pools")


def tried(connection: Connection, name: str, worlds: Worlds, *, entered: bool) -> list[object]:
    """What each call has come to."""
    results: list[object] = []
    if entered:
        worlds.enter(connection)
    before = worlds.seen(connection)
    for arguments in calls(name, _pools(worlds)):
        try:
            results.append(FUNCTIONS[name](connection, **arguments))
        except Exception as error:
            if not (isinstance(error, _NOT_THERE) or type(error).__module__.startswith("core.")):
                raise AssertionError(f"{name}: {arguments}") from error
            results.append((type(error), str(error)))
    assert worlds.seen(connection) == before, "something next door has changed"
    raise _Over(results)


_NOT_THERE = (NoResultFound, ValueError)
"""What becomes of a key of no session here."""


async def outcomes(database: Database, name: str, worlds: Worlds, *, entered: bool) -> list[object]:
    with pytest.raises(_Over) as over:
        await database.write(tried, name, worlds, entered=entered)
    found: list[object] = over.value.args[0]
    return found


@pytest.fixture
async def worlds(database: Database) -> Worlds:
    return await furnished(database)


async def test_there_is_something_of_everything_next_door(database: Database, worlds: Worlds) -> None:
    """What is not there can't be found by mistake."""
    led = {table.name for table in metadata.sorted_tables if "workspace" in table.c}
    assert led - {table.name for table in worlds.next_door} == {"workspaces", "presence", "hearers", "rejections"}


async def test_no_function_of_the_store_knows_or_changes_what_is_next_door(database: Database, worlds: Worlds) -> None:
    for name in sorted(FUNCTIONS.keys() - ACROSS - BY_ROW):
        alone = await outcomes(database, name, worlds, entered=False)
        beside = await outcomes(database, name, worlds, entered=True)

        assert alone, f"{name} is never called"
        assert [_compared(one) for one in beside] == [_compared(one) for one in alone], name
        assert NEXT_DOOR.encode() not in pickle.dumps(beside), name


def _compared(result: object) -> object:
    """The result as far as it does not tell the time at which it came about."""
    match result:
        case int() if _BY_THE_CLOCK[0] < result < _BY_THE_CLOCK[1]:
            return "lately"
        case budgets.Reserved() | retiring.Successors():
            return [_compared(one) for one in result[:-1]]  # all but its age
        case timeouts.Awakening():
            return result.late
        case tuple() | list():
            return [_compared(one) for one in result]
        case dict():
            return {key: _compared(value) for key, value in result.items()}
    if is_dataclass(result) and not isinstance(result, type):
        return {one.name: _compared(getattr(result, one.name)) for one in fields(result)}
    return result


_BY_THE_CLOCK = (10**12, 10**14)  # milliseconds


def test_the_functions_for_all_workspaces_are_there_and_no_key_is_given_to_them() -> None:
    assert FUNCTIONS.keys() >= ACROSS | BY_ROW
    for name in ACROSS:
        given = {str(one.annotation) for one in signature(FUNCTIONS[name]).parameters.values()}
        assert not any("SessionKey" in one or "Address" in one for one in given), name


async def test_a_function_that_forgets_the_workspace_is_found_out(
    database: Database, worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = _table("turns")

    def careless(connection: Connection, key: SessionKey, seq: int) -> list[bytes]:
        mine = (table.c.session == key.session, table.c.seq == seq)
        return list(connection.execute(select(table.c.body).where(*mine).order_by(table.c.workspace)).scalars())

    monkeypatch.setitem(FUNCTIONS, "turns.careless", careless)

    assert await outcomes(database, "turns.careless", worlds, entered=True) != await outcomes(
        database, "turns.careless", worlds, entered=False
    )
