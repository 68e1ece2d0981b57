"""One table of doors: each platform by its name, and its client library only for those who run it."""

import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from bots.program import doors
from bots.program.doors import Platform
from core.config import Settings
from tests.process import ROOT
from tests.stages import STAGES


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("platform", Platform)
async def test_every_platform_makes_its_adapter_of_the_settings(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with STAGES[platform]() as stage:
        for name, value in stage.environment().items():
            monkeypatch.setenv(name, value)
        adapter = doors.adapter(platform, Settings())
        await adapter.close()
    assert adapter.platform == platform


def test_the_console_is_run_where_nothing_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("hello"))

    assert doors.chosen(Settings(), []) == ["console"]


def test_a_platform_that_is_named_twice_is_run_once() -> None:
    assert doors.chosen(Settings(), [Platform.CONSOLE, Platform.CONSOLE]) == ["console"]


def test_no_client_library_is_loaded_by_who_runs_none() -> None:
    loaded = "import sys, bots.program.cli; print(*{name.partition('.')[0] for name in sys.modules})"
    said = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    assert "bots" in said.split()
    assert {"slack_bolt", "slack_sdk", "discord", "openai"}.isdisjoint(said.split())
