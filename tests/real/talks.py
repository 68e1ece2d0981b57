"""Three conversations that outgrow a small window: in English, in German, and about code; each changes its subject."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random

from tests.real.questions import Question

_SAID: Mapping[str, Sequence[str]] = {
    "English": (
        "Hello! We plan release 2.4.1 of the billing service. These are my notes of the meeting:",
        "We decided to ship it on 2026-12-03, without the new invoices. Here is what the testers wrote:",
        "Can you draft an announcement of it? These are the points:",
        "Never mind the announcement, marketing writes it. Who was at the meeting? My own notes say:",
        "We agreed that Ben writes the changelog by 2026-12-01. Here are the open points:",
        "What is left to be done? This is the list of last week:",
        "Thanks. Which day do we ship?",
        "And who writes the changelog?",
    ),
    "German": (
        "Hallo! Wir planen den Umzug in das Büro in der Hafenstraße 12. Das sind meine Notizen:",
        "Wir haben beschlossen, am 2026-12-14 umzuziehen. Das schreibt die Hausverwaltung:",
        "Kannst du eine Einladung zum Richtfest schreiben? Das sind die Stichworte:",
        "Vergiss die Einladung, die schreibt Jana. Was fehlt noch? Ben schreibt:",
        "Wir haben beschlossen, dass Ben die Drucker bei Firma Lampe bestellt, für 1.840 €. Das Angebot:",
        "Was ist noch zu tun? Das ist die Liste der letzten Woche:",
        "Danke. An welchem Tag ziehen wir um?",
        "Und wer bestellt die Drucker?",
    ),
    "code": (
        "The build fails since commit 4f1c9e07 with `KeyError: 'room'` in core/memory/window.py:",
        "We decided to pin aiohttp==3.14.2, see https://ci.example/builds/8812. This is the log:",
        "Can you write a test for `fitted(turn, most)`? This is what it gets:",
        "Never mind the test, I have one in tests/test_fitted.py. Why is `MAX_ROOM=6000` too little? This is set:",
        "We agreed to set `MAX_ROOM=8192` in deploy/prod.env, ticket PROJ-1417. This is what it was:",
        "What does this say?",
        "Thanks. Which version did we pin?",
        "And what is the ticket?",
    ),
}
_PARTS: Mapping[str, tuple[Sequence[str], Sequence[str], Sequence[str]]] = {
    "English": (
        ("The harbour office", "The second printer", "An old invoice", "The railway", "Our archive"),
        ("was late", "came twice", "stood open", "was moved", "is for sale"),
        ("all of the week", "since the holidays", "as everybody knows", "which was a surprise", "for no good reason"),
    ),
    "German": (
        ("Der alte Drucker", "Das Archiv", "Die Rechnung", "Der Hafenmeister", "Die Teeküche"),
        ("kam zu spät", "blieb stehen", "war zweimal da", "wurde verlegt", "ist zu verkaufen"),
        ("die ganze Woche", "seit den Ferien", "wie alle wissen", "zu aller Überraschung", "ohne guten Grund"),
    ),
    "code": (
        ("WARNING window.py:", "ERROR fitted.py:", "INFO leases.py:", "DEBUG outbox.py:", "INFO prices.py:"),
        ("room is 6000", "turn 17 has no tokens", "lease taken", "part 2 delivered", "nothing to do"),
        ("in 0.03 s", "at attempt 2", "for session 41", "by worker-3", "after a retry"),
    ),
}


def talks(*, characters: int, seed: int = 1) -> Iterator[tuple[str, list[Question]]]:
    """Each by its name: what two people say in turn, with so many characters of material, where they have brought some.

    All of it is material but the last two questions, which are about what was decided.
    """
    for name, said in _SAID.items():
        random = Random(f"{name} {seed}")
        yield (
            name,
            [
                Question(
                    author=("ada", "ben")[nth % 2], text="\n".join((words, *_material(name, random, characters, words)))
                )
                for nth, words in enumerate(said)
            ],
        )


def _material(name: str, random: Random, characters: int, words: str) -> Iterable[str]:
    """Nothing behind a question that has none."""
    left = characters if words.endswith(":") or "say" in words else 0
    while left > 0:
        line = f"{' '.join(random.choice(part) for part in _PARTS[name])}."
        left -= len(line)
        yield line
