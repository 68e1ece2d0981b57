"""Time zones are known on every machine, also on one that brings none of its own."""

import os
import subprocess
import sys

from tests.process import ROOT

ASKED = "from core.policy.zones import zone; from zoneinfo import ZoneInfo; print(ZoneInfo(zone('europe/berlin')))"


def test_a_machine_without_zones_knows_them_all_the_same() -> None:
    surroundings = {**os.environ, "PYTHONTZPATH": ""}

    done = subprocess.run(
        [sys.executable, "-c", ASKED], cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False
    )

    assert done.stdout == "Europe/Berlin\n", done.stderr
