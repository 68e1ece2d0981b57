"""The house stands as it was planned: what import-linter can't see is seen here."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bots.program.doors import Platform
from tests.stages import STAGES

ROOT = Path(__file__).parent.parent
SOURCES = [path for room in ("bots", "core", "migrations") for path in sorted((ROOT / room).rglob("*.py"))]
TESTS = [path for room in ("tests", "benchmarks") for path in sorted((ROOT / room).rglob("*.py"))]

PLATFORMS = tuple(map(str, Platform))
NAMES_PLATFORMS = {"core/config.py"}  # a setting is named after the platform that it is for
READS_ENVIRONMENT = {"migrations/env.py"}  # Alembic's own command line; ours reads it through pydantic-settings
SHARED = {  # what is in each: CONTRIBUTING.md
    *("adapter", "timings", "connection", "events", "api", "errors", "doctor"),
    *("messages", "changes", "commands", "quotes", "markup", "names", "payloads", "ticket"),
    *("replies", "posting", "screen", "lookup", "reconcile", "reactions", "history", "files", "admins"),
}
OWN = {
    "slack": {"blocks", "clients", "manifest", "pages", "status"},
    "discord": {"formulas", "gate", "interactions", "library", "places", "registration", "render"},
}
LONGEST = 300
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "manager", "models", "misc"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def literals(tree: ast.AST) -> Iterator[ast.Constant]:
    """The strings of a program that are not there for its readers alone."""
    spoken = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in spoken:
            yield node


def offenders(paths: list[Path], offends: Callable[[ast.Module], object]) -> set[str]:
    return {name(path) for path in paths if offends(ast.parse(path.read_text(encoding="utf-8")))}


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


def patches_a_door(tree: ast.Module) -> bool:
    """Whether a test puts something in the place of what a door keeps for itself, by its dotted name."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    patches = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "setattr"]
    return any(str(node.value).startswith("bots.") for call in patches for node in literals(call))


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


def test_no_file_of_the_doors_outgrows_a_reader() -> None:
    doors = [path for path in SOURCES if path.is_relative_to(ROOT / "bots")]

    assert not {name(path) for path in doors if len(path.read_text(encoding="utf-8").splitlines()) > LONGEST}


def test_no_test_patches_what_a_door_keeps_for_itself() -> None:
    assert not offenders(TESTS, patches_a_door)
