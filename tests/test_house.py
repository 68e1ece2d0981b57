"""The house stands as it was planned: what import-linter can't see is seen here."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = [path for room in ("bots", "core", "migrations") for path in sorted((ROOT / room).rglob("*.py"))]
TESTS = [path for room in ("tests", "benchmarks") for path in sorted((ROOT / room).rglob("*.py"))]

PLATFORMS = ("slack", "discord", "console")
NAMES_PLATFORMS = {"core/config.py"}  # a setting is named after the platform that it is for
READS_ENVIRONMENT = {"migrations/env.py"}  # Alembic's own command line; ours reads it through pydantic-settings
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
