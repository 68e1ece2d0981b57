"""`python -m tests.real.folds`: three conversations that a real model folds, before and after, and what was refused.

A model of 135 million parameters is mostly refused: that is as it must be. What must hold is that every question is
answered, that nothing is shown to the model that is over its budget, and that nothing breaks.
"""

import argparse
import asyncio
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from time import monotonic

from sqlalchemy import or_, select
from structlog.testing import capture_logs
from structlog.typing import EventDict

import migrations
from core.memory.checkpoints.refusals import REMEDIES
from core.memory.checkpoints.shown import told
from core.schema import turns
from core.seam.address import Address
from core.session import Kind, SessionKey
from core.store import Connection, Database, connect, folds, places, recalling
from core.timings import Timings
from tests.real.conversation import is_over
from tests.real.llama import NAME, model
from tests.real.questions import Question
from tests.real.server import llama
from tests.real.talks import talks
from tests.real.tap import Request, Tap
from tests.stage import Stage
from tests.stages import STAGES
from tests.talk import Running

CONTEXT, CEILING = 8_192, 80
"""Tokens: of the model's context, and of an answer."""

BUDGETS = {"English": 4_000, "German": 6_000, "code": 5_000}
"""Tokens of a window, by the model's count: its tokens are smaller than OpenAI's, in German most of all."""

_ORDER = re.compile(r"Write the record of -?\d+--?\d+ now")
_WIDE = 110  # characters of a line that is told
_TALKS = 2  # the conversation, and whoever folds it: else each would have to be read anew after the other
_REST = 3_600.0  # seconds: what was refused twice is told, and not tried again
_PATIENCE = 900.0  # seconds for a text: a slow machine is no reason to refuse one here


async def hold(tap: Tap, stage: Stage, questions: Sequence[Question], folder: Path, *, budget: int) -> Sequence[str]:
    """Holds a conversation and tells of its folds; what is wrong with it."""
    url = f"sqlite:///{folder}/backscroll.db"
    limits = {"backscroll_context_tokens": budget, "backscroll_answer_tokens": CEILING}
    timings = Timings(fold_text=_PATIENCE, fold_again=_REST)
    database = connect(url)
    try:
        await database.write(migrations.upgrade)
        with capture_logs() as logs:
            async with Running(url, tap, stage, timings=timings, openai_model=NAME, **limits):
                for nth, question in enumerate(questions, 1):
                    _say(f"  {nth}. {question.author}: {_short(question.text)}")
                    _say(f"     {await _answer(stage, database, question)}")
                    await _fold(database)
        found = await database.read(places.find, Address.parse(stage.session("main")))
        assert found is not None
        unanswered = dict(await database.read(_unanswered))
        records = await database.read(_records, found.key)
    finally:
        await database.close()
    _say("\n".join((*_told_of(tap.requests), *records, *_logged(logs))))
    return list(_wrong(budget, unanswered, tap.requests, logs))


async def _held(name: str, questions: Sequence[Question], folder: Path) -> Sequence[str]:
    """The same with the real model."""
    async with (
        llama(CONTEXT, folder / "llama.log", talks=_TALKS) as address,
        Tap(address) as tap,
        STAGES["slack"]() as stage,
    ):
        return await hold(tap, stage, questions, folder, budget=BUDGETS[name])


async def _answer(stage: Stage, database: Database, question: Question) -> str:
    """What is on screen when the answer is whole."""
    before, began = {one.id for one in stage.shown()}, monotonic()
    message = await stage.say(question.text, author=question.author)
    async with asyncio.timeout(_PATIENCE):
        while not await database.read(is_over, message):  # noqa: ASYNC110 – a database tells nobody
            await asyncio.sleep(0.1)
    words, seconds = " ".join(one.text for one in stage.shown() if one.id not in before), monotonic() - began
    return f"{_short(words)}  ({seconds:.0f} s)"


async def _fold(database: Database) -> None:
    """Waits until the session is folded, if it was due, and tells that: it may take longer than many answers."""
    began = monotonic()
    if await database.read(folds.due, 1):
        _say("     is being folded …")
        while await database.read(folds.due, 1):  # noqa: ASYNC110 – a database tells nobody
            await asyncio.sleep(0.1)
        _say(f"     … which is over  ({monotonic() - began:.0f} s)")


