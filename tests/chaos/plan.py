"""What will happen in a run, drawn from its seed before it begins: who says what where, and what breaks when."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from tests.chaos.words import TALK

Database = Literal["sqlite", "postgresql"]
Platform = Literal["slack", "discord"]
Blows = Literal["kill", "freeze", "drain", "crash", "cut", "hang", "sockets", "clock", "refusal", "astray", "silence"]
Verb = Literal["reset", "undo"]

PEOPLE = ("ada", "bob", "cleo", "dora", "emil")
LEASE = 3.0
"""Seconds; the shortest that may be set."""

_APART = 3.0
"""Seconds between two messages of one person in one place: what comes within two may be answered as one."""

_EDITED, _DELETED = 0.1, 0.1
"""Parts of all messages."""

_VAIN = 90_000
"""From this number on: lines to which nobody sees an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One conversation, by a name of the kit's own. `inside` is the channel of a thread."""

    name: str
    platform: Platform
    inside: str | None = None


SHUT = (
    Place(name="shut thread", platform="slack", inside="C0SHUT"),
    Place(name="shut channel", platform="discord"),
)
"""Where the bot hears, and may not post."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a person does to their message, seconds from the start: from then on it has another `marker`, or is gone.

    The bot is told of it once after each of the `arrivals`, in seconds.
    """

    at: float
    marker: str | None = None
    arrivals: tuple[float, ...] = (0.0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One message: when it is said (seconds from the start), and how it reaches the bot.

    It arrives `late` by so many seconds, so that a later one may overtake it, and once more after each of `again`.
    `plain` leaves the mention out where the bot has answered before. `long` asks for an answer of several messages,
    and `brief` leaves out what people say beside the question.
    """

    number: int
    at: float
    place: Place
    person: str
    late: float = 0.0
    again: tuple[float, ...] = ()
    plain: bool = False
    long: bool = False
    brief: bool = False
    changes: tuple[Change, ...] = ()

    @property
    def marker(self) -> str:
        """The word by which this message and its answer are known."""
        return f"K{self.number:05}{'L' if self.long else 'S'}"

    @property
    def words(self) -> str:
        """What is said, beside a mention."""
        return f"tell me about {self.marker} please.{'' if self.brief else TALK}"

    @property
    def arrivals(self) -> tuple[float, ...]:
        """After how many seconds the bot is told of it, each time."""
        return (self.late, *(self.late + seconds for seconds in self.again))


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that the bot says by itself, in a place where people talk: when it is told to do so."""

    number: int
    at: float
    place: Place
    long: bool = False

    @property
    def marker(self) -> str:
        """The word by which it is known."""
        return f"N{self.number:05}{'L' if self.long else 'S'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command that a person gives, in a place where people talk: it sets aside what was said, or takes that back."""

    at: float
    place: Place
    person: str
    verb: Verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Days pass in a place where people talk, so that its present is over."""

    at: float
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """Something breaks: what, when, for how long, and which replica (or which of its kind) it meets."""

    at: float
    kind: Blows
    seconds: float
    victim: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole run. `ambiguous` is the part of all writes to the platforms whose outcome the bot does not learn.

    `failing` is the part of the model's answers that it fails at. In a `lasting` run no replica ends before it does.
    """

    seed: int
    database: Database
    seconds: float
    replicas: int
    places: tuple[Place, ...]
    lines: tuple[Line, ...]
    blows: tuple[Blow, ...]
    notices: tuple[Notice, ...] = ()
    orders: tuple[Order, ...] = ()
    silences: tuple[Silence, ...] = ()
    vain: tuple[Line, ...] = ()
    """What is said where the bot may not post: nobody sees an answer, and everybody else has theirs all the same."""
    closing: tuple[Line, ...] = ()
    """What is said once everything is at rest, in each place where people have talked; its `at` is not used.

    It is brief: a long message may take a window from room enough, so that nothing is folded, to too little.
    """
    ambiguous: float = 0.2
    failing: float = 0.12
    lasting: bool = False

    @property
    def said(self) -> tuple[Line, ...]:
        """All messages to the bot but commands, in the order of their numbers."""
        return (*self.lines, *self.closing)


_EVERYWHERE: dict[Blows, tuple[float, int]] = {
    "clock": (30, 1),
    "refusal": (30, 1),
    "astray": (30, 1),
    "silence": (240, 0),
}
"""What has nothing to do with the database."""

_EVERY: dict[Database, dict[Blows, tuple[float, int]]] = {
    "sqlite": {"kill": (12, 2), "freeze": (45, 1), "drain": (50, 0), "sockets": (20, 1), **_EVERYWHERE},
    "postgresql": {
        "kill": (12, 2),
        "freeze": (45, 1),
        "drain": (50, 0),
        "crash": (70, 1),
        "cut": (60, 1),
        "hang": (90, 0),
        "sockets": (20, 1),
        **_EVERYWHERE,
    },
}
"""One blow of each kind in so many seconds, and how many at the least."""

_DEADLY = frozenset({"kill", "drain", "crash"})
"""Those after which something is started anew."""


def draw(*, seed: int, database: Database, seconds: float, messages: int, lasting: bool = False) -> Plan:
    """The plan of this seed: `messages` said within `seconds`, which then come to rest.

    In one that is `lasting`, two replicas live from its beginning to its end, whatever breaks around them.
    """
    random = Random(f"{seed}/{database}")
    replicas = 2 if database == "sqlite" or lasting else 3
    places = tuple(_places(messages))
    lines = tuple(_lines(random, places, seconds, messages))
    blows = tuple(sorted(_blows(random, database, seconds), key=lambda blow: blow.at))
    if lasting:
        blows = tuple(blow for blow in blows if blow.kind not in _DEADLY)
    second_thoughts = Random(f"changes {seed}/{database}")  # of its own, so that a seed's words and blows stay its own
    return Plan(
        seed=seed,
        database=database,
        seconds=seconds,
        replicas=replicas,
        places=places,
        lines=tuple(_changed(second_thoughts, lines, blows, seconds)),
        blows=blows,
        notices=tuple(_notices(Random(f"notices {seed}/{database}"), lines, seconds)),
        orders=tuple(_orders(Random(f"orders {seed}/{database}"), lines, seconds)),
        silences=tuple(_silences(Random(f"silences {seed}/{database}"), lines, seconds)),
        vain=tuple(_vain(Random(f"vain {seed}/{database}"), seconds)),
        closing=tuple(_closing(lines)),
        lasting=lasting,
    )


def _places(messages: int) -> Iterator[Place]:
    """Half of them Slack threads in a few channels; the others Discord channels, and threads in those."""
    many = max(4, min(16, messages // 12))
    for number in range(many):
        yield Place(name=f"thread-{number}", platform="slack", inside=f"C0CHAOS{number % 4}")
    for number in range(many):
        inside = f"channel-{number - many // 2}" if number >= many // 2 else None
        yield Place(name=f"post-{number}" if inside else f"channel-{number}", platform="discord", inside=inside)


def _lines(random: Random, places: tuple[Place, ...], seconds: float, messages: int) -> Iterator[Line]:
    """People talk alone, and now and then several at once in one place, so that messages wait for their turn."""
    times = sorted(random.uniform(0, seconds) for _ in range(messages))
    said: dict[tuple[str, str], float] = {}
    place = random.choice(places)
    for number, at in enumerate(times, 1):
        if random.random() < 0.6:
            place = random.choice(places)
        free = [one for one in PEOPLE if at - said.get((place.name, one), -_APART) >= _APART]
        if not free:
            place = random.choice([one for one in places if one is not place])
            free = [one for one in PEOPLE if at - said.get((place.name, one), -_APART) >= _APART]
        person = random.choice(free or list(PEOPLE))
        said[place.name, person] = at
        yield Line(
            number=number,
            at=at,
            place=place,
            person=person,
            late=random.uniform(0.3, 2.5) if random.random() < 0.1 else 0.0,
            again=tuple(random.uniform(0.05, 8) for _ in range(random.choice((0, 0, 0, 1, 2)))),
            plain=random.random() < 0.3,
            long=place.platform == "discord" and random.random() < 0.05,
        )


def _changed(random: Random, lines: Sequence[Line], blows: Sequence[Blow], seconds: float) -> Iterator[Line]:
    """The lines with what becomes of them. No place's first line is deleted: a thread of Slack's ends with its root."""
    begun: set[str] = set()
    for line in lines:
        many = random.choice((1, 1, 1, 2)) if random.random() < _EDITED else 0
        markers: list[str | None] = [f"{line.marker}{letter}" for letter in "bc"[:many]]
        if random.random() < _DELETED and line.place.name in begun:
            markers.append(None)
        begun.add(line.place.name)
        changes, at = list[Change](), line.at
        for marker in markers:
            at = min(_later(random, at, blows), max(at, seconds))
            late = random.uniform(0.3, 2.5) if random.random() < 0.2 else 0.0
            again = (late + random.uniform(0.05, 8),) if random.random() < 0.3 else ()
            changes.append(Change(at=at, marker=marker, arrivals=(late, *again)))
        yield replace(line, changes=tuple(changes))


def _notices(random: Random, lines: Sequence[Line], seconds: float) -> Iterator[Notice]:
    """Each a moment after somebody has spoken in its place: while that waits, while it is answered, or after."""
    for number in range(1, max(6, len(lines) // 5) + 1):
        line = random.choice(lines)
        at = min(line.at + random.uniform(0.1, 6.0), max(line.at, seconds))
        yield Notice(number=number, at=at, place=line.place, long=line.place.platform == "discord" and number % 3 == 0)


def _orders(random: Random, lines: Sequence[Line], seconds: float) -> Iterator[Order]:
    """Resets, most of which are taken back a moment later; now and then that is taken back as well."""
    for _ in range(max(4, len(lines) // 10)):
        line, at = random.choice(lines), 0.0
        verbs: tuple[Verb, ...] = random.choice((("reset",), ("reset", "undo"), ("reset", "undo"), ("undo",)))
        for verb in verbs:
            at = max(line.at, at) + random.uniform(0.2, 5.0)
            yield Order(at=min(at, max(line.at, seconds)), place=line.place, person=line.person, verb=verb)


def _silences(random: Random, lines: Sequence[Line], seconds: float) -> Iterator[Silence]:
    """Each a moment after somebody has spoken, where somebody speaks again: while that is answered, or after."""
    spoken = [line for line in lines if any(one.place is line.place and one.at > line.at + 2 for one in lines)]
    for line in random.sample(spoken, min(len(spoken), max(4, len(lines) // 12))):
        yield Silence(at=min(line.at + random.uniform(0.5, 8.0), max(line.at, seconds)), place=line.place)


def _vain(random: Random, seconds: float) -> Iterator[Line]:
    for number in range(max(2, round(seconds / 15))):
        at = random.uniform(0, seconds)
        yield Line(number=_VAIN + number, at=at, place=SHUT[number % 2], person=random.choice(PEOPLE), brief=True)


def _closing(lines: Sequence[Line]) -> Iterator[Line]:
    places = {line.place.name: line.place for line in lines}
    for number, place in enumerate(places.values(), len(lines) + 1):
        yield Line(number=number, at=0.0, place=place, person=PEOPLE[0], brief=True)


def _later(random: Random, at: float, blows: Sequence[Blow]) -> float:
    """While it waits, while it is answered, long after, or while a replica is down or stands still."""
    downs = [one.at for one in blows if one.kind in ("kill", "freeze", "drain", "crash") and at < one.at < at + 30]
    match random.choice(("waits", "answered", "long after", "down" if downs else "answered")):
        case "waits":
            return at + random.uniform(0.05, 0.8)
        case "answered":
            return at + random.uniform(0.8, 4.0)
        case "long after":
            return at + random.uniform(8.0, 30.0)
        case _:
            return random.choice(downs) + random.uniform(0.05, 1.0)


def _blows(random: Random, database: Database, seconds: float) -> Iterator[Blow]:
    lengths: Mapping[Blows, Callable[[], float]] = {
        "kill": lambda: random.choice((0.0, 0.0, 0.0, LEASE + 1, LEASE + 3)),
        "freeze": lambda: LEASE * random.uniform(1.3, 2.5),
        "crash": lambda: random.choice((0.0, 0.5, 3.0)),
        "cut": lambda: random.uniform(0.2, 3 * LEASE),
        "hang": lambda: random.uniform(1.0, 3 * LEASE),
        "clock": lambda: random.uniform(1.0, 10.0),
    }
    for kind, (every, least) in _EVERY[database].items():
        many = max(least, round(seconds / every))
        for number in range(many):
            at = seconds * (number + random.uniform(0.1, 0.9)) / many
            length = lengths.get(kind, lambda: 0.0)()
            yield Blow(at=at, kind=kind, seconds=length, victim=random.randrange(1_000))
