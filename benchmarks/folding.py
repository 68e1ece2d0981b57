"""What folding does to the beginning of a request, to its price, and to an erasure; a scripted folder, and no model.

    .venv/bin/python -m benchmarks.folding

The window and the plan are the product's own. The baseline is a window that slides, as it did before: the newest turns
that fit. Prices are in units of one uncached input token: cached 0.1, written to the cache 1.25, output 5; a request
finds what an earlier one has ended a breakpoint with: at its end, before its question, and behind its checkpoints.
The answers' own output is left out, being the same for all. `passes` are the texts that a turn's words went through,
but for the state block; a request `loses` where turns are neither shown nor told of. What a summary is worth is not
measured here. It draws `plots/folding.png`, and ends with what must hold and does not.
"""

import argparse
import math
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from core.memory import folding
from core.memory.folding import Part, Plan, Text
from core.memory.shares import shares
from core.memory.stretches import Readable
from core.memory.window import REPLY_TOKENS, Window, build
from core.model.llm import Message
from core.seam.messages import Author
from core.session import Checkpoint, Fold, Kind, Progress, Role, Turn, Validity

INSTRUCTIONS = 350  # tokens
CACHED, WRITTEN, OUTPUT = 0.1, 1.25, 5.0
LEAST_CACHED = 1_024  # tokens: a shorter beginning is not kept
COLD = 0.1  # of the pauses outlive the cache
OVERHEARD = 0.05  # of the messages
CHARACTERS = 4  # a token
FRAME = 24  # tokens of a message's frame and its speaker
ORDER, BESIDE = 500, 30  # tokens that whoever folds is told beside what was said, and beside each turn of it
START = 0
RUNS = 8  # conversations of 300 exchanges
NOTHING = (math.nan, math.nan)

ADA, BEN = Author(id="U1", name="Ada"), Author(id="U2", name="Ben")


@dataclass(frozen=True, slots=True)
class Bars:
    """What must hold for a budget."""

    kept: float
    price: float
    stepping: float = 75.0  # kept, where every fold fails
    takes: float = 45.0
    verbatim: int = 2
    stale: int = 6
    passes: int = 4


BARS = {6_000: Bars(kept=92, price=0.45), 24_000: Bars(kept=96, price=0.22)}


def conversation(seed: int, length: int) -> Iterator[tuple[list[Turn], Turn, Turn, bool]]:
    """Exchange by exchange: what was overheard before it, the question, the answer, and whether the pause was cold."""
    dice, seq = random.Random(seed), START
    for _ in range(length):
        heard = []
        while dice.random() < 2 * OVERHEARD / (1 + 2 * OVERHEARD):
            seq += 1
            heard.append(_turn(dice, seq, Role.PERSON, Kind.OVERHEARD, _words(dice, 40, 0.8, 0.015)))
        seq += 1
        asked = _turn(dice, seq, Role.PERSON, Kind.SAID, _words(dice, 40, 0.8, 0.015))
        told = _turn(dice, seq, Role.ASSISTANT, Kind.ANSWER, _words(dice, 180, 0.7, 0.02))
        yield heard, asked, told, dice.random() < COLD


def _words(dice: random.Random, mean: float, sigma: float, long: float) -> int:
    if dice.random() < long:
        return dice.randrange(1_000, 2_000)
    return max(1, round(dice.lognormvariate(math.log(mean) - sigma**2 / 2, sigma)))


def _turn(dice: random.Random, seq: int, role: Role, kind: Kind, tokens: int) -> Turn:
    own = role is Role.ASSISTANT
    return Turn(
        seq=seq,
        role=role,
        kind=kind,
        progress=Progress.DONE,
        validity=Validity.STANDS,
        text=f"{dice.random():.10f} " + "x" * (CHARACTERS * tokens),
        tokens=tokens + (CHARACTERS if own else FRAME),
        at=60.0 * seq,
        author=None if own else BEN if kind is Kind.OVERHEARD else ADA,
    )


