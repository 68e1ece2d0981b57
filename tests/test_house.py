"""The house stands as it was planned: what import-linter can't see is seen here."""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from bots.program.doors import Platform
from docs.figures import FLOORS
from tests.stages import STAGES

ROOT = Path(__file__).parent.parent
SOURCES = [path for room in ("bots", "core", "migrations") for path in sorted((ROOT / room).rglob("*.py"))]
TESTS = [path for room in ("tests", "benchmarks") for path in sorted((ROOT / room).rglob("*.py"))]

PLATFORMS = tuple(map(str, Platform))
NAMES_PLATFORMS = {"core/config.py", "core/spelling.py"}  # a setting is named after the platform that it is for
READS_ENVIRONMENT = {"migrations/env.py"}  # Alembic's own command line; ours reads it through pydantic-settings
SHARED = {  # what is in each: CONTRIBUTING.md
    *("adapter", "timings", "connection", "events", "api", "errors", "doctor", "forms"),
    *("messages", "changes", "commands", "quotes", "markup", "names", "payloads", "ticket"),
    *(
        "replies",
        "posting",
        "screen",
        "lookup",
        "reconcile",
        "reactions",
        "history",
        "files",
        "admins",
        "members",
        "links",
    ),
}
OWN = {
    "slack": {"blocks", "channels", "charts", "clients", "manifest", "pages", "privately", "status"},
    "discord": {
        "answers",
        "formulas",
        "gate",
        "interactions",
        "library",
        "listening",
        "places",
        "registration",
        "render",
        "responses",
    },
}
LONGEST_FILE, LONGEST_CLASS = 300, 160  # in lines; what gets there has two reasons to change
TWICE = {"Edited", "Deleted", "Closed", "Left"}  # what reaches us, and the event that tells of it without its words
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "manager", "models", "misc"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def literals(tree: ast.AST) -> Iterator[ast.Constant]:
    """The strings of a program that are not there for its readers alone."""
    spoken = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in spoken:
            yield node


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def offenders(paths: list[Path], offends: Callable[[ast.Module], object]) -> set[str]:
    return {name(path) for path in paths if offends(parsed(path))}


def names_platforms(tree: ast.Module) -> bool:
    return any(platform in node.value.lower() for node in literals(tree) for platform in PLATFORMS)


def asks_for_the_platform(tree: ast.Module) -> bool:
    """Whether something is compared with, or matched against, the name of a platform."""
    asked = [node for node in ast.walk(tree) if isinstance(node, ast.Compare | ast.MatchValue)]
    return any(isinstance(one, ast.Constant) and one.value in PLATFORMS for node in asked for one in ast.walk(node))


def reads_the_environment(tree: ast.Module) -> bool:
    words = {"environ", "environb", "getenv"}
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return bool(words & used.union(node.name for node in ast.walk(tree) if isinstance(node, ast.alias)))


def patches_what_is_private(tree: ast.Module) -> bool:
    """Whether a test puts something in the place of what others keep for themselves: a name with an underscore, or any
    name behind a door.
    """
    return any(one.startswith("bots.") or one.rpartition(".")[2].startswith("_") for one in patched(tree))


def patched(tree: ast.Module) -> Iterator[str]:
    """The names of what is patched, by `setattr` or by assigning to it."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="setattr") | ast.Attribute(attr="setattr"), args=[*asked]):
                names = (one.value for one in asked[:2] if isinstance(one, ast.Constant))
                yield from (one for one in names if isinstance(one, str))
            case ast.Attribute(value=owner, attr=attribute, ctx=ast.Store()) if not is_own(owner):
                yield attribute


def is_own(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


def test_the_core_does_not_know_one_platform_from_another() -> None:
    core = [path for path in SOURCES if path.is_relative_to(ROOT / "core")]

    assert not offenders(core, asks_for_the_platform)
    assert offenders(core, names_platforms) == NAMES_PLATFORMS


def test_the_environment_is_read_in_one_place() -> None:
    assert offenders(SOURCES, reads_the_environment) == READS_ENVIRONMENT


def test_a_file_is_named_after_what_it_is() -> None:
    vague = {
        name(path)
        for path in [*SOURCES, *TESTS]
        if VAGUE & {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}
    }

    assert not vague


def test_one_name_of_the_core_is_one_class() -> None:
    """So that a class is known by its name, wherever it is read."""
    core = [parsed(path) for path in SOURCES if path.is_relative_to(ROOT / "core")]
    classes = Counter(node.name for one in core for node in ast.walk(one) if isinstance(node, ast.ClassDef))

    assert {known for known, times in classes.items() if times > 1 and not known.startswith("_")} == TWICE


def test_the_figures_know_every_room() -> None:
    """A room without a floor would be left out of the table, and of the search for imports that point up."""
    inside = [path.relative_to(ROOT).with_suffix("").parts for path in SOURCES]
    rooms = {".".join(parts[:2]) for parts in inside if parts[0] in ("bots", "core") and parts[1][:2] != "__"}

    assert rooms == set(FLOORS)


def test_a_file_opens_with_a_sentence_that_says_what_it_is() -> None:
    assert not offenders([*SOURCES, *TESTS], lambda tree: not ast.get_docstring(tree))


def test_every_platform_has_a_door_and_a_stage() -> None:
    doors = {path.stem for path in (ROOT / "bots").iterdir() if not path.name.startswith("__")} - {"program"}

    assert doors == set(PLATFORMS) == set(STAGES) - {"line"}, "and the example, which lives in the tests"


@pytest.mark.parametrize("platform", OWN)
def test_the_same_thing_has_the_same_name_behind_every_door(platform: str) -> None:
    files = {path.stem for path in (ROOT / "bots" / platform).iterdir() if not path.name.startswith("__")}

    assert files == SHARED | OWN[platform]


def test_what_is_behind_every_door_is_said_in_one_table() -> None:
    table = set(re.findall(r"^\| `(\w+)\.py` \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE))

    assert table == SHARED


def test_no_file_outgrows_a_reader() -> None:
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}

    assert not {path: lines for path, lines in lengths.items() if lines >= LONGEST_FILE}


def test_no_class_outgrows_a_reader() -> None:
    lengths = {
        f"{name(path)}: {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ClassDef)
    }

    assert not {where: lines for where, lines in lengths.items() if lines >= LONGEST_CLASS}


@pytest.mark.parametrize(
    "line",
    [
        'monkeypatch.setattr(tokens, "_from_extra", None)',
        'monkeypatch.setattr("core.store.engine.sqlite._CLEAN_AFTER", 0.2)',
        'setattr(adapter, "_clock", None)',
        'monkeypatch.setattr("bots.slack.api.Api", None)',
        "sqlite._CLEAN_AFTER = 0.2",
        "adapter._clock, told = None, True",
    ],
)
def test_a_patch_is_known_when_it_is_seen(line: str) -> None:
    assert patches_what_is_private(ast.parse(line))


def test_no_test_patches_what_others_keep_for_themselves() -> None:
    assert not offenders(TESTS, patches_what_is_private)
