"""`python -m tests.real --contexts 2048 8192`: whole conversations with a real model, a table of each, a verdict."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path

from tests.real.conversation import Room, converse
from tests.real.llama import NAME, model
from tests.real.questions import drawn
from tests.real.server import count, llama
from tests.real.tap import Tap
from tests.real.verdict import Offence, Told, judge
from tests.stages import STAGES

_COLUMNS = "{:>3}  {:<4} {:>8} {:>9} {:>8} {:>7} {:>8} {:>9} {:>8}  {}"
_HEAD = ("no", "who", "seconds", "requests", "too long", "shown", "written", "messages", "longest", "outcome")


async def _conversation(given: argparse.Namespace, context: int, folder: Path) -> list[Offence]:
    _say(f"\n{NAME}, a context of {context:,} tokens, answers of {given.ceiling} at the most, on {given.stage}")
    _say(_COLUMNS.format(*_HEAD))
    # Pasted material alone is then half as much again as the context: four characters are about a token.
    questions = drawn(seed=given.seed, number=given.questions, characters=context * 6 // given.questions)
    told: list[Told] = []
    async with llama(context, folder / "llama.log") as address, Tap(address) as tap, STAGES[given.stage]() as stage:
        room = Room(
            stage=stage,
            tap=tap,
            count=partial(count, address),
            folder=folder,
            environment={
                "OPENAI_BASE_URL": f"{tap.url}/v1",
                "OPENAI_MODEL": NAME,
                "BACKSCROLL_ANSWER_TOKENS": f"{given.ceiling}",
            },
        )
        async with aclosing(converse(room, questions)) as answers:
            async for one in answers:
                told.append(one)
                _say(_COLUMNS.format(*_figures(one)))
    return judge(told, ceiling=given.ceiling)


def _figures(told: Told) -> Sequence[object]:
    last = told.requests[-1] if told.requests else None
    return (
        told.number,
        told.author,
        f"{told.seconds:.1f}",
        len(told.requests),
        sum(request.too_long for request in told.requests),
        _known(last and last.shown),
        _known(last and last.written),
        len(told.texts),
        told.longest,
        f"{_outcome(told)} ({last.finish})" if last and last.finish else _outcome(told),
    )


def _outcome(told: Told) -> str:
    if not told.over:
        return "not done"
    if not told.is_said:
        return "nothing"
    return "answered" if told.why is None else f"told: {told.why}"


def _known(number: int | None) -> str:
    return "-" if number is None else f"{number}"


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.real", description="Talks with a real model, and looks.")
    parser.add_argument(
        "--contexts", type=int, nargs="+", default=[2048, 8192], help="the server's contexts, in tokens"
    )
    parser.add_argument("--questions", type=int, default=12, help="how many are asked in each")
    parser.add_argument("--ceiling", type=int, default=200, help="the most tokens that an answer may have")
    parser.add_argument("--stage", choices=["slack", "discord"], default="slack")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where logs and databases are left; gone with the run if not given")
    return parser.parse_args()


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def _carried_out(given: argparse.Namespace, folder: Path) -> list[Offence]:
    """All conversations, one after the other: the machine is the model's alone."""
    found: list[Offence] = []
    for context in given.contexts:
        place = folder / f"{context}"
        place.mkdir(parents=True)
        offences = asyncio.run(_conversation(given, context, place))
        _say("\n".join(f"  {one.number:>2}  {one.kind}: {one.why}" for one in offences) or "  nothing to complain of")
        found += offences
    return found


def main() -> int:
    """Exit status 0 when there is nothing to complain of."""
    given = _parsed()
    model()
    with tempfile.TemporaryDirectory(prefix="real-", ignore_cleanup_errors=True) as temporary:
        offences = _carried_out(given, given.folder or Path(temporary))
    _say(f"\n{len(offences)} offences" if offences else "\nAll is well.")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
