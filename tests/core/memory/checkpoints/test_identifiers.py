"""Identifiers: what has to be repeated exactly is found, and looked for exactly, and never in great number."""

import pytest

from core.memory.checkpoints.identifiers import AUDITED, audited, crowd, holds, identifiers


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("See https://e.example/a_(b)?x=1.", ["https://e.example/a_(b)?x=1"]),
        ("(see https://e.example/a)", ["https://e.example/a"]),
        ("`core/x.py`, /etc/hosts and README.md", ["core/x.py", "/etc/hosts", "README.md"]),
        (r"in C:\Users\ana\y.txt", [r"C:\Users\ana\y.txt"]),
        ("v2.4.1, then 1.2.3-rc1.", ["v2.4.1", "1.2.3-rc1"]),
        ("PROJ-12 and #345", ["PROJ-12", "#345"]),
        ("commit 38e3c61", ["38e3c61"]),
        ("€1,200.50, 1 200 € or $5k", ["€1,200.50", "1 200 €", "$5k"]),
        ("50 %, 3.5 GB, 1200 EUR", ["50 %", "3.5 GB", "1200 EUR"]),
        ("ana@mail.example sets DATABASE_URL and --no-cache", ["ana@mail.example", "DATABASE_URL", "--no-cache"]),
        ("on 2026-03-05", ["2026-03-05"]),
        ("e.g. this and/or that, i.e. 5 people at 10:30", []),
        ("Das Übliche, wie immer; und in 2026", []),
    ],
)
def test_what_has_to_be_exact_is_found(said: str, found: list[str]) -> None:
    assert list(identifiers(said)) == found


@pytest.mark.parametrize(
    ("text", "identifier", "there"),
    [
        ("Ship v2.4.1.", "v2.4.1", True),
        ("Ship v2.4.10", "v2.4.1", False),
        ("Ship v2.4.1.3", "v2.4.1", False),
        ("It costs €1,200,000", "€1,200", False),
        ("It costs €1,200, they say", "€1,200", True),
        ("https://e.example/a/b", "https://e.example/a", False),
        ("https://e.example/a, and so on", "https://e.example/a", True),
        ("版本v2.4.1を使う", "v2.4.1", True),
        ("XPROJ-12", "PROJ-12", False),
    ],
)
def test_it_is_looked_for_exactly(text: str, identifier: str, there: bool) -> None:
    assert holds(text, identifier) is there


def test_few_are_audited_the_newest_first() -> None:
    lines = [f"We decided on PROJ-{number}" for number in range(1, 31)]

    assert audited(lines, 10_000, len) == tuple(f"PROJ-{number}" for number in range(30, 30 - AUDITED, -1))


def test_what_is_audited_has_room_in_a_quarter() -> None:
    link = f"https://e.example/{'a' * 100}"

    assert audited([f"agreed: {link}"], 200, len) == ()
    assert audited([f"agreed: {link}", "agreed: v2"], 200, len) == ("v2",)


def test_long_identifiers_make_a_crowd() -> None:
    assert crowd("https://e.example/one https://e.example/two", 100, len)
    assert not crowd("https://e.example/one, which Ana found", 100, len)
    assert not crowd("v1.0 v1.1 v1.2 v1.3 v1.4 v1.5 v1.6 v1.7", 100, len)