@dataclass(kw_only=True)
class Memory:
    """What is stored of one session, as `core/store/` would have it, and its folder, which writes what it is asked."""

    budget: int
    fails: bool = False
    turns: list[Turn] = field(default_factory=list)
    tree: list[Checkpoint] = field(default_factory=list)
    above: dict[Fold, Checkpoint] = field(default_factory=dict)
    passes: dict[Part, int] = field(default_factory=dict)
    folds: list[tuple[int, bool]] = field(default_factory=list)
    made: int = 0
    price: float = 0.0

    @property
    def shown(self) -> list[Checkpoint]:
        old, state = self.above.get(Fold.OLD), self.above.get(Fold.STATE)
        after = START if old is None else old.last
        since = [one for one in self.tree if one.kind is Fold.CHECKPOINT and one.first > after]
        return [one for one in (old, *since, state) if one is not None]

    def newest(self, budget: int) -> list[Turn]:
        """Uncovered turns, newest first, as many as are read for so much."""
        covered = max((one.last for one in self.tree), default=START)
        found, left = list[Turn](), budget
        for turn in reversed(self.turns):
            if turn.seq <= covered or (left < 0 and turn.seq != found[-1].seq):
                break
            left -= min(turn.tokens, budget // 5) if turn.kind is not Kind.OVERHEARD else 0
            found.append(turn)
        return found

    def folded(self, *, idle: bool) -> bool:
        """Folds if it is time to; whether it was."""
        fixed = INSTRUCTIONS + REPLY_TOKENS
        parts = shares(self.budget, self.budget - fixed)
        newest = self.newest(3 * self.budget)
        plan = folding.plan(
            parts,
            self.shown,
            newest,
            tree=self.tree,
            start=START,
            budget=self.budget,
            fixed=fixed,
            idle=idle,
            readable=Readable(room=self.budget - ORDER, beside=lambda _: BESIDE),
        )
        if plan is None or self.fails:
            return False
        self.folds.append((plan.takes, idle))
        self._write(plan)
        return True

    def _write(self, plan: Plan) -> None:
        sizes = {self._part(one): one.tokens for one in (*self.tree, *self.above.values())}
        reads = {text.part: plan.takes // len(plan.texts) for text in plan.texts}
        for text in plan.texts:
            source = sum(sizes[one] for one in text.sources) or reads[text.part]
            self.price += INSTRUCTIONS + source + OUTPUT * text.tokens
            self.passes[text.part] = 1 + max((self.passes[one] for one in text.sources), default=0)
            sizes[text.part] = text.tokens
            self._store(text)
        self.tree.sort(key=lambda one: (one.first, -one.level))

    def _store(self, text: Text) -> None:
        self.made += 1
        part, words = text.part, f"{self.made:08} " + "s" * (CHARACTERS * text.tokens)
        one = Checkpoint(
            number=self.made,
            kind=part.kind,
            level=part.level,
            first=part.first,
            last=part.last,
            tokens=text.tokens,
            text=words,
        )
        if part.kind in (Fold.OLD, Fold.STATE):
            self.above[part.kind] = one
        else:
            self.tree.append(one)

    @staticmethod
    def _part(one: Checkpoint) -> Part:
        return Part(kind=one.kind, level=one.level, first=one.first, last=one.last)

    def stale(self, seq: int) -> int:
        """How many texts lose their words when this turn is edited."""
        return sum(1 for one in (*self.tree, *self.above.values()) if one.first <= seq <= one.last)


def cut(words: str, most: int) -> str:
    return words[: CHARACTERS * max(most, 0)]


Building = Callable[[Memory, Turn], Window]


def stepping(memory: Memory, question: Turn) -> Window:
    """The product's own window."""
    newest = memory.newest(memory.budget)
    return build(question, newest, budget=memory.budget, fixed=INSTRUCTIONS, cut=cut, checkpoints=memory.shown)


def sliding(memory: Memory, question: Turn) -> Window:
    """The newest turns that fit, as before: one message has half of the room, and what was overheard what is left."""
    room = memory.budget - INSTRUCTIONS - REPLY_TOKENS
    most = room // 2
    left = room - min(question.tokens, most)
    newest, shown, since = memory.newest(memory.budget), set[Turn](), START
    for heard in (False, True):
        seqs = [turn.seq for turn in newest if (turn.kind is Kind.OVERHEARD) is heard and turn.seq > since]
        for seq in dict.fromkeys(seqs):
            group = [turn for turn in newest if turn.seq == seq]
            size = sum(min(turn.tokens, most) for turn in group)
            if size > left:
                since = seq
                break
            shown.update(group)
            left -= size
    told = [turn for turn in reversed(newest) if turn in shown]
    wide = 100 * memory.budget  # nothing is cut or dropped a second time
    fitted = [turn._replace(text=cut(turn.text, most), tokens=min(turn.tokens, most)) for turn in (*told, question)]
    return build(fitted[-1], fitted[-2::-1], budget=wide, fixed=INSTRUCTIONS, cut=cut)


@dataclass(kw_only=True)
class Cache:
    """The provider's: what stood before a breakpoint of an earlier request is cheap until the next cold pause."""

    known: dict[int, int] = field(default_factory=dict)

    def price(self, window: Window, tokens: Sequence[int]) -> float:
        """What a request costs, whose messages have so many tokens each."""
        at, total, beginnings = hash("instructions"), INSTRUCTIONS, []
        for message, size in zip(window.messages, tokens, strict=True):
            at, total = hash((at, message.role, message.text)), total + size
            beginnings.append((at, total))
        hit = max((size for mark, size in beginnings if mark in self.known), default=0)
        for place in {len(beginnings) - 1, len(beginnings) - 2, len(window.checkpoints) - 1}:
            if place >= 0 and beginnings[place][1] >= LEAST_CACHED:
                self.known[beginnings[place][0]] = beginnings[place][1]
        return CACHED * hit + (WRITTEN if total >= LEAST_CACHED else 1.0) * (total - hit)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one way did in one conversation."""

    kept: float
    price: float
    folds: float
    takes: tuple[float, float]
    verbatim: int
    stale: tuple[float, int]
    passes: int
    over: int
    loses: float
    summaries: float


def run(budget: int, length: int, way: Building, *, seed: int, fails: bool = False) -> Result:
    memory, cache = Memory(budget=budget, fails=fails), Cache()
    kept, verbatim, over, price, before = list[float](), list[int](), 0, 0.0, None
    loses = 0
    summaries = list[int]()
    for number, (heard, asked, told, cold) in enumerate(conversation(seed, length)):
        memory.turns += heard
        idle = False
        if cold:
            cache.known.clear()
            idle = way is stepping and memory.folded(idle=True)
        window = way(memory, asked)
        price += cache.price(window, _sizes(window, asked))
        if before is not None and not idle:
            kept.append(_kept(before, window.messages))
        before, over = window.messages, over + (window.tokens > budget)
        loses += window.since is not None
        if number > 2:
            verbatim.append(sum(1 for one in window.messages if one.role == "assistant"))
        summaries.append(sum(one.tokens for one in window.checkpoints))
        memory.turns += [asked, told]
        if way is stepping:
            memory.folded(idle=False)
    return Result(
        kept=100 * statistics.mean(kept),
        price=(price + memory.price) / length,
        folds=100 * len(memory.folds) / length,
        takes=_takes(memory),
        verbatim=min(verbatim),
        stale=_stale(memory, seed),
        passes=max((hands for part, hands in memory.passes.items() if part.kind is not Fold.STATE), default=0),
        over=over,
        loses=100 * loses / length if way is stepping else math.nan,
        summaries=statistics.mean(summaries),
    )


def several(budget: int, length: int, way: Building, *, seed: int, fails: bool = False) -> Result:
    """The same of several conversations, where they are short: few long messages make a great difference."""
    seeds = range(seed, seed + max(1, RUNS * 300 // length))
    found = [run(budget, length, way, seed=one, fails=fails) for one in seeds]
    takes = [one.takes for one in found if not math.isnan(one.takes[0])]
    return Result(
        kept=statistics.mean(one.kept for one in found),
        price=statistics.mean(one.price for one in found),
        folds=statistics.mean(one.folds for one in found),
        takes=(statistics.mean(one for one, _ in takes), min(one for _, one in takes)) if takes else NOTHING,
        verbatim=min(one.verbatim for one in found),
        stale=(statistics.mean(one.stale[0] for one in found), max(one.stale[1] for one in found)),
        passes=max(one.passes for one in found),
        over=sum(one.over for one in found),
        loses=statistics.mean(one.loses for one in found),
        summaries=statistics.mean(one.summaries for one in found),
    )


def _sizes(window: Window, asked: Turn) -> list[int]:
    """About what each message takes: its share of what all of them do, by its length."""
    said = sum(one.tokens for one in window.sections[1:])
    lengths = [len(one.text) + CHARACTERS * CHARACTERS for one in window.messages]
    return [round(said * one / sum(lengths)) for one in lengths]


def _kept(before: Sequence[Message], after: Sequence[Message]) -> float:
    """The part of a request's bytes that stand at the beginning of the next."""
    whole = INSTRUCTIONS * CHARACTERS + sum(len(one.text) for one in before)
    same = INSTRUCTIONS * CHARACTERS
    for one, other in zip(before, after, strict=False):
        if one != other:
            break
        same += len(one.text)
    return same / whole


def _takes(memory: Memory) -> tuple[float, float]:
    """What folds that are not idle take in, in per cent of the budget: on average, and the least."""
    takes = [100 * takes / memory.budget for takes, idle in memory.folds if not idle]
    return (statistics.mean(takes), min(takes)) if takes else NOTHING


def _stale(memory: Memory, seed: int) -> tuple[float, int]:
    """How many texts an edit of a turn that is folded makes stale: on average, and at most."""
    last = max((one.last for one in memory.tree), default=0)
    if not last:
        return 0.0, 0
    dice = random.Random(seed)
    stale = [memory.stale(dice.randrange(1, last + 1)) for _ in range(500)]
    return statistics.mean(stale), max(stale)


def wrong(budget: int, length: int, folded: Result, stepped: Result, base: Result) -> list[str]:
    """The bars that a budget does not meet."""
    bars = BARS[budget]
    holds = {
        f"kept >= {bars.kept} %": folded.kept >= bars.kept,
        f"price <= {bars.price} of the sliding window's": folded.price <= bars.price * base.price,
        f"a fold takes in >= {bars.takes} %": folded.takes[0] >= bars.takes,
        f">= {bars.verbatim} exchanges as they were said": folded.verbatim >= bars.verbatim,
        f"an edit makes <= {bars.stale} texts stale": folded.stale[1] <= bars.stale,
        f"<= {bars.passes} passes": folded.passes <= bars.passes,
        "never over the budget": folded.over == stepped.over == 0,
        f"kept >= {bars.stepping} % where every fold fails": stepped.kept >= bars.stepping,
    }
    return [f"{budget:,} tokens, {length:,} exchanges: {bar}" for bar, held in holds.items() if not held]


Ways = dict[str, Result]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="conversations of 300 exchanges only, and no drawing")
    given = parser.parse_args()
    found, missed = dict[tuple[int, int], Ways](), list[str]()
    for budget in BARS:
        for length in (300,) if given.quick else (300, 3_000):
            base = several(budget, length, sliding, seed=given.seed)
            folded = several(budget, length, stepping, seed=given.seed)
            stepped = several(budget, length, stepping, seed=given.seed, fails=True)
            found[budget, length] = {"sliding": base, "folding": folded, "folds fail": stepped}
            missed += wrong(budget, length, folded, stepped, base)
    told(found)
    if not given.quick:
        draw(found)
    sys.exit("\n".join(["These bars are not met:", *missed]) if missed else 0)


def told(found: dict[tuple[int, int], Ways]) -> None:
    columns = ("window", "exchanges", "way", "kept %", "price", "units", "folds per 100", "takes in % (least)")
    table = Table(*columns, "verbatim, least", "loses per 100", "summaries", "stale (most)", "passes", "over")
    for (budget, length), ways in found.items():
        for way, one in ways.items():
            table.add_row(f"{budget:,}", f"{length:,}", way, *_row(one, ways["sliding"]))
    Console(width=175).print(table)


def draw(found: dict[tuple[int, int], Ways]) -> None:
    from benchmarks import chart  # what draws is not there where only the tests are

    figure, ((kept, price),) = chart.canvas(1, 2, size=(10, 3.6))
    colours = {"sliding": chart.GREY, "folding": chart.BLUE, "folds fail": chart.ORANGE}
    names = [f"{budget:,}\n{length:,}" for budget, length in found]
    for nth, (way, colour) in enumerate(colours.items()):
        places = [place + 0.26 * (nth - 1) for place in range(len(found))]
        shown = [ways[way] for ways in found.values()]
        kept.bar(places, [one.kept for one in shown], 0.24, color=colour, label=way)
        prices = [one.price / ways["sliding"].price for one, ways in zip(shown, found.values(), strict=True)]
        price.bar(places, prices, 0.24, color=colour, label=way)
    for axes, title in ((kept, "Bytes of a request that begin the next (%)"), (price, "Price (a sliding window: 1)")):
        axes.set_title(title)
        axes.set_xticks(range(len(found)), names)
        axes.set_xlabel("tokens of a window, exchanges")
        axes.grid(visible=False, axis="x")
    for place, (budget, _) in enumerate(found):
        for axes, bar in ((kept, BARS[budget].kept), (price, BARS[budget].price)):
            axes.hlines(bar, place - 0.4, place + 0.4, color=chart.VERMILION, linestyles="dotted", linewidth=1.5)
    figure.legend(*kept.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    print(chart.save(figure, "folding"))


def _row(one: Result, base: Result) -> tuple[str, ...]:
    return (
        f"{one.kept:.1f}",
        f"{one.price / base.price:.2f}",
        f"{one.price:,.0f}",
        f"{one.folds:.1f}",
        f"{one.takes[0]:.0f} ({one.takes[1]:.0f})",
        f"{one.verbatim}",
        f"{one.loses:.1f}",
        f"{one.summaries:,.0f}",
        f"{one.stale[0]:.1f} ({one.stale[1]})",
        f"{one.passes}",
        f"{one.over}",
    )


if __name__ == "__main__":
    main()
