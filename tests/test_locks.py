"""The locks are complete: what they name needs nothing that they do not pin, so that nothing is resolved at install."""

import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import Environment, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ALWAYS = PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"]
DEV = PROJECT["dependency-groups"]["dev"]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SYSTEMS = {"linux": "Linux", "darwin": "Darwin"}


def surroundings(python: str, system: str) -> Environment:
    here = default_environment()
    here |= {"python_version": python, "python_full_version": f"{python}.0"}
    return here | {"sys_platform": system, "platform_system": SYSTEMS[system], "os_name": "posix"}


def pinned(lock: str, around: Environment) -> dict[str, Version]:
    """What is installed from this lock in these surroundings."""
    lines = re.findall(r"^([\w.-]+==[^\\\n]+?) *\\?$", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE)
    pins = [Requirement(line) for line in lines]
    return {
        canonicalize_name(pin.name): Version(next(iter(pin.specifier)).version)
        for pin in pins
        if pin.marker is None or pin.marker.evaluate(around)
    }


def needed(wanted: list[str], around: Environment) -> Iterator[Requirement]:
    """All that these need, and what that needs, with the extras that are asked for; as far as it is installed here."""
    left, seen = [Requirement(one) for one in wanted], set[str]()
    while left:
        one = left.pop()
        yield one
        for extra in ("", *one.extras):
            if (place := f"{canonicalize_name(one.name)}[{extra}]") in seen:
                continue
            seen.add(place)
            try:
                names = metadata.requires(one.name) or []
            except metadata.PackageNotFoundError:  # it is for another Python or another system than this one
                continue
            asked = [Requirement(name) for name in names]
            left += [need for need in asked if need.marker is None or need.marker.evaluate({**around, "extra": extra})]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    ("lock", "wanted"), [("requirements.lock", ALWAYS), ("requirements-dev.lock", ALWAYS + DEV)], ids=["run", "dev"]
)
def test_a_lock_names_all_that_is_needed(lock: str, wanted: list[str], python: str, system: str) -> None:
    """A1: an old pip resolves what a lock leaves open, past the lock."""
    around = surroundings(python, system)
    pins = pinned(lock, around)

    missing = {
        str(need)
        for need in needed(wanted, around)
        if canonicalize_name(need.name) not in pins
        or not need.specifier.contains(pins[canonicalize_name(need.name)], prereleases=True)
    }

    assert not missing
    assert len(pins) > len(wanted)


def test_a_lock_is_installed_as_it_is() -> None:
    recipes = re.findall(r"^.*install .*-r .*$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

    assert recipes
    assert all("--no-deps --require-hashes" in recipe for recipe in recipes)
