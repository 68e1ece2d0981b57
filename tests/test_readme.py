"""The README tells the truth: every command in it is run, every setting and every command of the program is in it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core.commands.table import COMMANDS
from core.config import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = re.findall(r"^ *\$ (.+)$", README, re.MULTILINE)


@pytest.mark.parametrize("line", LINES)
def test_every_command_runs(line: str, tmp_path: Path) -> None:
    """In a copy of the working directory's surroundings; `make` is asked for its recipe, so that tests don't nest."""
    for name in ("Makefile", ".env.example", "pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name, words in (("python", ""), ("backscroll", " -m bots")):
        program = tmp_path / ".venv" / "bin" / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}"{words} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    words = re.sub(r"^make (\w+)$", r"make --dry-run \1", line)

    done = subprocess.run(
        ["/bin/sh", "-c", words],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert EXPECTED[line] in done.stdout, done.stdout


EXPECTED = {
    "make run": "backscroll run",
    "make test": "pytest",
    r"printf 'hello\n!status\n' | .venv/bin/python -m bots run console": "I remember 2 turns here",
    "cp .env.example .env": "",
    ".venv/bin/backscroll doctor": "stand-in",
    ".venv/bin/backscroll manifest slack": '"/session"',
    ".venv/bin/backscroll --help": "doctor",
    ".venv/bin/backscroll keys generate >> backscroll.keys; chmod 600 backscroll.keys": "",
    ".venv/bin/backscroll migrate": "The schema went from nothing to",
}


def test_the_commands_are_in_it() -> None:
    for command in COMMANDS.values():
        assert f"| `{command.said}` |" in README


def test_the_settings_are_in_it() -> None:
    for setting in Settings.model_fields:
        assert f"`{setting.upper()}`" in README
