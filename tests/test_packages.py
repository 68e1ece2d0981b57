"""What is handed out is whole: an sdist can run its own tests, a wheel has what its messages point to."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.process import ROOT

BUILD = "from setuptools import build_meta; print(build_meta.build_{kind}({to!r}))"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy without what was built before, and without a repository that would say what belongs to it."""
    copy = tmp_path_factory.mktemp("checkout") / "backscroll"
    left = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__", "build", "*.egg-info", ".hypothesis")
    shutil.copytree(ROOT, copy, ignore=left)
    return copy


def built(checkout: Path, kind: str) -> Path:
    made = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BUILD.format(kind=kind, to=str(checkout / "dist"))],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return checkout / "dist" / made.stdout.splitlines()[-1]


def sources(folder: str) -> set[str]:
    files = (file for file in (ROOT / folder).rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return {str(file.relative_to(ROOT)) for file in files}


def test_an_sdist_holds_its_tests_with_all_that_they_need(checkout: Path) -> None:
    """G12."""
    with tarfile.open(built(checkout, "sdist")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    for folder in ("bots", "core", "migrations", "tests", "docs"):
        assert sources(folder) <= names, folder
    assert {".env.example", ".importlinter", "Makefile", "requirements-dev.lock", "CHANGELOG.md"} <= names


def test_a_wheel_holds_the_program_and_what_its_messages_point_to(checkout: Path) -> None:
    """G12."""
    with zipfile.ZipFile(built(checkout, "wheel")) as archive:
        names = set(archive.namelist())

    for folder in ("bots", "core", "migrations"):
        assert sources(folder) <= names, folder
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in names)
    for file in (".env.example", "docs/operating.md"):
        assert any(name.endswith(f".data/data/share/backscroll/{file}") for name in names), file