def _unanswered(connection: Connection) -> list[tuple[str, str | None]]:
    """The questions that were not answered, and why."""
    answered = select(turns.c.seq).where(turns.c.kind == Kind.ANSWER)
    failed = or_(turns.c.error.is_not(None), turns.c.seq.not_in(answered))
    asked = select(turns.c.message, turns.c.error).where(turns.c.kind == Kind.SAID, failed)
    return [(f"question {row.message}", row.error) for row in connection.execute(asked).all()]


def _told_of(requests: Sequence[Request]) -> Iterator[str]:
    """Every text that the model was to write: what it was shown, what it wrote, and for what that was refused."""
    before = ""
    for request in requests:
        if not _ORDER.search(request.asked):
            continue
        if reason := _remedied(request):
            yield f"  refused: {reason}; asked once more"
        if request.asked != before:
            yield f"  before, {_known(request.shown)} tokens:"
            yield from _brief(request.asked)
        before = request.asked
        yield f"  written, {_known(request.written)} tokens:"
        yield from (f"    {_short(line)}" for line in request.said.splitlines() if line.strip())


def _brief(material: str) -> Iterator[str]:
    """Each turn with its first line."""
    for is_said, lines in groupby(material.rpartition("\n\n")[0].splitlines(), key=lambda line: line.startswith("> ")):
        words = list(lines)
        yield from (f"    {_short(line)}" for line in (words[:1] if is_said else words))
        if is_said and len(words) > 1:
            yield f"    > … ({len(words)} lines)"


def _remedied(request: Request) -> str:
    """For what the attempt before this one was refused, by the remedy that is told; several may have the same."""
    given = request.told.partition("A first attempt was no use. ")[2].strip()
    return " or ".join(reason.name.lower() for reason, remedy in REMEDIES.items() if given and remedy == given)


def _records(connection: Connection, key: SessionKey) -> Sequence[str]:
    """What is shown by now in place of turns."""
    shown = recalling.shown(connection, key)
    if not shown:
        return ["  after: nothing is folded, all is as it was said"]
    return ["  after:", *(f"    {line}" for text in told(shown) for line in text.splitlines())]


def _logged(logs: Sequence[EventDict]) -> Iterator[str]:
    """What became of each fold: also why the last attempt at it was refused."""
    for line in logs:
        if line["event"] == "folded":
            yield f"  folded: {line['tokens']:,} tokens of turns in {line['texts']} texts, in {line['seconds']:.0f} s"
        elif line["event"] == "not folded":
            yield f"  not folded: {line['reason']}"


def _wrong(
    budget: int, unanswered: Mapping[str, str | None], requests: Sequence[Request], logs: Sequence[EventDict]
) -> Iterator[str]:
    """What must not be, and is."""
    yield from (f"{message} is not answered: {why}" for message, why in unanswered.items())
    if over := [request.shown for request in requests if (request.shown or 0) > budget]:
        yield f"the budget of {budget:,} tokens was exceeded: {over}"
    if not any(_ORDER.search(request.asked) for request in requests):
        yield "nothing was ever to be folded"
    yield from (f"something broke: {line['event']}" for line in logs if line["log_level"] in {"error", "critical"})


def _known(number: int | None) -> str:
    return "so many" if number is None else f"{number:,}"


def _short(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= _WIDE else f"{line[:_WIDE]}…"


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main() -> int:
    """Exit status 0 when nothing is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.real.folds", description="Has a real model fold.")
    parser.add_argument("--talks", nargs="+", choices=[name for name, _ in talks(characters=0)], help="of these alone")
    parser.add_argument("--folder", type=Path, help="where logs and databases are left; gone with the run if not given")
    given = parser.parse_args()
    model()
    wrong = list[str]()
    with tempfile.TemporaryDirectory(prefix="folds-", ignore_cleanup_errors=True) as temporary:
        for name, questions in talks(characters=2_000):
            if given.talks and name not in given.talks:
                continue
            place = (given.folder or Path(temporary)) / name
            place.mkdir(parents=True)
            _say(f"\n{name}: {NAME}, windows of {BUDGETS[name]:,} tokens, answers of {CEILING} at the most")
            wrong += [f"{name}: {one}" for one in asyncio.run(_held(name, questions, place))]
    _say("\n".join(wrong) if wrong else "\nAll is well.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
