"""What two people ask: short questions, and pasted material of the kinds that tokenizers count most differently."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

_QUESTIONS = (
    "Hello! We are planning a small office party for Friday. What should we bring?",
    "Please sum up these notes in one sentence:",
    "Which of us spoke first, and what about?",
    "Why does this log look odd?",
    "Write a haiku about a lighthouse.",
    "What does this code do?",
    "Please translate this for us:",
    "And what do you make of it all so far?",
)
_NOUNS = ("budget", "harbour", "invoice", "lantern", "meeting", "orchard", "printer", "railway", "teapot", "umbrella")
_VERBS = ("arrived", "broke", "changed", "doubled", "failed", "grew", "moved", "opened", "stopped", "vanished")
_SIGNS = "春夏秋冬山川海空雨雪風月花鳥魚人時間会議明日昨日東京大阪橋駅本紙光音"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What one person says to the bot."""

    author: str
    text: str


def drawn(*, seed: int, number: int, characters: int) -> Iterator[Question]:
    """So many questions by two people in turn, each with pasted material of about so many characters."""
    random = Random(f"questions {seed}")
    kinds: tuple[Callable[[Random], str], ...] = (_prose, _log, _code, _japanese)
    for nth in range(number):
        asked = _QUESTIONS[nth % len(_QUESTIONS)]
        kind, text = kinds[nth % len(kinds)], asked
        # A sign of Japanese is about a token, of the other kinds it takes three or four.
        most = characters // 3 if kind is _japanese else characters
        while len(text) < most:
            text += "\n" + kind(random)
        yield Question(author=("ada", "ben")[nth % 2], text=text)


def _prose(random: Random) -> str:
    return f"The {random.choice(_NOUNS)} {random.choice(_VERBS)} before the {random.choice(_NOUNS)} {_verb(random)}."


def _verb(random: Random) -> str:
    return random.choice(_VERBS)


def _log(random: Random) -> str:
    return (
        f"2026-11-{random.randint(10, 28)}T0{random.randint(0, 9)}:17:42Z {random.getrandbits(48):012x} {_verb(random)}"
    )


def _code(random: Random) -> str:
    return f'{{"{random.choice(_NOUNS)}_id": {random.randint(0, 99_999)}, "ok": [true, null, {random.random():.6f}]}}'


def _japanese(random: Random) -> str:
    return "".join(random.choices(_SIGNS, k=24)) + "。"
