"""Mutations: what a real event becomes at the hands of somebody who wants to see us fall.

Every word that is put in has `MARK` in it, so that it is known again wherever it must not be: in a log, say.
"""

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

MARK = "zanzi bär"
"""No ID is spelt like this."""

Json = Any
Path = tuple[str | int, ...]

_DEEP = "@@deep@@"
_ANYTHING: Sequence[Callable[[Random], Json]] = (
    lambda dice: None,
    lambda dice: dice.random() < 0.5,
    lambda dice: dice.choice((0, -1, 2**63, -(2**70), 0.5, 1e308, float("nan"), float("inf"))),
    lambda dice: dice.choice(("", " ", MARK, f"{MARK} <@U0> :: # \\")),
    lambda dice: [],
    lambda dice: {},
    lambda dice: [MARK, None, 7, {"id": MARK}],
    lambda dice: {"id": MARK, "type": MARK, "text": {"text": MARK}, "user": [MARK]},
    lambda dice: f"{MARK}\x00\x07\x1b[31m\r\n\x85\u2028\u202e\u200b\U000e0041\ufffe",
    lambda dice: f"{MARK}\ud800{MARK}\udfff",
    lambda dice: MARK * dice.choice((300, 3_000, 30_000)),
    lambda dice: dice.choice("0123456789٣") * dice.choice((1, 19, 21, 400, 5_000)),
    lambda dice: f"{dice.randrange(10**10)}.{'7' * dice.choice((0, 6, 9_000))}",
    lambda dice: dice.choice(("0001-01-01T00:00:00", "9999-12-31T23:59:59+14:00", f"{MARK}T25:61", "1e400")),
    lambda dice: _DEEP,
)


def mutated(event: Json, dice: Random) -> Json:
    """A copy of the event with one to three things in it that should not be there, or without some that should."""
    copy = json.loads(json.dumps(event))
    for _ in range(dice.randint(1, 3)):
        paths = list(_paths(copy, ()))
        if paths:
            _change(copy, dice.choice(paths), dice)
    return copy


def written(frame: Json) -> str:
    """As it goes down the wire: what no writer of JSON nests so deeply is put in last."""
    return json.dumps(frame).replace(f'"{_DEEP}"', "[" * 20_000 + "]" * 20_000)


def _paths(part: Json, here: Path) -> Sequence[Path]:
    """Where something is, from the outside in."""
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    return [path for name, value in inner for path in ((*here, name), *_paths(value, (*here, name)))]


def _change(event: Json, path: Path, dice: Random) -> None:
    around = event
    for name in path[:-1]:
        around = around[name]
    name = path[-1]
    kind = dice.random()
    if kind < 0.25:
        del around[name]
    elif kind < 0.35 and isinstance(around[name], list):
        around[name] = around[name] * 500
    elif kind < 0.4 and isinstance(around, dict):
        around[f"{MARK}\n"] = around.pop(name)
    else:
        around[name] = dice.choice(_ANYTHING)(dice)
