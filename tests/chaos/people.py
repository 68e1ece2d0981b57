"""The people of a run: what they say, edit and delete, and what is known of its way to the bot.

And what the bot says to them by itself: its record is where that begins.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from time import time

from tests.chaos.chronicle import Chronicle
from tests.chaos.databases import Base, Turn
from tests.chaos.plan import Change, Line, Notice, Order, Place, Plan, Platform, Silence
from tests.chaos.platforms import City, Slack, subject
from tests.chaos.verdict import Asked, Changed, Ordered
from tests.chaos.words import answer, told

_LOOKS = 0.1
"""Seconds between two looks at what has reached the bot."""


class People:
    """Everybody in both cities. `asked` is what they have said so far, by its number in the plan.

    `notices` is what they are told unasked; each counts as a question that nobody has asked, and is answered once.
    `orders` are the commands that they have given, `silences` how often days have passed, by session.
    """

    def __init__(self, plan: Plan, cities: Mapping[Platform, City], base: Base, chronicle: Chronicle) -> None:
        self.asked: dict[int, Asked] = {}
        self.notices: list[Asked] = []
        self.told: set[str] = set()
        """Those of them that the bot's record has taken for certain; of what it never took, nobody is to be told."""
        self.orders: list[Ordered] = []
        self.silences: Counter[str] = Counter()
        self.silent: set[str] = set()
        """Where nobody has been answered since."""
        self._plan, self._cities, self._base, self._chronicle = plan, cities, base, chronicle
        self._said: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)

    async def say(self, line: Line) -> None:
        """Somebody says this now."""
        city = self._cities[line.place.platform]
        plain = line.plain and line.place.inside is not None and self._was_answered(line, city)
        message, session = await city.say(line, plain=plain)
        self._chronicle.note("SAID", session=session, marker=line.marker, id=message, late=round(line.late, 2))
        at = _said_at(city, message)
        self.asked[line.number] = Asked(marker=line.marker, id=message, session=session, at=at, max_text=city.max_text)
        self._said[line.number].set()

    def _was_answered(self, line: Line, city: City) -> bool:
        """Whether people have seen an answer in this place: from then on they may leave the mention out."""
        before = {one.marker for one in self._plan.lines if one.place is line.place and one.number < line.number}
        return any(told(one.text) in before for one in city.seen())

    async def change(self, line: Line, change: Change) -> None:
        """Who has said this edits or deletes it now."""
        await self._said[line.number].wait()
        message = self.asked[line.number].id
        turn = (await self._base.glimpse()).get(message)
        over = turn is not None and turn.is_over
        await self._cities[line.place.platform].change(message, line, change)
        said = self.asked[line.number]
        self.asked[line.number] = replace(said, changes=(*said.changes, Changed(marker=change.marker, over=over)))
        what = "DELETED" if change.marker is None else "EDITED"
        more = {"into": change.marker, "over": over, "arrivals": [round(one, 2) for one in change.arrivals]}
        self._chronicle.note(what, session=said.session, marker=line.marker, **more)

    async def tell(self, notice: Notice) -> None:
        """The bot is to say this to them now."""
        first = await self._begun(notice.place)
        session, max_text = first.session, first.max_text
        marker = notice.marker
        self.notices.append(Asked(marker=marker, id=marker, session=session, at=time(), max_text=max_text))
        await self._base.tell(session, marker, answer(marker))
        self.told.add(marker)
        self._chronicle.note("TOLD", session=session, marker=marker)

    def speaks(self, marker: str) -> str:
        """The session in which this was said, if it is the first since days have passed there; else nothing."""
        session = next((one.session for one in self.asked.values() if marker in one.versions), "")
        if session not in self.silent:
            return ""
        self.silent.discard(session)
        return session

    async def order(self, order: Order) -> str:
        """Somebody gives a command now; returns the session's ID."""
        await self._begun(order.place)
        message, session = await self._cities[order.place.platform].order(order)
        self.orders.append(Ordered(verb=order.verb, id=message, session=session))
        self._chronicle.note(order.verb.upper(), session=session, id=message)
        return session

    async def wait(self, silence: Silence) -> str:
        """Days pass there now; returns the session's ID."""
        session = (await self._begun(silence.place)).session
        self.silences[session] += 1
        self._chronicle.note("DAYS PASS", session=session)
        await self._base.days_pass(session)
        self.silent.add(session)
        return session

    async def _begun(self, place: Place) -> Asked:
        """What was said there first, once it is."""
        first = next(line.number for line in self._plan.lines if line.place is place)
        await self._said[first].wait()
        return self.asked[first]

    async def watch(self) -> None:
        """Looks for ever: at what is acknowledged also while the record takes its time to say anything."""

        async def acknowledged() -> None:
            while True:
                self._look()
                await asyncio.sleep(_LOOKS)

        async def recorded() -> None:
            while True:
                await self.look()
                await asyncio.sleep(_LOOKS)

        await asyncio.gather(acknowledged(), recorded())

    async def look(self) -> None:
        """Notes what has reached the bot since the last look: Slack has it acknowledged, the record shows the rest."""
        self._look()
        awaited = [number for number, said in self.asked.items() if any(one.reached is None for one in said.changes)]
        turns = await self._base.glimpse() if awaited else {}
        for number in awaited:
            said = self.asked[number]
            self.asked[number] = replace(said, changes=self._reached(number, turns.get(said.id)))

    def _look(self) -> None:
        for city in self._cities.values():
            city.look()

    def _reached(self, number: int, turn: Turn | None) -> tuple[Changed, ...]:
        """The changes of this message, newest first known: with what is known of a change, all before it are over."""
        said, line = self.asked[number], self._plan.said[number - 1]
        heard, known, reached = self._cities[line.place.platform].heard, list[Changed](), False
        for change in reversed(said.changes):
            at = heard.get(subject(said.id, change.marker))
            if at is None and turn is not None:
                reached |= turn.is_deleted if change.marker is None else change.marker in turn.text
            known.append(replace(change, reached=change.reached or at or (time() if reached else None)))
        return tuple(reversed(known))

    def known(
        self, turns: Mapping[str, Turn], begun: Mapping[str, float], finished: Mapping[str, float]
    ) -> list[Asked]:
        """All that was asked, and what the bot's record and the model know of it."""
        asked = [self._known(number, turns.get(said.id), begun, finished) for number, said in self.asked.items()]
        notices = [one for one in self.notices if one.marker in self.told or one.id in turns]
        return [*asked, *(_recorded(notice, turns.get(notice.id)) for notice in notices)]

    def ordered(self, turns: Mapping[str, Turn]) -> list[Ordered]:
        """All commands that were given, and where the bot's record has them."""
        return [replace(one, seq=turns[one.id].seq if one.id in turns else None) for one in self.orders]

    def _known(
        self, number: int, turn: Turn | None, begun: Mapping[str, float], finished: Mapping[str, float]
    ) -> Asked:
        said, city = self.asked[number], self._cities[self._plan.said[number - 1].place.platform]
        return replace(
            said,
            heard=city.heard.get(said.id),
            begun=min((begun[one] for one in said.versions if one in begun), default=None),
            seq=turn.seq if turn is not None and not turn.is_overheard else None,
            text=turn.text if turn is not None else None,
            finished={one: finished[one] for one in said.versions if one in finished},
        )


def _recorded(notice: Asked, turn: Turn | None) -> Asked:
    """The notice in its place among the questions."""
    return notice if turn is None else replace(notice, seq=turn.seq, at=turn.at / 1_000_000)


def _said_at(city: City, message: str) -> float:
    """The platform's own time of a message."""
    return float(message) if isinstance(city, Slack) else ((int(message) >> 22) + 1_420_070_400_000) / 1000
